//===- Sources.cpp - Where a module's statistics come from ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Sources.h"

#include "SequentialRun.h"

#include "qk/Calibration/CalibrationRun.h"
#include "qk/Calibration/StatisticsFile.h"
#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/Support/Process.h"

using namespace mlir;
using namespace qk;
using namespace qk::calibration;

/// Whether a recipe needs the float model's inputs beside those of the model
/// with quantised layers.
static bool asksForCrossMoments(ModuleOp module) {
  return module
      .walk([](quant_llm::StatisticOp op) {
        return op.getKind() == quant_llm::StatisticKind::Cross ||
                       op.getKind() == quant_llm::StatisticKind::Residual
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether recipes do without them where they can't be had.
static bool canDoWithoutCrossMoments(ModuleOp module) {
  return !module
              .walk([](quant_llm::RetargetOp op) {
                return op.getOptional() ? WalkResult::advance()
                                        : WalkResult::interrupt();
              })
              .wasInterrupted();
}

namespace {

/// Block by block where that can be done, else in one run. Nobody asked for
/// blocks: they are what an effort prefers.
class BlocksIfPossible : public quant_llm::StatisticsSource {
public:
  BlocksIfPossible(std::unique_ptr<StatisticsSource> blocks,
                   std::unique_ptr<StatisticsSource> whole)
      : chosen(std::move(blocks)), whole(std::move(whole)) {}

  LogicalResult prepare(ModuleOp module,
                        ArrayRef<std::string> layers) override {
    std::string reason;
    {
      ScopedDiagnosticHandler handler(
          module.getContext(), [&](Diagnostic &diagnostic) {
            if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
              return failure();
            if (reason.empty())
              reason = diagnostic.str();
            return success();
          });
      if (succeeded(chosen->prepare(module, layers)))
        return success();
    }
    chosen = std::move(whole);
    // What is wrong with samples or the model is so either way.
    if (failed(chosen->prepare(module, layers)))
      return failure();
    // What the user would do about the error, which nobody asked for here.
    StringRef why = reason;
    why.consume_front("can't calibrate block by block: ");
    why.consume_back("; leave out sequential");
    emitRemark(module.getLoc()) << "calibrated in one run, not block by block, "
                                   "and weights are not retargeted: "
                                << why;
    return success();
  }
  FailureOr<const quant_llm::LayerStatistics *> get(StringRef layer) override {
    return chosen->get(layer);
  }
  bool saidCrossIsMissing() const override { return !whole; }
  void release(StringRef layer) override { chosen->release(layer); }
  ArrayRef<std::string> order() const override { return chosen->order(); }
  bool wantsRounded(StringRef layer) const override {
    return chosen->wantsRounded(layer);
  }
  LogicalResult setRounded(StringRef layer, ArrayRef<float> weight) override {
    return chosen->setRounded(layer, weight);
  }

private:
  std::unique_ptr<StatisticsSource> chosen, whole;
};

} // namespace

/// How often the first token of a sample counts: as calibrate says, else as the
/// method does.
static double getFirstTokenWeight(ModuleOp module, DictionaryAttr calibration) {
  double weight = 1;
  if (auto given = calibration.getAs<StringAttr>("first_token_weight")) {
    given.getValue().getAsDouble(weight);
    return weight;
  }
  if (auto settings = module->getAttrOfType<DictionaryAttr>(
          quant_llm::QuantLLMDialect::kEvaluateAttr))
    if (auto own = settings.getAs<FloatAttr>("first_token_weight"))
      weight = own.getValueAsDouble();
  return weight;
}

FailureOr<std::unique_ptr<quant_llm::StatisticsSource>>
qk::calibration::createStatisticsSource(ModuleOp module) {
  auto calibration = module->getAttrOfType<DictionaryAttr>(
      quant_llm::QuantLLMDialect::kCalibrationAttr);
  if (!calibration)
    return std::unique_ptr<quant_llm::StatisticsSource>();
  if (auto stats = calibration.getAs<StringAttr>("stats")) {
    auto file =
        StatisticsFile::open(quant_llm::resolveModulePath(module, stats));
    if (!file)
      return emitError(module.getLoc())
             << "can't read statistics: " << llvm::toString(file.takeError());
    return std::unique_ptr<quant_llm::StatisticsSource>(std::move(*file));
  }
  auto inputs = calibration.getAs<StringAttr>("inputs");
  if (!inputs)
    return emitError(module.getLoc())
           << "expected 'inputs' or 'stats' in attribute "
           << quant_llm::QuantLLMDialect::kCalibrationAttr << ", got "
           << calibration;
  auto entry = calibration.getAs<StringAttr>("entry");
  bool terminal = llvm::sys::Process::StandardErrIsDisplayed();
  bool sequential =
      calibration.contains("sequential") || asksForCrossMoments(module);
  if (sequential) {
    // A weighted Hessian beside an unweighted cross moment would move targets
    // to where nothing is.
    if (calibration.contains("first_token_weight"))
      return emitError(module.getLoc())
             << "expected no first-token-weight with calibration block by "
                "block, which 'sequential' or a method's retarget ask for; "
                "leave it out, or give effort=fast or retarget=0";
  }
  std::string path = quant_llm::resolveModulePath(module, inputs);
  std::string function = entry ? entry.str() : "";
  bool profile = terminal || calibration.contains("profile");
  auto whole =
      std::make_unique<CalibrationRun>(path, function, terminal, profile);
  double heldOut = 0;
  if (auto share = calibration.getAs<StringAttr>("held_out"))
    share.getValue().getAsDouble(heldOut);
  whole->setHeldOut(heldOut);
  whole->setFirstTokenWeight(getFirstTokenWeight(module, calibration));
  if (!sequential)
    return std::unique_ptr<quant_llm::StatisticsSource>(std::move(whole));
  auto blocks = std::make_unique<SequentialRun>(
      SequentialRun::Options{path, function, terminal, profile,
                             calibration.contains("profile"), heldOut});
  if (calibration.contains("sequential") || !canDoWithoutCrossMoments(module))
    return std::unique_ptr<quant_llm::StatisticsSource>(std::move(blocks));
  return std::unique_ptr<quant_llm::StatisticsSource>(
      std::make_unique<BlocksIfPossible>(std::move(blocks), std::move(whole)));
}
