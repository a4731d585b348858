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
struct ApplyGptq : public qk::quant_llm::impl::ApplyGptqPassBase<ApplyGptq> {
  using ApplyGptqPassBase::ApplyGptqPassBase;

  void runOnOperation() override {
    LayerMethod method;
    method.method = LayerMethod::Method::Gptq;
    method.bits = bits;
    method.groupSize = groupSize;
    method.symmetric = symmetric;
    method.scaleType = scaleType;
    method.scaleSearch = scaleSearch;
    method.order = order;
    method.staticGroups = staticGroups;
    method.damping = damping;
    method.blockSize = blockSize;
    method.sweeps = sweeps;
    if (failed(
            applyMethod(getOperation(), method, inherit, overrides,
                        {fallback, strict, outputWeights, report, recipeOnly})))
      signalPassFailure();
  }
};
} // namespace
