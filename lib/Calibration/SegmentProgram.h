//===- SegmentProgram.h - A part of a function, compiled --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_SEGMENTPROGRAM_H
#define QK_LIB_CALIBRATION_SEGMENTPROGRAM_H

#include "ModelCopy.h"

#include "qk/Execution/Executable.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace qk::calibration {

/// Where an argument of a segment comes from.
struct SegmentArgument {
  enum Kind {
    /// An argument of the function.
    Input,
    /// A value kept at the cut before the segment; scalars as tensors of no
    /// dimension.
    Kept,
    /// A parameter of the model, the same for every run.
    Parameter,
    /// The weight of a layer that is rounded, as f32: the parameter as the
    /// model stores it, or [N,K] where it is reshaped or converted first.
    Weight
  };
  Kind kind;
  /// Input, Kept: the value (of the function); Parameter, Weight: the
  /// parameter's.
  mlir::Value value;
  /// Weight: the layer.
  std::string layer;
};

/// A part of a function: from what is kept at a cut, compute some values.
struct Segment {
  std::shared_ptr<Executable> code;
  std::vector<SegmentArgument> arguments;
  llvm::SmallVector<mlir::Value> results;
};

/// Makes segments. Those of one structure share their code: the weights are
/// arguments, so a model of thirty equal blocks compiles as many segments as
/// one block has.
class SegmentCompiler {
public:
  SegmentCompiler(ModelCopy &copy, const llvm::StringSet<> &rounded)
      : copy(copy), rounded(rounded) {}

  /// The segment that computes `results` from `kept`, and checks `assertions`
  /// on the way. Errors, at the original: a weight that is no parameter; code
  /// that can't be lowered or compiled.
  mlir::FailureOr<Segment>
  compile(llvm::ArrayRef<mlir::Value> kept, llvm::ArrayRef<mlir::Value> results,
          llvm::ArrayRef<mlir::Operation *> assertions);

  size_t compiled() const { return codes.size(); }
  double seconds() const { return spent; }

private:
  mlir::FailureOr<std::shared_ptr<Executable>> lower(mlir::ModuleOp module);

  ModelCopy &copy;
  const llvm::StringSet<> &rounded;
  /// By the segment's text.
  llvm::StringMap<std::shared_ptr<Executable>> codes;
  double spent = 0;
};

/// The parameter that a layer reads as it lies, or transposed only; else null.
quant_llm::ParameterOp getWeightParameter(quant_llm::LinearOp layer);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_SEGMENTPROGRAM_H
