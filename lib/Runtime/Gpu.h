//===- Gpu.h - Modules, memory and launches on a GPU ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What is behind the C ABI of Cuda.h: the launch that a thread puts together,
/// and the GPU that it goes to.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_RUNTIME_GPU_H
#define QK_LIB_RUNTIME_GPU_H

#include "CudaDriver.h"

#include <cstdint>
#include <map>
#include <string>

namespace qk::runtime {

/// What a kernel is given.
struct Parameter {
  /// Device: an address on the GPU, in `value`.
  enum Kind { Input, Constant, Output, Workspace, Device, I32, I64 } kind;
  char *data;
  int64_t rows, rowBytes, rowStride;
  int64_t value;

  int64_t bytes() const { return rows * rowBytes; }
  bool isScalar() const { return kind == I32 || kind == I64; }
  /// Copied to the GPU or from it with each launch.
  bool isCopied() const { return kind == Input || kind == Output; }
  /// An array of the host's address space `data` that is the GPU's.
  bool onDevice = false;
};

/// More than any kernel has.
inline constexpr int kMaxParameters = 64;

/// The launch that a thread is putting together. Plain data: an error leaves
/// through longjmp and destroys nothing.
struct Launch {
  const void *image;
  const char *kernel;
  Parameter parameters[kMaxParameters];
  int count;
  CUstream stream;
  int64_t sharedBytes;
  /// Blocks along z that are a cluster.
  int64_t cluster;
  /// A size that i32 does not hold, or 0.
  int64_t wrongIndex;
};

/// Memory on the GPU.
struct DeviceMemory {
  CUdeviceptr address = 0;
  int64_t bytes = 0;
};

/// One GPU, its modules and its memory; all launches go through it in turn.
class Gpu {
public:
  std::string run(Launch &launch, const int64_t (&grid)[3],
                  const int64_t (&block)[3]);
  void reset();

  // Each gives an error, or nothing.
  std::string start();
  std::string allocate(int64_t bytes, CUdeviceptr &address);
  std::string release(CUdeviceptr address);
  std::string copyIn(CUdeviceptr to, const void *from, int64_t bytes);
  std::string copyOut(void *to, CUdeviceptr from, int64_t bytes);
  std::string constant(const void *data, int64_t bytes, CUdeviceptr &address);
  std::string errorCell(CUdeviceptr &address);

private:
  CUresult launchCluster(const Launch &launch, CUfunction function,
                         const int64_t (&grid)[3], const int64_t (&block)[3],
                         void **parameters);
  std::string findFunction(const Launch &launch, CUfunction &function);
  std::string resize(DeviceMemory &memory, int64_t bytes);
  std::string growWorkspace(DeviceMemory &workspace, int64_t bytes);
  void findOnDevice(Launch &launch);
  std::string whyNotCaptured(const Launch &launch) const;
  std::string place(const Launch &launch, int index);
  std::string copyRows(const Parameter &parameter, CUdeviceptr address);
  std::string failed(const char *what, CUresult result) {
    return driver.gpu + ": " + what + ": " + driver.describe(result);
  }

  bool started = false;
  CudaDriver driver{};
  std::map<const void *, CUmodule> modules;
  std::map<const void *, DeviceMemory> constants;
  /// Inputs and outputs by position, kept for the next launch.
  DeviceMemory scratch[kMaxParameters];
  /// In which the blocks of a launch meet: one for each stream, as launches of
  /// several may run at the same time.
  std::map<CUstream, DeviceMemory> workspaces;
  /// What qk_cuda_allocate gave, by address, and what was released, by size.
  std::map<CUdeviceptr, int64_t> allocations;
  /// Constants by their addresses on the GPU.
  std::map<CUdeviceptr, int64_t> placedConstants;
  std::multimap<int64_t, CUdeviceptr> released;
  CUdeviceptr errors = 0;
  /// Memory was written to by the driver, for which a stream of the caller's
  /// does not wait.
  bool unsettled = false;
};

} // namespace qk::runtime

#endif // QK_LIB_RUNTIME_GPU_H
