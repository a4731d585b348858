//===- LayerGroups.cpp - Linears that read the same values ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerGroups.h"

#include "../Raising/UnlinkedOps.h"
#include "TensorOps.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace qk::quant_llm;

OpOperand *qk::quant_llm::getFloatInput(Operation *layer) {
  OpOperand *input = &layer->getOpOperand(0);
  if (auto quantize = input->get().getDefiningOp<QuantizeOp>())
    input = &quantize.getXMutable();
  return input;
}

/// Where a value comes from, and its channels there.
static std::pair<Value, ChannelMap> findRoot(Value value, ChannelMap map) {
  while (true) {
    std::optional<LayoutSource> source = getLayoutSource(value, map);
    if (source) {
      value = source->operand->get();
      map = source->map;
    } else if (auto scale = value.getDefiningOp<ScaleColumnsOp>()) {
      // An earlier method's, one for each of a group's layers.
      value = scale.getInput();
    } else {
      return {value, map};
    }
  }
}

std::vector<LayerGroup>
qk::quant_llm::collectGroups(std::vector<RecipeLayer> &layers) {
  std::vector<LayerGroup> groups;
  // By group: the values that each of its layers reads.
  std::vector<std::vector<std::pair<Value, ChannelMap>>> roots;
  llvm::DenseMap<Value, SmallVector<size_t>> byRoot;
  for (RecipeLayer &layer : layers) {
    LayerGroup single;
    single.channels =
        cast<RankedTensorType>(layer.weight.getType()).getDimSize(1);
    single.layers.push_back(&layer);
    std::vector<std::pair<Value, ChannelMap>> read;
    for (Operation *use : layer.uses) {
      OpOperand *input = getFloatInput(use);
      if (!llvm::is_contained(single.inputs, input))
        single.inputs.push_back(input);
      auto type = cast<RankedTensorType>(input->get().getType());
      auto root = findRoot(input->get(),
                           channelsOfLastDim(type.getRank(), single.channels));
      if (!llvm::is_contained(read, root))
        read.push_back(root);
    }
    SmallVector<size_t> &known = byRoot[read.front().first];
    auto same = llvm::find_if(known, [&](size_t i) {
      return roots[i] == read && groups[i].channels == single.channels;
    });
    if (same == known.end()) {
      known.push_back(groups.size());
      groups.push_back(std::move(single));
      roots.push_back(std::move(read));
      continue;
    }
    LayerGroup &group = groups[*same];
    group.layers.push_back(&layer);
    for (OpOperand *input : single.inputs)
      if (!llvm::is_contained(group.inputs, input))
        group.inputs.push_back(input);
  }
  return groups;
}

namespace {

/// Follows values backwards from a product of two computed values to the
/// layers that they come from.
class ScoreFinder {
public:
  void follow(OpOperand *operand, ChannelMap map);

  llvm::DenseSet<Operation *> layers;

private:
  void visit(Value value, const ChannelMap &map);

  llvm::DenseMap<Value, ChannelMap> visited;
  std::vector<std::pair<Value, ChannelMap>> worklist;
};

} // namespace

void ScoreFinder::follow(OpOperand *operand, ChannelMap map) {
  worklist.emplace_back(operand->get(), std::move(map));
  while (!worklist.empty()) {
    auto [value, at] = std::move(worklist.back());
    worklist.pop_back();
    visit(value, at);
  }
}

/// Of a tensor of `type`, of which parts are cut or that is a part itself, all
/// that lies along the dimensions of the channels in `map`: which of them are
/// meant doesn't matter, only which layer they come from.
static ChannelMap alongChannels(const ChannelMap &map, RankedTensorType type) {
  ChannelMap all(map.size());
  if (!type || type.getRank() != static_cast<int64_t>(map.size()))
    return map;
  for (auto [dim, digits] : llvm::enumerate(map))
    if (!digits.empty() && !type.isDynamicDim(dim))
      all[dim].push_back({type.getDimSize(dim), 1});
    else
      all[dim] = digits;
  return all;
}

