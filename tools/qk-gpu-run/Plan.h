//===- Plan.h - Kernels to run and what to run them on -----------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QKGPURUN_PLAN_H
#define QK_TOOLS_QKGPURUN_PLAN_H

#include "Json.h"

#include "qk/Target/NVVM/KernelTable.h"

namespace qk::gpurun {

/// One launch, all numbers given: an entry of cases.json.
struct Case {
  /// "u4 g128 f16 m=1 8192x8192", and what was changed in its kernel.
  std::string name, variant;
  /// Whether to time it, too.
  bool timed = false;
  /// File of the folder with the kernel, and its symbol.
  std::string file, kernel, family;
  std::vector<std::string> parameters;
  nvvm::MatmulProblem problem;
  int64_t m = 0, n = 0;
  int64_t grid[3], block[3], cluster[3];
  /// Dynamic shared memory, and memory that is zero before the first launch
  /// and that the kernel leaves as it was, bytes.
  int64_t sharedBytes = 0, workspaceBytes = 0;
  /// Seed of the operands.
  uint64_t seed = 1;

  double operations() const {
    return 2.0 * double(m) * double(n) * double(problem.k);
  }
  /// Elements of x and y.
  int64_t xElementBytes() const {
    return problem.int8Activations ? 1 : nvvm::elementTypeBytes(problem.type);
  }
  int64_t yElementBytes() const { return nvvm::elementTypeBytes(problem.type); }
  /// What must be moved at least: each operand read once, y written once.
  double leastBytes() const {
    return double(problem.packedBytes(n)) +
           double(m) * double(problem.k * xElementBytes()) +
           double(m) * double(n * yElementBytes());
  }
};

struct Plan {
  std::string folder, chip;
  std::vector<Case> cases;
};

/// Reads FOLDER/cases.json. Empty, or what is wrong with it.
std::string readPlan(const std::string &folder, Plan &plan);

/// All of a file; false where it can't be read.
bool readFile(const std::string &path, std::string &bytes);

} // namespace qk::gpurun

#endif // QK_TOOLS_QKGPURUN_PLAN_H
