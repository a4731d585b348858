//===- ParameterData.h - The bytes of a parameter ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Where the bytes of a `quant_llm.parameter` are: a mapped safetensors file or
/// the inline value. Copied only for a part of a tensor.
///
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_PARAMETERDATA_H
#define QK_DIALECT_QUANTLLM_IR_PARAMETERDATA_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Storage/ParameterStore.h"

#include <memory>
#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace qk::quant_llm {

/// The bytes of a parameter in its storage type (row-major; sub-byte elements
/// packed, see ParameterOp). Valid as long as the object and the op's context
/// live.
struct ParameterData {
  /// Null for an inline value.
  std::shared_ptr<const storage::SafetensorsFile> file;
  ::llvm::ArrayRef<uint8_t> bytes;
  /// For a file: the first byte's offset from the start of the file.
  uint64_t fileOffset = 0;
  /// For an inline splat, whose attribute holds one element only, and for a
  /// part of a tensor.
  std::vector<uint8_t> expanded;

  ParameterData() = default;
  ParameterData(ParameterData &&) = default;
  ParameterData &operator=(ParameterData &&) = default;
};

/// The absolute path that a path written in `module` means: relative to the
/// module's file, or to the working folder for a module that was not read from
/// a file.
std::string resolveModulePath(::mlir::ModuleOp module, ::llvm::StringRef path);

/// Makes the paths in the module's attributes absolute, for a module that is
/// written to another folder than it was read from.
void makePathsAbsolute(::mlir::ModuleOp module);

/// How `module` refers to a file that the user named `path`: as given where
/// that is the same file seen from the module's folder, else absolute.
std::string getModulePath(::mlir::ModuleOp module, ::llvm::StringRef path);

/// Records on `module` that the parameters of `scope` are in `path`.
void recordWeights(::mlir::ModuleOp module, ::llvm::StringRef scope,
                   ::llvm::StringRef path);

/// The checkpoint that `module` gives for `scope`, opened through the dialect's
/// store; a null pointer where it gives none. Errors are emitted at `location`.
::mlir::FailureOr<std::shared_ptr<const storage::Checkpoint>>
openScope(::mlir::ModuleOp module, ::llvm::StringRef scope,
          ::mlir::Location location);

/// Finds and checks a parameter's bytes. Errors are emitted at the op: no file
/// for its scope, no such tensor, another type or shape than the op's, fewer
/// elements than the op's part needs, a resource without data or of the wrong
/// size.
::mlir::FailureOr<ParameterData> getParameterData(ParameterOp op);

/// The same errors, without the copy that a part of a tensor takes.
::mlir::LogicalResult checkParameterData(ParameterOp op);

/// The bytes of elements of `type` that `value` holds, checked for size.
/// Errors are emitted through `emitError`.
::mlir::FailureOr<ParameterData>
getElementsData(::mlir::ElementsAttr value,
                ::llvm::function_ref<::mlir::InFlightDiagnostic()> emitError);

/// The `part` of `whole` as elements of a tensor of `type`: a resource with a
/// key like that of `whole` where that is one, else a dense value. Errors are
/// emitted through `emitError`: those of getElementsData, and fewer elements
/// than the part needs.
::mlir::FailureOr<::mlir::ElementsAttr>
takePart(::mlir::ElementsAttr whole, PartAttr part,
         ::mlir::RankedTensorType type,
         ::llvm::function_ref<::mlir::InFlightDiagnostic()> emitError);

/// A parameter of a part of a file's tensor as a value.
::mlir::FailureOr<::mlir::ElementsAttr> readPart(ParameterOp op);

/// A parameter of f32, f16 or bf16 as f32, row-major.
::mlir::FailureOr<std::vector<float>> readAsFloat(ParameterOp op);

/// The quantised weight that evaluated codes, scales and (may be null) zero
/// points and permutation are, for packers. Errors are emitted at `user`:
/// operands that are no parameters (a recipe that was not evaluated), and those
/// of getParameterData.
::mlir::FailureOr<numerics::QuantizedWeight>
readQuantizedWeight(::mlir::Operation *user, SchemeAttr scheme,
                    ::mlir::Value codes, ::mlir::Value scales,
                    ::mlir::Value zeroPoints, ::mlir::Value permutation);

/// The safetensors type of an MLIR element type, if it has one.
std::optional<storage::DataType> getDataType(::mlir::Type elementType);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_IR_PARAMETERDATA_H