void ScoreFinder::visit(Value value, const ChannelMap &map) {
  if (llvm::all_of(map, [](const DimDigits &d) { return d.empty(); }))
    return;
  if (!visited.try_emplace(value, map).second)
    return;
  Operation *op = value.getDefiningOp();
  if (!op)
    return;
  auto next = [&](OpOperand &operand, const ChannelMap &at) {
    if (getTensorType(operand.get()))
      worklist.emplace_back(operand.get(), at);
  };
  auto nextPart = [&](OpOperand &operand) {
    next(operand, alongChannels(map, getTensorType(operand.get())));
  };
  if (std::optional<LayoutSource> source = getReshapeSource(value, map))
    return next(*source->operand, source->map);
  if (isa<LinearOp, MatmulOp>(op)) {
    if (!map.back().empty())
      layers.insert(op);
    return;
  }
  // Rotary embeddings cut heads in two and join them.
  if (std::optional<TensorSlice> slice = getTensorSlice(value)) {
    ChannelMap whole;
    for (auto [from, dim] = std::pair(map.begin(), 0u);
         dim < slice->dropped.size(); ++dim)
      whole.push_back(slice->dropped.test(dim) || from == map.end()
                          ? DimDigits()
                          : *from++);
    OpOperand &source = *slice->source;
    return next(source, alongChannels(whole, getTensorType(source.get())));
  }
  if (isa<tensor::ConcatOp>(op)) {
    for (OpOperand &operand : op->getOpOperands())
      nextPart(operand);
    return;
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    nextPart(insert.getSourceMutable());
    return nextPart(insert.getDestMutable());
  }
  if (std::optional<ElementAccess> repeated = getTensorLayout(value, map))
    return next(*repeated->tensor, repeated->map);
  if (!isa<linalg::LinalgOp>(op)) {
    bool joins = getTensorOpKind(op) == TensorOpKind::Concatenation;
    for (OpOperand *operand : getTensorOperands(op)) {
      if (joins)
        nextPart(*operand);
      else if (auto access = getRepeatedOperand(*operand, map))
        next(*operand, access->map);
    }
    return;
  }
  auto linalgOp = cast<linalg::LinalgOp>(op);
  if (linalgOp.getNumParallelLoops() != linalgOp.getNumLoops() ||
      op->getNumResults() != 1)
    return;
  std::optional<ChannelMap> loops =
      channelsOfLoops(map, linalgOp.getIndexingMapsArray().back());
  if (!loops)
    return;
  auto through = [&](Value scalar) {
    if (auto access = getAccess(linalgOp, scalar, *loops))
      next(*access->tensor, access->map);
  };
  for (BlockArgument argument : linalgOp.getRegionInputArgs())
    through(argument);
  linalgOp.getBlock()->walk(
      [&](tensor::ExtractOp extract) { through(extract.getResult()); });
}

/// What is summed over, for each side of a product of two computed values.
static std::vector<std::pair<OpOperand *, ChannelMap>>
getComparedSides(Operation *op) {
  // Attention in one op: queries and keys.
  std::vector<std::pair<OpOperand *, ChannelMap>> sides;
  auto add = [&](OpOperand &operand, int64_t dim) {
    RankedTensorType type = getTensorType(operand.get());
    if (!type || dim >= type.getRank() || type.isDynamicDim(dim))
      return;
    ChannelMap channels(type.getRank());
    channels[dim].push_back({type.getDimSize(dim), 1});
    sides.emplace_back(&operand, channels);
  };
  if (!op->isRegistered() &&
      getUnlinkedName(op) == "torch.aten.scaled_dot_product_attention") {
    for (unsigned side : {0u, 1u})
      if (RankedTensorType type = getTensorType(op->getOperand(side)))
        add(op->getOpOperand(side), type.getRank() - 1);
    return sides;
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (!linalg::isaContractionOpInterface(linalgOp))
      return sides;
    FailureOr<linalg::ContractionDimensions> dims =
        linalg::inferContractionDims(linalgOp);
    if (failed(dims) || dims->k.size() != 1)
      return sides;
    for (int64_t side : {0, 1}) {
      OpOperand *operand = linalgOp.getDpsInputOperand(side);
      AffineMap map = linalgOp.getMatchingIndexingMap(operand);
      for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        if (loop && loop.getPosition() == dims->k.front())
          add(*operand, dim);
      }
    }
    return sides;
  }
  for (const ContractedSide &side : getContractedSides(op))
    for (auto [dim, from] : llvm::enumerate(side.resultDims))
      if (from < 0)
        add(*side.operand, dim);
  return sides;
}

llvm::DenseSet<Operation *> qk::quant_llm::findScoreLayers(ModuleOp module) {
  ScoreFinder finder;
  module.walk([&](Operation *op) {
    auto sides = getComparedSides(op);
    if (llvm::any_of(sides, [](const auto &side) {
          return getConstantChannels(*side.first, side.second).has_value();
        }))
      return;
    for (auto &[operand, channels] : sides)
      finder.follow(operand, channels);
  });
  return finder.layers;
}
