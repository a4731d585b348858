//===- ExportedTensors.h - Parameters of an exported module -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOLINALG_EXPORTEDTENSORS_H
#define QK_LIB_CONVERSION_QUANTLLMTOLINALG_EXPORTEDTENSORS_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Storage/Safetensors.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <optional>
#include <string>

namespace qk {

/// Makes the tensors of a module that leaves qk what other compilers know:
/// constants with their elements in the module, or IREE's named parameters
/// (`util.global … = #flow.parameter.named<"scope"::"name">`, generic form),
/// whose elements are in safetensors files: those that the module has, as far
/// as they hold what is needed as it is needed, and a new one for the rest. It
/// appears when all is written (commit), or not at all.
class ExportedTensors {
public:
  /// The scope of the parameters in the new file.
  static constexpr llvm::StringLiteral kScope = "exported";

  /// `path`: the new file, where tensors are `named`.
  ExportedTensors(mlir::ModuleOp module, bool named, llvm::StringRef path);

  /// Whether tensors are named parameters, which may have elements of 2 and 4
  /// bits; constants have whole bytes.
  bool areNamed() const { return named; }

  /// Announces a new tensor, in the order in which they are created.
  mlir::LogicalResult declare(mlir::Location location, llvm::StringRef name,
                              mlir::RankedTensorType type);

  /// A new tensor: `elements` in memory, those of fewer than 8 bits one a byte.
  mlir::FailureOr<mlir::Value> create(mlir::OpBuilder &builder,
                                      mlir::Location location,
                                      llvm::StringRef name,
                                      mlir::RankedTensorType type,
                                      llvm::ArrayRef<uint8_t> elements);

  /// A created tensor once more, for another function.
  mlir::Value load(mlir::OpBuilder &builder, mlir::Location location,
                   llvm::StringRef name);

  /// A parameter as it is, or, with named tensors, its bytes as elements of
  /// `type`. Errors are emitted at the op.
  mlir::FailureOr<mlir::Value> take(mlir::OpBuilder &builder,
                                    quant_llm::ParameterOp op,
                                    mlir::RankedTensorType type);

  mlir::LogicalResult commit();

private:
  mlir::LogicalResult fail(llvm::Error error);
  mlir::Value loadGlobal(mlir::OpBuilder &builder, mlir::Location location,
                         llvm::StringRef scope, llvm::StringRef name,
                         mlir::RankedTensorType type);

  mlir::ModuleOp module;
  bool named;
  std::string path;
  std::optional<storage::SafetensorsWriter> file;
  /// Of tensors by name: constants' values, or null, and types.
  llvm::StringMap<std::pair<mlir::ElementsAttr, mlir::RankedTensorType>> known;
  /// By scope and name in one text, and type.
  llvm::StringMap<mlir::FlatSymbolRefAttr> globals;
};

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOLINALG_EXPORTEDTENSORS_H
