//===- WriteStatistics.cpp - Statistics of all layers to a file -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Passes.h"
#include "qk/Calibration/Sources.h"
#include "qk/Calibration/StatisticsFile.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace qk;

namespace qk::calibration {
#define GEN_PASS_DEF_WRITESTATISTICSPASS
#include "qk/Calibration/Passes.h.inc"
} // namespace qk::calibration

namespace {
struct WriteStatistics
    : public calibration::impl::WriteStatisticsPassBase<WriteStatistics> {
  using WriteStatisticsPassBase::WriteStatisticsPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    markAllAnalysesPreserved();
    if (failed(write(module)))
      signalPassFailure();
  }

private:
  LogicalResult write(ModuleOp module) {
    if (output.empty())
      return emitError(module.getLoc(),
                       "expected output=FILE to write statistics to, "
                       "got none");
    llvm::SetVector<StringRef> layers;
    module.walk([&](Operation *op) {
      if (auto linear = dyn_cast<quant_llm::LinearOp>(op))
        layers.insert(linear.getLayer());
      else if (auto matmul = dyn_cast<quant_llm::MatmulOp>(op))
        layers.insert(matmul.getLayer());
    });
    if (layers.empty())
      return emitError(module.getLoc(),
                       "no linear layer to collect statistics of; run "
                       "quant-llm-raise-linear first");
    if (auto calibration = module->getAttrOfType<DictionaryAttr>(
            quant_llm::QuantLLMDialect::kCalibrationAttr);
        calibration && calibration.contains("sequential"))
      return emitError(module.getLoc(),
                       "can't write statistics of a sequential calibration: "
                       "those of a layer are known when the layers before it "
                       "have been rounded; leave out sequential");
    auto source = calibration::createStatisticsSource(module);
    if (failed(source))
      return failure();
    if (!*source)
      return emitError(module.getLoc(),
                       "no samples to collect statistics on; give "
                       "--calibrate=\"inputs=FILE.safetensors\"");
    std::vector<std::string> names;
    for (StringRef layer : layers)
      names.push_back(layer.str());
    if (failed((*source)->prepare(module, names)))
      return failure();
    if (llvm::Error error =
            calibration::writeStatistics(output, names, **source))
      return emitError(module.getLoc())
             << "can't write statistics: " << llvm::toString(std::move(error));
    return success();
  }
};
} // namespace
