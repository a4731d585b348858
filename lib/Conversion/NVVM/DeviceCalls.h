//===- DeviceCalls.h - Host code that calls the CUDA runtime ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_DEVICECALLS_H
#define QK_LIB_CONVERSION_NVVM_DEVICECALLS_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qk::nvvm {

/// Writes calls of functions of qk/Runtime/Cuda.h, which it declares in
/// `module`, and what goes into their arguments.
class DeviceCalls {
public:
  DeviceCalls(mlir::ModuleOp module, mlir::ImplicitLocOpBuilder &builder)
      : module(module), b(builder) {}

  /// Calls `name`; its result (of type `result`), if there is one.
  mlir::Value call(llvm::StringRef name, mlir::ValueRange arguments,
                   mlir::Type result = {});

  mlir::Type pointerType() const {
    return mlir::LLVM::LLVMPointerType::get(b.getContext());
  }
  mlir::Value i64(int64_t value);
  /// An index as i64.
  mlir::Value asI64(mlir::Value index);

  /// The address of `text` and a NUL, a constant of the module.
  mlir::Value text(llvm::StringRef text);
  /// The compiled kernels; until they are compiled, a declaration.
  mlir::Value image();
  /// Where the allocation of a memref begins to hold data (its aligned
  /// pointer), without the view's offset.
  mlir::Value base(mlir::Value buffer);
  /// Bytes of a buffer's elements, as a value.
  mlir::Value byteSize(mlir::Value buffer);

protected:
  mlir::ModuleOp module;
  mlir::ImplicitLocOpBuilder &b;
};

/// Bytes that an element takes in memory, 0 for types that have no fixed size.
int64_t elementBytes(mlir::Type type);

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_DEVICECALLS_H
