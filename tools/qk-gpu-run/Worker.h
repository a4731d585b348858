//===- Worker.h - Runs cases on the GPU --------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A kernel that faults takes its process's context with it, and one may wait
/// for ever. So cases run in a process of their own: `runCases` starts one, and
/// another one after the case that ended it.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_WORKER_H
#define QK_TOOLS_QKGPURUN_WORKER_H

#include "Plan.h"

#include <functional>

namespace qk::gpurun {

struct RunOptions {
  bool check = true, time = true;
  /// Replays of a graph, launches in it.
  int rounds = 20, launches = 20;
  /// Seconds after which a case that gave no result is given up.
  int patience = 60;
};

/// Runs `cases` and measures the card; `done` is told each result, in order:
///   {"device": …} once, {"limit": name, …} for each limit,
///   {"case": index, …} for each case, "error" in it where it failed.
/// Empty, or why nothing could be run.
std::string runCases(const Plan &plan, const std::vector<size_t> &cases,
                     const RunOptions &options,
                     const std::function<void(const Json &)> &done);

double median(std::vector<double> values);

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_WORKER_H
