//===- DeviceLoop.h - A linalg operation as a GPU kernel --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// One thread an element of the parallel loops; loops of reductions run inside
/// it, with their results in registers. What a model has besides its quantised
/// products becomes such kernels: simple ones, that need nothing of each other.
///
/// Kernel ABI: a pointer for each buffer that the operation touches, in the
/// order of DeviceLoop::buffers, then the scalars of DeviceLoop::scalars: i32
/// (index, integers of up to 32 bits, f32 as its bits) or i64. The first scalar
/// is the number of threads that have work; a block has kBlock of them.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_DEVICELOOP_H
#define QK_LIB_CONVERSION_NVVM_DEVICELOOP_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace qk::nvvm {

struct DeviceLoop {
  static constexpr int32_t kBlock = 128;

  struct Buffer {
    /// The memref, any view of the allocation.
    mlir::Value view;
    bool written = false;
    /// The cell where a failed assertion leaves its number; no memref.
    bool isErrorCell = false;
  };

  mlir::gpu::GPUFuncOp kernel;
  llvm::SmallVector<Buffer> buffers;
  /// On the host; index, integer or float.
  llvm::SmallVector<mlir::Value> scalars;
};

/// What a kernel's failed assertion says, and where it stands in the model.
struct DeviceAssertion {
  std::string message;
  mlir::Location loc;

  bool operator==(const DeviceAssertion &other) const {
    return message == other.message && loc == other.loc;
  }
};

/// Builds the kernel of `op` (on buffers) at the end of `module`, as @`name`.
/// Values that the host computes for it are made before `op`. `assertions` are
/// those so far: a kernel's failed assertion stores its index plus one. Fails,
/// with an error at `op`, where its body has what a kernel can't do.
mlir::FailureOr<DeviceLoop>
buildDeviceLoop(mlir::linalg::LinalgOp op, mlir::gpu::GPUModuleOp module,
                llvm::StringRef name,
                llvm::SmallVectorImpl<DeviceAssertion> &assertions);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_DEVICELOOP_H
