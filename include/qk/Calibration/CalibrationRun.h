//===- CalibrationRun.h - Statistics by running the model -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CALIBRATION_CALIBRATIONRUN_H
#define QK_CALIBRATION_CALIBRATIONRUN_H

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"
#include "qk/Numerics/Statistics.h"

#include "llvm/ADT/StringMap.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qk::calibration {

/// Statistics from a run of the float model on samples, made when evaluate
/// asks for the first. This version runs the whole model once and keeps the
/// statistics of all layers until they are released; the interface lets a
/// later one go block by block.
class CalibrationRun : public quant_llm::StatisticsSource {
public:
  /// `inputs`: a sample file (qk/Execution/SampleFile.h); `entry`: the function
  /// to run, empty: the only public one.
  /// `progress` shows samples on standard error as they run, `profile` prints
  /// how long they took.
  CalibrationRun(std::string inputs, std::string entry, bool progress,
                 bool profile)
      : inputs(std::move(inputs)), entry(std::move(entry)), progress(progress),
        profile(profile) {}

  /// The first token of a sample counts this often in Hessians (at least 1); to
  /// be called before prepare.
  void setFirstTokenWeight(double weight) { firstTokenWeight = weight; }
  /// Share of the samples that are held out, the last ones; to be called before
  /// prepare.
  void setHeldOut(double share) { heldOut = share; }

  /// Runs the model. Errors, emitted at the module: those of the sample file, a
  /// failed assertion of the model, activations that are not finite (with
  /// layer, sample and token), a mask that does not fit a layer's tokens.
  mlir::LogicalResult prepare(mlir::ModuleOp module,
                              mlir::ArrayRef<std::string> layers) override;
  /// Errors: the layer was released.
  mlir::FailureOr<const quant_llm::LayerStatistics *>
  get(llvm::StringRef layer) override;
  void release(llvm::StringRef layer) override;

private:
  struct Entry {
    numerics::Statistics data;
    std::vector<float> heldOut;
    quant_llm::LayerStatistics view;
    /// Layers that have not been released.
    size_t users = 0;
  };
  std::string inputs;
  std::string entry;
  bool progress, profile;
  double firstTokenWeight = 1, heldOut = 0;
  std::vector<std::unique_ptr<Entry>> entries;
  /// Null: released.
  llvm::StringMap<Entry *> byLayer;
  /// Of the module that was prepared.
  std::optional<mlir::Location> location;
};

} // namespace qk::calibration

#endif // QK_CALIBRATION_CALIBRATIONRUN_H
