//===- OperatorBuilder.h - Ops of torch-mlir, unlinked ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOOPERATORS_OPERATORBUILDER_H
#define QK_LIB_CONVERSION_QUANTLLMTOOPERATORS_OPERATORBUILDER_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace qk {

/// Writes ops of torch-mlir in generic form: none of its dialects is linked.
class OperatorBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  /// `!torch.vtensor<[…],…>` of the same shape and elements.
  mlir::Type tensorType(mlir::RankedTensorType type);

  /// A builtin tensor as torch's, and back; what was cast from the other is
  /// that again.
  mlir::Value toTorch(mlir::Value value);
  mlir::Value fromTorch(mlir::Value value, mlir::RankedTensorType type);

  /// `torch.constant.int`.
  mlir::Value integer(int64_t value);
  /// `torch.vtensor.literal`, or, in ONNX's way, an `onnx.Constant`.
  mlir::Value literal(mlir::DenseElementsAttr value, bool onnx);
  /// `torch.operator "name"`, with attributes, named without their prefix
  /// `torch.onnx.`.
  mlir::Value call(llvm::StringRef name, mlir::ValueRange operands,
                   mlir::RankedTensorType type,
                   llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
  /// An ONNX attribute of integers.
  mlir::NamedAttribute onnxInteger(llvm::StringRef name, int64_t value);

private:
  mlir::Value create(llvm::StringRef name, mlir::ValueRange operands,
                     mlir::Type type,
                     llvm::ArrayRef<mlir::NamedAttribute> properties,
                     llvm::ArrayRef<mlir::NamedAttribute> attributes = {});
};

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOOPERATORS_OPERATORBUILDER_H
