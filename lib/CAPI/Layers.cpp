//===- Layers.cpp - Quantised layers out of a module ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "State.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

using namespace mlir;
using namespace qk;

static SmallVector<quant_llm::MatmulOp> findLayers(QkModule *module) {
  SmallVector<quant_llm::MatmulOp> layers;
  module->module->walk([&](quant_llm::MatmulOp op) {
    if (op.getCodes().getDefiningOp<quant_llm::ParameterOp>())
      layers.push_back(op);
  });
  return layers;
}

QK_EXPORT size_t qkModuleNumLayers(QkModule *module) {
  return findLayers(module).size();
}

QK_EXPORT int qkModuleGetLayer(QkModule *module, size_t index, QkLayer *layer) {
  auto layers = findLayers(module);
  if (index >= layers.size()) {
    module->context->addError("expected a layer below " + Twine(layers.size()) +
                              ", got " + Twine(index));
    return 1;
  }
  quant_llm::MatmulOp op = layers[index];
  FailureOr<numerics::QuantizedWeight> weight = quant_llm::readQuantizedWeight(
      op, op.getScheme(), op.getCodes(), op.getScales(), op.getZeroPoints(),
      op.getPermutation());
  if (failed(weight))
    return 1;
  module->layerName = op.getLayer().str();
  module->codes = std::move(weight->codes);
  module->scales = std::move(weight->scales);
  module->zeroPoints = std::move(weight->zeroPoints);
  if (module->zeroPoints.empty())
    module->zeroPoints.assign(module->scales.size(),
                              weight->scheme.defaultZeroPoint());
  module->permutation = std::move(weight->permutation);
  *layer = {};
  layer->name = module->layerName.c_str();
  layer->n = weight->n;
  layer->k = weight->k;
  layer->groups = module->scales.size() / weight->n;
  layer->group_size = weight->scheme.groupSize;
  layer->bits = weight->scheme.bits();
  layer->is_signed = weight->scheme.isSigned();
  layer->is_float = weight->scheme.isFloat();
  layer->codes = module->codes.data();
  layer->scales = module->scales.data();
  layer->zero_points = module->zeroPoints.data();
  layer->permutation =
      module->permutation.empty() ? nullptr : module->permutation.data();
  return 0;
}
