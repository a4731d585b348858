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
        return op.getKind() == quant_llm::StatisticKind::Cross
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
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
  if (calibration.contains("sequential") || asksForCrossMoments(module))
    return std::unique_ptr<quant_llm::StatisticsSource>(
        std::make_unique<SequentialRun>(SequentialRun::Options{
            quant_llm::resolveModulePath(module, inputs),
            entry ? entry.str() : "", terminal,
            terminal || calibration.contains("profile")}));
  return std::unique_ptr<quant_llm::StatisticsSource>(
      std::make_unique<CalibrationRun>(
          quant_llm::resolveModulePath(module, inputs),
          entry ? entry.str() : "", terminal,
          terminal || calibration.contains("profile")));
}
