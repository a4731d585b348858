//===- PackedWeights.cpp - Weights as a target's bytes --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackedWeights.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk {

FailureOr<Value> PackedWeights::get(OpBuilder &b, MatmulOp op, Size size,
                                    Pack pack) {
  return get(b,
             Weight{op, op.getLayer(), op.getScheme(), op.getCodes(),
                    op.getScales(), op.getZeroPoints(), op.getPermutation()},
             size, pack);
}

FailureOr<Value> PackedWeights::get(OpBuilder &b, PackOp op, Size size,
                                    Pack pack) {
  StringRef layer;
  if (auto codes = op.getCodes().getDefiningOp<ParameterOp>()) {
    layer = codes.getName();
    layer.consume_back(".codes");
  }
  return get(b,
             Weight{op, layer, op.getScheme(), op.getCodes(), op.getScales(),
                    op.getZeroPoints(), Value()},
             size, pack);
}

FailureOr<Value> PackedWeights::get(OpBuilder &b, const Weight &weight,
                                    Size size, Pack pack) {
  // One weight may be read by several matmuls, through one op or several.
  SmallVector<Attribute> key = {weight.scheme};
  for (Value part : {weight.codes, weight.scales, weight.zeroPoints}) {
    auto parameter = part ? part.getDefiningOp<ParameterOp>() : ParameterOp();
    if (!parameter) {
      key.push_back(b.getUnitAttr());
      continue;
    }
    key.push_back(parameter.getScopeAttr());
    key.push_back(parameter.getNameAttr());
    key.push_back(parameter.getValueAttr() ? Attribute(parameter.getValueAttr())
                                           : b.getUnitAttr());
  }
  auto [entry, isNew] = packed.try_emplace(
      b.getArrayAttr(key), std::pair<StringAttr, ElementsAttr>());
  if (isNew) {
    FailureOr<numerics::QuantizedWeight> values = readQuantizedWeight(
        weight.user, weight.scheme, weight.codes, weight.scales,
        weight.zeroPoints, weight.permutation);
    if (failed(values))
      return failure();
    std::string name = (weight.layer + ".packed").str();
    auto blob = HeapAsmResourceBlob::allocate(size(*values),
                                              /*align=*/16);
    std::string error = pack(
        *values, reinterpret_cast<uint8_t *>(blob.getMutableData().data()));
    if (!error.empty())
      return weight.user->emitError("layer '")
             << weight.layer << "': " << error;
    auto type = RankedTensorType::get(
        {static_cast<int64_t>(blob.getData().size())}, b.getI8Type());
    entry->second = {b.getStringAttr(name), DenseResourceElementsAttr::get(
                                                type, name, std::move(blob))};
  }
  auto [name, value] = entry->second;
  return ParameterOp::create(b, weight.user->getLoc(), value.getType(),
                             b.getStringAttr(""), name, value)
      .getResult();
}

void eraseDeadParameters(ModuleOp module) {
  SmallVector<ParameterOp> dead;
  module.walk([&](ParameterOp op) {
    if (op->use_empty())
      dead.push_back(op);
  });
  for (ParameterOp op : dead)
    op.erase();
}

} // namespace qk
