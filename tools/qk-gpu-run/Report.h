//===- Report.h - What was measured, for people ------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_REPORT_H
#define QK_TOOLS_QKGPURUN_REPORT_H

#include "Plan.h"

namespace qk::gpurun {

/// Results of a run, beside the card's limits and what others take.
class Report {
public:
  explicit Report(const Plan &plan) : plan(plan) {}

  /// What utils/gpu-peers wrote on the same card, to stand beside ours.
  void addPeers(const Json &json) { peers = json; }
  /// A line of runCases.
  void add(const Json &result);

  int failures() const { return failed; }
  int checked() const { return int(results.size()); }
  /// Prints one row of a timed case, the header before the first.
  void printRow(const Json &result);
  /// Limits, peers, errors by family.
  void printSummary() const;
  Json json() const;
  /// Operations a second over operations a byte.
  std::string roofline() const;

private:
  double bandwidth() const;
  double tensorPeak(const Json &result) const;
  double limitSeconds(const Json &result) const;
  double peerSeconds(const Case &of, const char *which) const;

  const Plan &plan;
  Json device, peers;
  std::vector<Json> limits, results;
  int failed = 0;
  bool headed = false;
};

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_REPORT_H
