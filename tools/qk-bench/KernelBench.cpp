//===- KernelBench.cpp - Kernels against the machine's limits ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiles one generated CPU kernel, checks it against f64, and times it
// interleaved with the machine's limits: read bandwidth of the same buffers and
// peak of the dot instruction. Medians. Times include the quantisation of x.
//
//===----------------------------------------------------------------------===//

#include "KernelBench.h"

#include "Limits.h"

#include "qk/Execution/CPUKernel.h"
#include "qk/Runtime/CPULevel.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <omp.h>
#include <random>
#include <sys/mman.h>

using namespace qk;
using namespace qk::cpu;
using namespace qk::numerics;
namespace cl = llvm::cl;

namespace {
/// Made after LLVM's own options were dropped: `threads` is one of them.
struct Options {
  cl::opt<std::string> kernel{"kernel", cl::desc("Codes: u2, u3, u4, u8 or s8"),
                              cl::init("u4")};
  cl::opt<int64_t> n{"n", cl::desc("Channels"), cl::init(4096)};
  cl::opt<int64_t> k{"k", cl::desc("Inputs"), cl::init(4096)};
  cl::opt<int64_t> m{"m", cl::desc("Tokens"), cl::init(1)};
  cl::opt<int64_t> group{"group", cl::desc("Group size; -1: the whole row"),
                         cl::init(128)};
  cl::opt<bool> zeros{"zero-points", cl::desc("With zero points")};
  cl::opt<std::string> scale{"scale-type", cl::desc("Scales: f16, bf16 or f32"),
                             cl::init("f16")};
  cl::opt<std::string> activations{
      "activations", cl::desc("int16, int8 or float"), cl::init("int16")};
  cl::opt<std::string> isa{
      "isa", cl::desc("portable, avx2, avx-vnni or avx512-vnni; default: "
                      "the best of this machine")};
  cl::opt<int> threads{"threads", cl::desc("OpenMP threads"), cl::init(1)};
  cl::opt<int64_t> cold{"cold",
                        cl::desc("Megabytes of weights to rotate over, so that "
                                 "they come from memory"),
                        cl::init(400)};
  cl::opt<int> rounds{"rounds", cl::desc("Rounds of measuring"), cl::init(15)};
  cl::opt<bool> list{"list",
                     cl::desc("Print what is chosen and why, and stop")};
  cl::opt<std::string> object{
      "object", cl::desc("Write the kernel's object code to this file")};
};
} // namespace

static Options *options;

[[noreturn]] static void fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "qk-bench") << message << "\n";
  std::exit(1);
}

static KernelSpec parseSpec() {
  KernelSpec spec;
  auto codes = parseCodeType(options->kernel.getValue());
  if (!codes)
    fail("unknown kernel '" + options->kernel +
         "', expected u2, u3, u4, u8 or s8");
  auto scale = parseScaleType(options->scale.getValue());
  if (!scale)
    fail("unknown scale type '" + options->scale +
         "', expected f16, bf16 or f32");
  spec.scheme.codeType = *codes;
  spec.scheme.scaleType = *scale;
  if (options->n < 1 || options->k < 1 || options->m < 1)
    fail("expected n, k and m of at least 1, got " + llvm::Twine(options->n) +
         ", " + llvm::Twine(options->k) + " and " + llvm::Twine(options->m));
  if (options->group != -1 && options->group < 1)
    fail("expected a group of -1 or at least 1, got " +
         llvm::Twine(options->group));
  auto activation = parseActivation(options->activations.getValue());
  if (!activation)
    fail("unknown activations '" + options->activations +
         "', expected int16, int8 or float");
  spec.scheme.groupSize = options->group;
  spec.k = options->k;
  spec.zeroPoints = options->zeros;
  spec.activation = *activation;
  if (spec.scheme.groupLength(spec.k) == spec.k)
    spec.sharing = Sharing::Token;
  return spec;
}

static Level parseISA() {
  const auto machine = static_cast<Level>(qk_cpu_level());
  if (options->isa.empty())
    return machine;
  auto level = parseLevel(options->isa.getValue());
  if (!level)
    fail("unknown isa '" + options->isa +
         "', expected portable, avx2, avx-vnni or avx512-vnni");
  if (qk_best_cpu_level(1 << static_cast<int32_t>(*level)) < 0)
    fail("this machine cannot run " + options->isa + ", only up to " +
         std::string(name(machine)));
  return *level;
}

