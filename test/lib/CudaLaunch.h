//===- CudaLaunch.h - What cuLaunchKernelEx is given ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// cuda.h's CUlaunchConfig and CUlaunchAttribute, for the drivers of tests:
/// written apart from the runtime's, so that its layout is checked.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_LIB_CUDALAUNCH_H
#define QK_TEST_LIB_CUDALAUNCH_H

namespace qk::test {

/// CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION.
inline constexpr int kClusterDimension = 4;

struct LaunchAttribute {
  int id;
  char padding[4];
  unsigned cluster[3];
  char rest[52];
};

struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  void *stream;
  const LaunchAttribute *attributes;
  unsigned count;
};

} // namespace qk::test

#endif // QK_TEST_LIB_CUDALAUNCH_H
