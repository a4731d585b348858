//===- SequentialRun.h - Statistics of the quantised prefix -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_SEQUENTIALRUN_H
#define QK_LIB_CALIBRATION_SEQUENTIALRUN_H

#include "MappedBuffers.h"
#include "SegmentPlan.h"
#include "SegmentProgram.h"
#include "Stopwatch.h"

#include "qk/Calibration/CalibrationRun.h"
#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"
#include "qk/Execution/SampleFile.h"
#include "qk/Numerics/Statistics.h"

#include <map>
#include <optional>
#include <vector>

namespace qk::calibration {

/// Statistics of what layers are fed in the model whose earlier layers are
/// quantised. The model is run in segments (SegmentPlan.h); a layer's rounded
/// weight is used from the next segment on. A layer that is fed in several
/// places is rounded first of all, for what the float model feeds it there, and
/// the parts run with its rounded weight. Holds the statistics of one step
/// and, in mapped buffers, what is alive at one cut. Activations stay float:
/// that a layer's input will be quantised too is not in its statistics.
class SequentialRun : public quant_llm::StatisticsSource {
public:
  struct Options {
    /// A sample file (qk/Execution/SampleFile.h).
    std::string inputs;
    /// The function to run; empty: the only public one.
    std::string entry;
    /// Shows samples on standard error as they run.
    bool progress = false;
    /// Prints, at the end, what took how long.
    bool profile = false;
    /// Prints the steps first.
    bool showSteps = false;
    /// Share of the samples that are held out, the last ones.
    double heldOut = 0;
  };
  explicit SequentialRun(Options options) : options(std::move(options)) {}
  ~SequentialRun() override;

  /// Plans and compiles nothing yet. Errors: those of SegmentPlan and of the
  /// sample file.
  mlir::LogicalResult prepare(mlir::ModuleOp module,
                              mlir::ArrayRef<std::string> layers) override;
  /// Runs the model up to the layer's step. Errors: a failed assertion of the
  /// model, activations that are not finite (with layer, sample and token), a
  /// mask that does not fit, a layer before that was not rounded.
  mlir::FailureOr<const quant_llm::LayerStatistics *>
  get(llvm::StringRef layer) override;
  void release(llvm::StringRef layer) override;
  llvm::ArrayRef<std::string> order() const override { return inOrder; }
  bool wantsRounded(llvm::StringRef layer) const override {
    return rounded.contains(layer);
  }
  mlir::LogicalResult setRounded(llvm::StringRef layer,
                                 llvm::ArrayRef<float> weight) override;

private:
  /// The values of one sample at the cut, in the model with quantised layers
  /// and in the float one (only where a cross moment is asked for).
  struct SampleState {
    llvm::DenseMap<mlir::Value, Tensor> quantized, exact;
    /// Equal for samples whose arguments have equal shapes.
    size_t shapes = 0;
  };
  struct Entry {
    numerics::Statistics data;
    std::vector<float> cross, residual, heldOut;
    quant_llm::LayerStatistics view;
    size_t users = 0;

    /// All but the count of users. Moved from: vectors that are assigned an
    /// empty one keep their memory.
    void clear() {
      Entry empty;
      empty.users = users;
      *this = std::move(empty);
    }
  };
  class Collector;

  mlir::LogicalResult readUses(mlir::ModuleOp original);
  mlir::LogicalResult chooseEntry();
  mlir::LogicalResult openSamples();
  mlir::LogicalResult fixShapes();
  mlir::LogicalResult runFloatModel(mlir::ModuleOp original);
  /// Runs the model up to the cut of step `wanted`.
  mlir::LogicalResult reach(size_t wanted);
  /// Runs `body` and adds what it took to `spent`.
  mlir::LogicalResult measured(llvm::function_ref<mlir::LogicalResult()> body);
  mlir::LogicalResult advance();
  size_t stepToRound() const;
  mlir::LogicalResult collect();
  mlir::LogicalResult collectKept(size_t group);
  mlir::LogicalResult collectComputed(std::vector<Collector> &collectors);
  mlir::LogicalResult keep(size_t sample, const Segment &segment,
                           llvm::ArrayRef<Tensor> results, bool exact);
  /// The arguments of a segment that are the same for all samples.
  llvm::Expected<std::vector<Tensor>> bind(const Segment &segment, bool exact);
  llvm::Expected<std::vector<Tensor>> run(const Segment &segment,
                                          const std::vector<Tensor> &fixed,
                                          size_t sample, bool exact);
  llvm::Expected<Tensor> readParameter(quant_llm::ParameterOp op);
  llvm::Expected<Tensor> readWeight(const SegmentArgument &argument,
                                    bool exact);
  const Tensor &valueOf(mlir::Value value, size_t sample, bool exact) const;
  mlir::LogicalResult fail(llvm::Error error);
  void showProgress(llvm::StringRef what, size_t sample) const;
  void printProfile() const;

  Options options;
  std::unique_ptr<ModelCopy> copy;
  mlir::func::FuncOp function;
  std::optional<execution::SampleFile> samples;
  std::optional<SegmentPlan> plan;
  std::optional<SegmentCompiler> compiler;
  std::unique_ptr<MappedBuffers> buffers;

  /// The layers that recipes round, and of which they ask for a cross moment
  /// and for a residual moment.
  llvm::StringSet<> rounded, crossed, residuals;
  StatisticUses uses;
  std::vector<std::string> inOrder;

  std::vector<SampleState> states;
  size_t firstHeldOut = 0;
  /// The largest size that the function leaves open and a sample has.
  int64_t largestSize = 1;
  /// What depends on the arguments' shapes alone is kept once.
  std::map<std::pair<const void *, size_t>, Tensor> byShape;
  /// The step whose statistics were taken last.
  std::optional<size_t> step;
  /// Whether they were taken: of a resumed run not where all were rounded.
  bool collected = false;
  /// Of the layers of this step: weights as the model stores them, in f32.
  llvm::StringMap<Tensor> weights;
  /// The layers that were rounded.
  llvm::StringSet<> finished;
  /// Rounded weights of this step's layers, in use from the next one on.
  llvm::StringMap<Tensor> rounding;
  llvm::DenseMap<mlir::Operation *, Tensor> parameters;

  std::vector<std::unique_ptr<Entry>> entries;
  llvm::StringMap<Entry *> byLayer;
  /// Of the layers that the plan has first.
  std::optional<CalibrationRun> floatRun;
  llvm::StringMap<quant_llm::LayerStatistics> floatViews;

  /// Seconds; `own` is all that was spent in get().
  struct {
    double exact = 0, quantized = 0, contractions = 0, statistics = 0,
           cross = 0, own = 0;
    int64_t tokens = 0;
  } spent;
  /// Since the first statistics were asked for.
  Stopwatch watch;
};

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_SEQUENTIALRUN_H