static void list(const KernelSpec &spec, Level level) {
  KernelChoice choice = chooseKernel(spec, level);
  llvm::outs() << spec.symbol() << " at " << std::string(name(level))
               << "\n  layout " << kLayoutName << ", "
               << spec.layout().packedBytes(options->n) << " bytes\n  "
               << choice.lanes << " lanes; register tiles (rows x vectors):";
  for (const RegisterTile &tile : choice.tiles)
    llvm::outs() << " " << tile.rows << "x" << tile.vectors << " unroll "
                 << tile.unroll;
  llvm::outs() << "\n  " << choice.reason << "\n";
}

namespace {

/// Pages of 2 MB where the system has them: TLB misses are not what a kernel is
/// measured for, and models are mapped that way.
struct Buffer {
  explicit Buffer(size_t bytes) : size(bytes + (4 << 20)) {
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      fail("no memory for " + llvm::Twine(bytes) + " bytes of weights");
    base = memory;
    constexpr uintptr_t page = 2 << 20;
    data = reinterpret_cast<uint8_t *>(
        (reinterpret_cast<uintptr_t>(memory) + page - 1) & ~(page - 1));
    madvise(data, bytes, MADV_HUGEPAGE);
  }
  ~Buffer() { munmap(base, size); }
  size_t size;
  void *base;
  uint8_t *data;
};

struct Problem {
  KernelSpec spec;
  int64_t m, n;
  QuantizedWeight weight;
  std::vector<float> x, y, scales;
  std::vector<int16_t> codes;

  Problem(const KernelSpec &spec, int64_t m, int64_t n)
      : spec(spec), m(m), n(n), x(m * spec.k), y(m * n),
        scales(m * spec.layout().groups()), codes(m * spec.k) {
    std::mt19937 random(1);
    weight.scheme = spec.scheme;
    weight.n = n;
    weight.k = spec.k;
    weight.codes.resize(n * spec.k);
    for (uint8_t &code : weight.codes)
      code = static_cast<uint8_t>(random() & ((1 << spec.scheme.bits()) - 1));
    weight.scales.resize(n * spec.layout().groups());
    for (float &scale : weight.scales)
      scale = static_cast<float>(1 + random() % 64) / 1024.0f;
    if (spec.zeroPoints) {
      weight.zeroPoints.resize(weight.scales.size());
      for (int16_t &zero : weight.zeroPoints)
        zero = static_cast<int16_t>(
            spec.scheme.codeMin() +
            static_cast<int>(random() & ((1u << spec.scheme.bits()) - 1)));
    }
    std::normal_distribution<float> normal;
    for (float &value : x)
      value = normal(random);
  }

  void run(const CPUKernel &kernel, const uint8_t *bytes) {
    MatmulArguments arguments;
    arguments.m = m;
    arguments.n = n;
    arguments.x = x.data();
    if (spec.activation != Activation::Float) {
      kernel.quantize(m, x.data(), codes.data(), scales.data());
      arguments.x = codes.data();
      arguments.xScales = scales.data();
    }
    arguments.weights = bytes;
    arguments.y = y.data();
    kernel.matmul(arguments);
  }

