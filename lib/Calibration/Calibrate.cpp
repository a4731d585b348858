//===- Calibrate.cpp - Records what to calibrate on -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Calibration/Passes.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

using namespace mlir;
using namespace qk;

namespace qk::calibration {
#define GEN_PASS_DEF_CALIBRATEPASS
#include "qk/Calibration/Passes.h.inc"
} // namespace qk::calibration

namespace {
struct Calibrate : public calibration::impl::CalibratePassBase<Calibrate> {
  using CalibratePassBase::CalibratePassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (inputs.empty() == stats.empty()) {
      emitError(module.getLoc())
          << "expected one of inputs=FILE and stats=FILE to "
             "calibrate with, got "
          << (inputs.empty() ? "none" : "both");
      return signalPassFailure();
    }
    if (sequential && inputs.empty()) {
      emitError(module.getLoc())
          << "expected inputs=FILE with sequential, got stats=FILE: statistics "
             "of the model with quantised layers come from running it";
      return signalPassFailure();
    }
    if (firstTokenWeight != 0 && !(firstTokenWeight >= 1)) {
      emitError(module.getLoc())
          << "expected first-token-weight to be at least 1, got "
          << firstTokenWeight;
      return signalPassFailure();
    }
    if (firstTokenWeight != 0 && inputs.empty()) {
      emitError(module.getLoc())
          << "expected inputs=FILE with first-token-weight, got stats=FILE: "
             "statistics in a file are weighted when they are made";
      return signalPassFailure();
    }
    if (!(heldOut >= 0 && heldOut < 1)) {
      emitError(module.getLoc())
          << "expected held-out to be a share of at least 0 and less than 1, "
             "got "
          << heldOut;
      return signalPassFailure();
    }
    if (heldOut != 0 && inputs.empty()) {
      emitError(module.getLoc())
          << "expected inputs=FILE with held-out, got stats=FILE: a file of "
             "statistics has no samples to leave out";
      return signalPassFailure();
    }
    StringRef path = inputs.empty() ? stats : inputs;
    if (auto file = storage::SafetensorsFile::open(path); !file) {
      emitError(module.getLoc())
          << "can't calibrate: " << llvm::toString(file.takeError())
          << (inputs.empty()
                  ? "; quant-llm-write-statistics writes a file of statistics"
                  : "; python -m qk.tokens makes a file of samples from text");
      return signalPassFailure();
    }
    Builder builder(module.getContext());
    NamedAttrList entries;
    entries.set(inputs.empty() ? "stats" : "inputs",
                builder.getStringAttr(quant_llm::getModulePath(module, path)));
    if (!entry.empty())
      entries.set("entry", builder.getStringAttr(entry));
    if (sequential)
      entries.set("sequential", builder.getStringAttr("true"));
    if (firstTokenWeight != 0)
      entries.set("first_token_weight", builder.getStringAttr(std::to_string(
                                            firstTokenWeight.getValue())));
    if (heldOut != 0)
      entries.set("held_out",
                  builder.getStringAttr(std::to_string(heldOut.getValue())));
    if (profile)
      entries.set("profile", builder.getStringAttr("true"));
    module->setAttr(quant_llm::QuantLLMDialect::kCalibrationAttr,
                    entries.getDictionary(module.getContext()));
  }
};
} // namespace
