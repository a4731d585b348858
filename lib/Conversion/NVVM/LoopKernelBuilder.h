//===- LoopKernelBuilder.h - How a loop's kernel is built -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_NVVM_LOOPKERNELBUILDER_H
#define QK_LIB_CONVERSION_NVVM_LOOPKERNELBUILDER_H

#include "DeviceLoop.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <variant>

namespace qk::nvvm {

/// What the kernel is given (DeviceLoop.cpp) and what it computes
/// (LoopKernelBody.cpp).
class LoopKernelBuilder {
public:
  LoopKernelBuilder(mlir::linalg::LinalgOp op, mlir::gpu::GPUModuleOp module,
                    llvm::StringRef name,
                    llvm::SmallVectorImpl<DeviceAssertion> &assertions)
      : op(op), module(module), name(name), assertions(assertions),
        host(op.getLoc(), op), b(op.getLoc(), op.getContext()),
        kinds(op.getIteratorTypesArray()) {}

  mlir::FailureOr<DeviceLoop> build();

private:
  /// How the kernel finds an element of a memref.
  struct View {
    unsigned buffer;
    /// Constants or kernel values, in elements.
    mlir::Value offset;
    llvm::SmallVector<mlir::Value> strides;
  };

  mlir::LogicalResult check();
  void collectInterface();
  unsigned bufferOf(mlir::Value memref);
  void addView(mlir::Value memref);
  unsigned addScalar(mlir::Value hostValue);
  void createFunction();
  mlir::Value readScalar(unsigned index);
  mlir::Value index(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(b, value);
  }

  llvm::SmallVector<mlir::Value>
  emitReductions(unsigned next, llvm::SmallVector<mlir::Value> carried);
  llvm::SmallVector<mlir::Value> emitBody(llvm::ArrayRef<mlir::Value> carried);
  llvm::SmallVector<mlir::Value> emitFrom(mlir::Block::iterator it,
                                          mlir::IRMapping &mapping);
  llvm::SmallVector<mlir::Value> emitAssertion(mlir::cf::AssertOp assertion,
                                               mlir::Block::iterator rest,
                                               mlir::IRMapping &mapping);
  mlir::Value expandIndexMap(mlir::Operation *map, mlir::ValueRange operands);
  void rewriteNested(mlir::Operation *copy);
  mlir::Value address(mlir::Value memref, mlir::ValueRange indices);
  mlir::Value load(mlir::Value memref, mlir::ValueRange indices);
  llvm::SmallVector<mlir::Value> indicesOf(mlir::OpOperand &operand);
  void store(llvm::ArrayRef<mlir::Value> results);

  mlir::linalg::LinalgOp op;
  mlir::gpu::GPUModuleOp module;
  llvm::StringRef name;
  llvm::SmallVectorImpl<DeviceAssertion> &assertions;
  mlir::ImplicitLocOpBuilder host, b;
  llvm::SmallVector<mlir::utils::IteratorType> kinds;

  DeviceLoop loop;
  /// By memref: its view. Offsets and strides as host values until the kernel
  /// has its parameters.
  struct HostView {
    unsigned buffer;
    std::variant<int64_t, unsigned> offset;
    llvm::SmallVector<std::variant<int64_t, unsigned>> strides;
  };
  llvm::MapVector<mlir::Value, HostView> hostViews;
  llvm::DenseMap<mlir::Value, View> views;
  llvm::SmallVector<std::variant<int64_t, unsigned>> extents;
  /// Scalars of the host that the body uses, by their parameter.
  llvm::MapVector<mlir::Value, unsigned> captured;
  mlir::IRMapping captures;
  std::optional<unsigned> errorCell;
  llvm::SmallVector<mlir::Value> ivs;
};

} // namespace qk::nvvm

#endif // QK_LIB_CONVERSION_NVVM_LOOPKERNELBUILDER_H
