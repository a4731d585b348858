//===- CudaDriver.h - libcuda.so.1, opened at run time ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The few functions of the CUDA driver API that the runtime calls, declared
/// here because NVIDIA's headers are not needed to build qk. Names, types and
/// numbers are those of cuda.h (CUDA 12 and 13).
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_RUNTIME_CUDADRIVER_H
#define QK_LIB_RUNTIME_CUDADRIVER_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace qk::runtime {

using CUresult = int;
using CUdevice = int;
using CUdeviceptr = uint64_t;
// Opaque handles.
using CUcontext = void *;
using CUmodule = void *;
using CUfunction = void *;
using CUstream = void *;

inline constexpr int kJitErrorLogBuffer = 5;
inline constexpr int kJitErrorLogBufferSizeBytes = 6;
inline constexpr int kMaxDynamicSharedSize = 8;
/// Dynamic shared memory that every kernel may have.
inline constexpr int64_t kSharedWithoutAsking = 48 << 10;
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;

/// cuda.h's CUlaunchAttribute, of which the number of blocks of a cluster is
/// used, and CUlaunchConfig.
struct LaunchAttribute {
  int id = 4; // CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
  char padding[4] = {};
  unsigned cluster[3] = {1, 1, 1};
  char rest[52] = {};
};
static_assert(sizeof(LaunchAttribute) == 72);
struct LaunchConfig {
  unsigned grid[3], block[3], sharedBytes;
  CUstream stream;
  LaunchAttribute *attributes;
  unsigned count;
};

/// The driver with its first GPU, or why there is none.
struct CudaDriver {
  CUresult (*cuInit)(unsigned);
  CUresult (*cuGetErrorString)(CUresult, const char **);
  CUresult (*cuDeviceGetCount)(int *);
  CUresult (*cuDeviceGet)(CUdevice *, int);
  CUresult (*cuDeviceGetName)(char *, int, CUdevice);
  CUresult (*cuDeviceGetAttribute)(int *, int, CUdevice);
  CUresult (*cuDevicePrimaryCtxRetain)(CUcontext *, CUdevice);
  CUresult (*cuCtxSetCurrent)(CUcontext);
  CUresult (*cuCtxSynchronize)();
  CUresult (*cuModuleLoadDataEx)(CUmodule *, const void *, unsigned,
                                 const int *, void **);
  CUresult (*cuModuleUnload)(CUmodule);
  CUresult (*cuModuleGetFunction)(CUfunction *, CUmodule, const char *);
  CUresult (*cuMemAlloc)(CUdeviceptr *, size_t);
  CUresult (*cuMemFree)(CUdeviceptr);
  CUresult (*cuMemcpyHtoD)(CUdeviceptr, const void *, size_t);
  CUresult (*cuMemcpyDtoH)(void *, CUdeviceptr, size_t);
  CUresult (*cuMemsetD8)(CUdeviceptr, unsigned char, size_t);
  CUresult (*cuFuncSetAttribute)(CUfunction, int, int);
  CUresult (*cuMemcpyDtoD)(CUdeviceptr, CUdeviceptr, size_t);
  CUresult (*cuStreamSynchronize)(CUstream);
  /// The status is 0 where nothing is captured.
  CUresult (*cuStreamIsCapturing)(CUstream, int *);
  CUresult (*cuLaunchKernel)(CUfunction, unsigned, unsigned, unsigned, unsigned,
                             unsigned, unsigned, unsigned, CUstream, void **,
                             void **);
  /// Null before CUDA 11.8: for clusters only.
  /// Its first argument is a LaunchConfig.
  CUresult (*cuLaunchKernelEx)(const void *, CUfunction, void **, void **);

  void *library = nullptr;
  CUcontext context = nullptr;
  /// "NVIDIA H100 80GB HBM3 (sm_90)".
  std::string gpu;

  /// Opens the driver and its first GPU. Empty, or what is missing.
  std::string open();
  /// Releases the library.
  void close();
  /// The driver's words for `result`.
  const char *describe(CUresult result) const;
};

} // namespace qk::runtime

#endif // QK_LIB_RUNTIME_CUDADRIVER_H
