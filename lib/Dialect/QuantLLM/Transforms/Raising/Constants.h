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

/// On a constant of a dialect that isn't linked: the ParameterBinding that
/// `quant-llm-bind-parameters` found for it.
constexpr llvm::StringLiteral kBindingAttr = "quant_llm.binding";

/// Which tensor of the model's files a constant is.
struct ParameterBinding {
  std::string scope, name;
  /// The constant is the transpose of the tensor.
  bool transposed = false;
  /// The tensor may have another float type than the constant.
  bool converts = false;
  /// The tensor only names the constant, which keeps its own elements.
  bool keepsValue = false;

  mlir::DictionaryAttr toAttr(mlir::MLIRContext *context) const;
  static ParameterBinding fromAttr(mlir::DictionaryAttr attribute);
};

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
  /// Of a tensor of a file: see ParameterBinding.
  bool transposed = false, converts = false;
  /// Where it isn't the whole of that, which elements it is, counted in the
  /// order of the constant's own.
  PartAttr part;

  /// Makes this the tensor that `binding` says.
  void bind(const ParameterBinding &binding);
};

/// The constant that `value` is the result of: `quant_llm.parameter`, a
/// registered constant op, `stablehlo.constant`, `torch.vtensor.literal`,
/// `onnx.Constant` (by itself or in a `torch.operator`), or the load of an
/// immutable `util.global` with an initial value.
std::optional<ConstantTensor> getConstant(mlir::Value value);

/// The op that holds the constant `op` loads: a `util.global`, or `op` itself.
mlir::Operation *getConstantOp(mlir::Operation *op);

/// The elements of `constant` from number `offset` on, by sizes and strides, as
/// a part of the tensor that a file or the module holds; null for a part of a
/// part, and where a file has the transpose and that is none of it.
PartAttr getConstantPart(const ConstantTensor &constant, int64_t offset,
                         llvm::ArrayRef<int64_t> sizes,
                         llvm::ArrayRef<int64_t> strides);

/// Equal for two values that are the same constant, whatever ops load it; null
/// for what is no constant.
mlir::Attribute getConstantKey(mlir::Value value);

/// For a `util.global` that is a named parameter, the key of what it loads;
/// null for any other op.
mlir::Attribute getGlobalKey(mlir::Operation *global);

/// Makes a constant a parameter of its own scope and name, at the builder's
/// point or where the block already has it; a resource without data is one of
/// the file that has its name, a literal is called `literalName`. What the file
/// stores transposed, in another float type or without dimensions of size one
/// is transposed, converted and reshaped to the constant's type. A part of what
/// has its elements in the module is a value of its own. The constant's op
/// stays. Errors are emitted at `location`: no file has the tensor, or it
/// has another type or shape, or the wrong size.
mlir::FailureOr<mlir::Value> createParameter(mlir::OpBuilder &builder,
                                             mlir::Location location,
                                             const ConstantTensor &constant,
                                             llvm::StringRef literalName);

/// `quant_llm.transpose` of a matrix; of a transpose, what it is of.
mlir::Value createTranspose(mlir::OpBuilder &builder, mlir::Location location,
                            mlir::Value matrix);

/// Whether getConstant() finds one.
bool isConstant(mlir::Value value);

/// Whether `value`, a matrix or more of them, is computed from constant tensors
/// alone, by ops of any dialect.
bool isMadeOfConstants(mlir::Value value);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_CONSTANTS_H
