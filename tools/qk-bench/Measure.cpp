//===- Measure.cpp - A kernel interleaved with the machine's limits -------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Measure.h"

#include "Limits.h"

#include "qk/Execution/CPUKernel.h"

#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <sys/mman.h>

using namespace qk;
using namespace qk::cpu;
using namespace qk::numerics;

namespace {

/// Pages of 2 MB where the system has them: TLB misses are not what a kernel is
/// measured for, and models are mapped that way.
struct Buffer {
  explicit Buffer(size_t bytes) : size(bytes + (4 << 20)) {
    void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      llvm::report_fatal_error("no memory for the weights of a benchmark");
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

} // namespace

double qk::bench::median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

llvm::Expected<qk::bench::Measurement>
qk::bench::measure(const MeasureOptions &options) {
  const KernelSpec &spec = options.spec;
  Measurement result;
  double start = now();
  CPUKernelOptions compilation;
  compilation.dumpObject = options.object;
  auto compiled = CPUKernel::compile(spec, {options.level}, compilation);
  if (!compiled)
    return compiled.takeError();
  const CPUKernel &kernel = **compiled;
  result.compileSeconds = now() - start;

  Problem problem(spec, options.m, options.n);
  const int64_t bytes = spec.layout().packedBytes(options.n);
  const int64_t copies =
      std::max<int64_t>(1, (options.coldMegabytes << 20) / bytes);
  Buffer weights(bytes * copies);
  pack(problem.weight, weights.data);
  for (int64_t i = 1; i < copies; ++i)
    std::memcpy(weights.data + i * bytes, weights.data, bytes);
  problem.run(kernel, weights.data);
  result.bytes = bytes;
  result.error = problem.error();

  const int threads = options.threads;
  const double operations = result.operations =
      2.0 * double(options.m) * double(options.n) * double(spec.k);
  // Long enough for the clock.
  const int repeats =
      static_cast<int>(std::clamp<double>(2e9 / operations, 1, 2000));
  for (int round = 0; round < options.rounds; ++round) {
    if (options.cold) {
      start = now(threads);
      for (int64_t i = 0; i < copies; ++i)
        problem.run(kernel, weights.data + i * bytes);
      result.cold.push_back((now(threads) - start) / double(copies));
      result.coldRead.push_back(
          double(bytes * copies) /
          timeRead(weights.data, bytes * copies, threads, result.sink));
    }
    problem.run(kernel, weights.data);
    start = now(threads);
    for (int i = 0; i < repeats; ++i)
      problem.run(kernel, weights.data);
    result.warm.push_back((now(threads) - start) / repeats);
    timeRead(weights.data, bytes, threads, result.sink);
    double seconds = 0;
    const int reads = std::min(repeats, 40);
    for (int i = 0; i < reads; ++i)
      seconds += timeRead(weights.data, bytes, threads, result.sink);
    result.warmRead.push_back(double(bytes) * reads / seconds);
    result.peak.push_back(
        2 * dotPeak(static_cast<int>(options.level), threads, result.sink));
  }
  return result;
}
