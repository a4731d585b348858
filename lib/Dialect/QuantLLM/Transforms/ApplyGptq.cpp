//===- ApplyGptq.cpp - The recipe of GPTQ ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYGPTQPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplyGptq
    : public MethodPass<qk::quant_llm::impl::ApplyGptqPassBase<ApplyGptq>> {
  using MethodPass::MethodPass;

  void runOnOperation() override {
    LayerMethod method = getMethod(LayerMethod::Method::Gptq);
    method.order = order;
    method.staticGroups = staticGroups;
    method.damping = damping;
    method.blockSize = blockSize;
    method.sweeps = sweeps;
    method.rescales = rescales;
    method.retarget = retarget;
    method.retargetOptional = retargetOptional;
    if (!(firstTokenWeight >= 1)) {
      emitError(getOperation().getLoc())
          << "expected first-token-weight to be at least 1, got "
          << firstTokenWeight;
      return signalPassFailure();
    }
    roundAll(method);
    if (firstTokenWeight > 1)
      recordFirstTokenWeight(getOperation(), firstTokenWeight);
  }
};
} // namespace
