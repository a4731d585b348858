//===- ApplyRtn.cpp - The recipe of round-to-nearest ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerMethod.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_APPLYRTNPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

namespace {
struct ApplyRtn
    : public MethodPass<qk::quant_llm::impl::ApplyRtnPassBase<ApplyRtn>> {
  using MethodPass::MethodPass;

  void runOnOperation() override {
    roundAll(getMethod(LayerMethod::Method::Rtn));
  }
};
} // namespace
