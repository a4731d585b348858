//===- Evaluate.cpp - Computes recipes, with the statistics they need -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"

#include "Profile.h"

#include "qk/Calibration/Passes.h"
#include "qk/Calibration/Sources.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/Support/Process.h"

using namespace mlir;
using namespace qk;

namespace qk::calibration {
#define GEN_PASS_DEF_EVALUATEPASS
#include "qk/Calibration/Passes.h.inc"
} // namespace qk::calibration

namespace {
struct Evaluate : public calibration::impl::EvaluatePassBase<Evaluate> {
  using EvaluatePassBase::EvaluatePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!quant_llm::hasRecipe(module))
      return;
    quant_llm::EvaluateOptions options =
        quant_llm::EvaluateOptions::fromModule(module);
    if (!outputWeights.empty())
      options.outputWeights = outputWeights;
    if (!report.empty())
      options.report = report;
    options.resume |= resume;
    options.progress = llvm::sys::Process::StandardErrIsDisplayed();
    auto calibration = module->getAttrOfType<DictionaryAttr>(
        quant_llm::QuantLLMDialect::kCalibrationAttr);
    bool profile =
        options.progress || (calibration && calibration.contains("profile"));
    calibration::WorkProfile work;
    FailureOr<std::unique_ptr<quant_llm::StatisticsSource>> source =
        calibration::createStatisticsSource(module);
    if (failed(source) ||
        failed(quant_llm::evaluateRecipes(module, source->get(), options)))
      return signalPassFailure();
    // It may have a profile of its own, which comes first.
    source->reset();
    if (profile)
      work.print();
  }
};
} // namespace