  /// ||y - reference|| / ||reference|| over a sample, in f64, against float x.
  double error() const {
    double difference = 0, total = 0;
    const int64_t group = spec.scheme.groupLength(spec.k);
    for (int64_t row = 0; row < m; row += std::max<int64_t>(1, m / 7))
      for (int64_t channel = 0; channel < n;
           channel += std::max<int64_t>(1, n / 61)) {
        double sum = 0;
        for (int64_t k = 0; k < spec.k; ++k) {
          int64_t at = channel * spec.layout().groups() + k / group;
          int code =
              spec.scheme.isSigned()
                  ? static_cast<int8_t>(weight.codes[channel * spec.k + k])
                  : weight.codes[channel * spec.k + k];
          int zero = spec.zeroPoints ? weight.zeroPoints[at]
                                     : spec.scheme.defaultZeroPoint();
          sum +=
              double(x[row * spec.k + k]) * weight.scales[at] * (code - zero);
        }
        difference += std::pow(sum - y[row * n + channel], 2);
        total += sum * sum;
      }
    return std::sqrt(difference / total);
  }
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

} // namespace

static void printSpread(llvm::StringRef label, std::vector<double> values,
                        double scale, llvm::StringRef unit) {
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  llvm::outs() << llvm::format("%-28s %9.2f %s   (%.2f to %.2f)\n",
                               label.str().c_str(), median(values) * scale,
                               unit.str().c_str(), *low * scale, *high * scale);
}

int benchKernel(int argc, char **argv) {
  cl::ResetCommandLineParser();
  Options parsed;
  options = &parsed;
  cl::ParseCommandLineOptions(argc, argv,
                              "qk: kernels against the machine's limits\n\n"
                              "  also: qk-bench solve [N K], time of "
                              "statistics, round-to-nearest and GPTQ\n");
  const KernelSpec spec = parseSpec();
  const Level level = parseISA();
  if (options->list) {
    list(spec, level);
    return 0;
  }
  if (options->threads < 1 || options->rounds < 1 || options->cold < 1)
    fail("expected threads, rounds and cold of at least 1");
  omp_set_num_threads(options->threads);

  double start = bench::now();
  auto compiled = CPUKernel::compile(spec, {level}, options->object);
  if (!compiled)
    fail(llvm::toString(compiled.takeError()));
  const CPUKernel &kernel = **compiled;
  double compileSeconds = bench::now() - start;

  Problem problem(spec, options->m, options->n);
  const int64_t bytes = spec.layout().packedBytes(options->n);
  const int64_t copies = std::max<int64_t>(1, (options->cold << 20) / bytes);
  Buffer weights(bytes * copies);
  pack(problem.weight, weights.data);
  for (int64_t i = 1; i < copies; ++i)
    std::memcpy(weights.data + i * bytes, weights.data, bytes);
  problem.run(kernel, weights.data);
  const double error = problem.error();

  uint64_t sink = 0;
  std::vector<double> cold, coldRead, warm, warmRead, peak;
  const int repeats = static_cast<int>(std::clamp<double>(
      2e9 / (double(options->m) * double(options->n) * double(options->k)), 1,
      40));
  for (int round = 0; round < options->rounds; ++round) {
    start = bench::now();
    for (int64_t i = 0; i < copies; ++i)
      problem.run(kernel, weights.data + i * bytes);
    cold.push_back((bench::now() - start) / double(copies));
    coldRead.push_back(
        double(bytes * copies) /
        bench::timeRead(weights.data, bytes * copies, options->threads, sink));
    problem.run(kernel, weights.data);
    start = bench::now();
    for (int i = 0; i < repeats; ++i)
      problem.run(kernel, weights.data);
    warm.push_back((bench::now() - start) / repeats);
    bench::timeRead(weights.data, bytes, options->threads, sink);
    double seconds = 0;
    for (int i = 0; i < repeats; ++i)
      seconds += bench::timeRead(weights.data, bytes, options->threads, sink);
    warmRead.push_back(double(bytes) * repeats / seconds);
    peak.push_back(
        2 * bench::dotPeak(static_cast<int>(level), options->threads, sink));
  }

  const double operations =
      2.0 * double(options->m) * double(options->n) * double(options->k);
  llvm::outs() << spec.symbol() << " at " << std::string(name(level))
               << ", m=" << options->m << " n=" << options->n << ", "
               << options->threads << " thread(s), " << bytes
               << " bytes of weights\n";
  llvm::outs() << llvm::format("relative error against f64   %9.1e\n", error);
  llvm::outs() << llvm::format("compiled in                  %9.2f s\n",
                               compileSeconds);
  printSpread("time, weights from memory", cold, 1e6, "us");
  printSpread("time, weights warm", warm, 1e6, "us");
  printSpread("read bandwidth, memory", coldRead, 1e-9, "GB/s");
  printSpread("read bandwidth, warm", warmRead, 1e-9, "GB/s");
  if (peak[0] > 0)
    printSpread("peak of the byte dot", peak, 1e-9, "GOP/s");
  const double coldRate = double(bytes) / median(cold);
  const double warmRate = double(bytes) / median(warm);
  llvm::outs() << llvm::format(
      "memory: %.1f GB/s, %.2f of the read bandwidth measured beside it\n",
      coldRate * 1e-9, coldRate / median(coldRead));
  llvm::outs() << llvm::format(
      "warm:   %.1f GB/s, %.2f of the read bandwidth measured beside it\n",
      warmRate * 1e-9, warmRate / median(warmRead));
  llvm::outs() << llvm::format("warm:   %.1f GOP/s",
                               operations / median(warm) * 1e-9);
  if (peak[0] > 0)
    llvm::outs() << llvm::format(", %.2f of the dot's peak",
                                 operations / median(warm) / median(peak));
  llvm::outs() << "\n";
  // The checksum of the reads, so that none can be left out.
  if (sink == 0x123456789)
    llvm::outs() << sink << "\n";
  const double bound = spec.activation == Activation::Float   ? 1e-5
                       : spec.activation == Activation::Int16 ? 1e-4
                                                              : 2e-2;
  if (!(error < bound)) {
    llvm::WithColor::error(llvm::errs(), "qk-bench")
        << "relative error " << error << ", expected below " << bound << "\n";
    return 1;
  }
  return 0;
}
