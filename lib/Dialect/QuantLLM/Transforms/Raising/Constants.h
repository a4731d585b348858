//===- Constants.h - What counts as a constant ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Constants of every dialect that a model arrives in. Most of these dialects
/// are not linked: their ops are known by name.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_CONSTANTS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_CONSTANTS_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

#include <optional>
#include <string>

namespace qk::quant_llm {

/// A constant tensor.
struct ConstantTensor {
  /// Its type as a builtin tensor, also where the value's own type is opaque.
  mlir::RankedTensorType type;
  /// Its elements, possibly a resource without data. Null for a tensor of a
  /// parameter file.
  mlir::ElementsAttr value;
  /// What a parameter is called: of `quant_llm.parameter` and of IREE's
  /// `#flow.parameter.named`. For a resource the name is its key and the scope
  /// is empty; a literal has neither.
  std::string scope, name;
};

/// The constant that `value` is the result of: `quant_llm.parameter`, a
/// registered constant op, `stablehlo.constant`, `torch.vtensor.literal`,
/// `onnx.Constant` (by itself or in a `torch.operator`), or the load of an
/// immutable `util.global` with an initial value.
std::optional<ConstantTensor> getConstant(mlir::Value value);

/// Equal for two values that are the same constant, whatever ops load it; null
/// for what is no constant.
mlir::Attribute getConstantKey(mlir::Value value);

/// For a `util.global` that is a named parameter, the key of what it loads;
/// null for any other op.
mlir::Attribute getGlobalKey(mlir::Operation *global);

/// Makes a constant a parameter of its own scope and name; a resource without
/// data is one of the file that has its name, a literal is called
/// `literalName`. The constant's op stays. Errors are emitted at `location`: no
/// file has the tensor, or it has another type or shape, or the wrong size.
mlir::FailureOr<ParameterOp> createParameter(mlir::OpBuilder &builder,
                                             mlir::Location location,
                                             const ConstantTensor &constant,
                                             llvm::StringRef literalName);

/// Whether getConstant() finds one.
bool isConstant(mlir::Value value);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_CONSTANTS_H
