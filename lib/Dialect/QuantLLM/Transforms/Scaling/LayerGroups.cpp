//===- LayerGroups.cpp - Linears that read one value ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerGroups.h"

#include "../Raising/LookThrough.h"

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
  std::vector<ChannelMap> maps;
  llvm::DenseMap<Value, SmallVector<size_t>> byRoot;
  for (RecipeLayer &layer : layers) {
    LayerGroup single;
    single.channels =
        cast<RankedTensorType>(layer.weight.getType()).getDimSize(1);
    single.layers.push_back(&layer);
    Value root;
    ChannelMap map;
    bool sameRoot = true;
    for (Operation *use : layer.uses) {
      OpOperand *input = getFloatInput(use);
      if (!llvm::is_contained(single.inputs, input))
        single.inputs.push_back(input);
      auto type = cast<RankedTensorType>(input->get().getType());
      auto [from, at] = findRoot(
          input->get(), channelsOfLastDim(type.getRank(), single.channels));
      sameRoot &= !root || (root == from && map == at);
      root = from;
      map = at;
    }
    if (sameRoot) {
      SmallVector<size_t> &known = byRoot[root];
      auto same = llvm::find_if(known, [&](size_t i) {
        return maps[i] == map && groups[i].channels == single.channels;
      });
      if (same != known.end()) {
        LayerGroup &group = groups[*same];
        group.layers.push_back(&layer);
        for (OpOperand *input : single.inputs)
          if (!llvm::is_contained(group.inputs, input))
            group.inputs.push_back(input);
        continue;
      }
      known.push_back(groups.size());
    }
    groups.push_back(std::move(single));
    maps.push_back(map);
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
  SmallVector<std::pair<Value, ChannelMap>> worklist;
};

} // namespace

void ScoreFinder::follow(OpOperand *operand, ChannelMap map) {
  worklist.emplace_back(operand->get(), std::move(map));
  while (!worklist.empty()) {
    auto [value, at] = worklist.pop_back_val();
    visit(value, at);
  }
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
    if (isa<RankedTensorType>(operand.get().getType()))
      worklist.emplace_back(operand.get(), at);
  };
  if (std::optional<LayoutSource> source = getReshapeSource(value, map))
    return next(*source->operand, source->map);
  if (isa<LinearOp, MatmulOp>(op)) {
    if (!map.back().empty())
      layers.insert(op);
    return;
  }
  // Rotary embeddings cut heads in two and join them.
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (slice.getSourceType().getRank() == slice.getType().getRank())
      next(slice.getSourceMutable(), map);
    return;
  }
  if (isa<tensor::ConcatOp>(op)) {
    for (OpOperand &operand : op->getOpOperands())
      next(operand, map);
    return;
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    next(insert.getSourceMutable(), map);
    return next(insert.getDestMutable(), map);
  }
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumParallelLoops() != linalgOp.getNumLoops() ||
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

llvm::DenseSet<Operation *> qk::quant_llm::findScoreLayers(ModuleOp module) {
  ScoreFinder finder;
  module.walk([&](linalg::LinalgOp op) {
    if (!linalg::isaContractionOpInterface(op))
      return;
    FailureOr<linalg::ContractionDimensions> dims =
        linalg::inferContractionDims(op);
    if (failed(dims) || dims->k.size() != 1)
      return;
    OpOperand *sides[] = {op.getDpsInputOperand(0), op.getDpsInputOperand(1)};
    if (viewOfConstant(sides[0]->get()) || viewOfConstant(sides[1]->get()))
      return;
    for (OpOperand *side : sides) {
      auto type = cast<RankedTensorType>(side->get().getType());
      AffineMap map = op.getMatchingIndexingMap(side);
      ChannelMap channels(type.getRank());
      for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        if (loop && loop.getPosition() == dims->k.front() &&
            !type.isDynamicDim(dim))
          channels[dim].push_back({type.getDimSize(dim), 1});
      }
      finder.follow(side, channels);
    }
  });
  return finder.layers;
}
