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

#include "Measure.h"

#include "qk/Runtime/CPULevel.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <omp.h>

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
      "isa", cl::desc("portable, avx2, avx-vnni, avx512-vnni (with --list "
                      "neon-dotprod or neon-i8mm, too); default: "
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
    fail("unknown isa '" + options->isa + "', expected " + levelNames());
  // What would be chosen can be printed for every machine.
  if (options->list)
    return *level;
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

static void printSpread(llvm::StringRef label, std::vector<double> values,
                        double scale, llvm::StringRef unit) {
  auto [low, high] = std::minmax_element(values.begin(), values.end());
  llvm::outs() << llvm::format("%-28s %9.2f %s   (%.2f to %.2f)\n",
                               label.str().c_str(),
                               bench::median(values) * scale,
                               unit.str().c_str(), *low * scale, *high * scale);
}

int benchKernel(int argc, char **argv) {
  cl::ResetCommandLineParser();
  Options parsed;
  options = &parsed;
  cl::ParseCommandLineOptions(
      argc, argv,
      "qk: kernels against the machine's limits\n\n"
      "  also: qk-bench suite, all kernels beside their "
      "goals;\n  qk-bench solve [N K], time of "
      "statistics, round-to-nearest and GPTQ;\n  qk-bench --gpu, the GPU's "
      "kernels\n");
  const KernelSpec spec = parseSpec();
  const Level level = parseISA();
  if (options->list) {
    list(spec, level);
    return 0;
  }
  if (options->threads < 1 || options->rounds < 1 || options->cold < 1)
    fail("expected threads, rounds and cold of at least 1");
  omp_set_num_threads(options->threads);

  bench::MeasureOptions how;
  how.spec = spec;
  how.level = level;
  how.m = options->m;
  how.n = options->n;
  how.threads = options->threads;
  how.rounds = options->rounds;
  how.coldMegabytes = options->cold;
  how.object = options->object;
  auto measured = bench::measure(how);
  if (!measured)
    fail(llvm::toString(measured.takeError()));
  const auto &[cold, coldRead, warm, warmRead, peak, error, operations,
               compileSeconds, bytes, sink] = *measured;

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
  const double coldRate = double(bytes) / bench::median(cold);
  const double warmRate = double(bytes) / bench::median(warm);
  llvm::outs() << llvm::format(
      "memory: %.1f GB/s, %.2f of the read bandwidth measured beside it\n",
      coldRate * 1e-9, coldRate / bench::median(coldRead));
  llvm::outs() << llvm::format(
      "warm:   %.1f GB/s, %.2f of the read bandwidth measured beside it\n",
      warmRate * 1e-9, warmRate / bench::median(warmRead));
  llvm::outs() << llvm::format("warm:   %.1f GOP/s",
                               operations / bench::median(warm) * 1e-9);
  if (peak[0] > 0)
    llvm::outs() << llvm::format(", %.2f of the dot's peak",
                                 operations / bench::median(warm) /
                                     bench::median(peak));
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
