//===- LaunchCalls.h - What a launch is given -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_LAUNCHCALLS_H
#define QK_LIB_CONVERSION_NVVM_LAUNCHCALLS_H

#include "DeviceCalls.h"

namespace qk::nvvm {

/// Calls that give buffers of the host (or, with model=device, of the GPU) to
/// the launch that qk_cuda_begin started.
class LaunchCalls : public DeviceCalls {
public:
  using DeviceCalls::DeviceCalls;

  /// `direction` is qk_cuda_input or qk_cuda_output. `matrix` has two
  /// dimensions and any stride between rows.
  void passMatrix(llvm::StringRef direction, mlir::Value matrix);
  /// A contiguous vector, as one row.
  void passVector(llvm::StringRef direction, mlir::Value vector);
  /// A contiguous vector that never changes.
  void passConstant(mlir::Value vector);
  void passI32(mlir::Value i64);

private:
  mlir::Value address(mlir::Value buffer, mlir::Value offset, int64_t bytes);
};

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_LAUNCHCALLS_H
