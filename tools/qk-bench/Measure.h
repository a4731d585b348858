//===- Measure.h - A kernel interleaved with the machine's limits *- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Compiles one generated CPU kernel, checks it against f64, and times it in
/// turns with the machine's limits: read bandwidth of the same buffers and peak
/// of the dot instruction. Times include the quantisation of x. On one thread
/// they are that thread's CPU time, so that other work on the machine does not
/// count; on several, wall time.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKBENCH_MEASURE_H
#define QK_TOOLS_QKBENCH_MEASURE_H

#include "qk/Target/CPU/KernelTable.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace qk::bench {

struct MeasureOptions {
  cpu::KernelSpec spec;
  cpu::Level level = cpu::Level::Portable;
  int64_t m = 1, n = 1;
  int threads = 1, rounds = 15;
  /// Whether to time weights from memory, too, and how many megabytes of copies
  /// to rotate over for it.
  bool cold = true;
  int64_t coldMegabytes = 400;
  /// File for the kernel's object code; empty: none.
  std::string object;
};

/// One number a round in each list; seconds a call, bytes a second, operations
/// a second.
struct Measurement {
  std::vector<double> cold, coldRead, warm, warmRead, peak;
  /// ||y - reference|| / ||reference|| against float x, over a sample.
  double error = 0;
  double operations = 0, compileSeconds = 0;
  int64_t bytes = 0;
  /// A checksum of what was read, so that no read can be left out.
  uint64_t sink = 0;
};

llvm::Expected<Measurement> measure(const MeasureOptions &options);

double median(std::vector<double> values);

} // namespace qk::bench

#endif // QK_TOOLS_QKBENCH_MEASURE_H
