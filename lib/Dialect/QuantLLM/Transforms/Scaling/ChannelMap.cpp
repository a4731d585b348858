//===- ChannelMap.cpp - Where a layer's channels are in a tensor ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChannelMap.h"

#include "../Raising/Constants.h"
#include "../Recipe.h"
#include "TensorOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qk::quant_llm;

ChannelMap qk::quant_llm::channelsOfLastDim(int64_t rank, int64_t channels) {
  ChannelMap map(rank);
  if (channels > 1)
    map.back().push_back({channels, 1});
  return map;
}

bool qk::quant_llm::isOnLastDim(const ChannelMap &map) {
  return !map.empty() &&
         llvm::all_of(ArrayRef(map).drop_back(),
                      [](const DimDigits &digits) { return digits.empty(); });
}

static bool areFree(ArrayRef<ChannelDigit> digits) {
  return llvm::all_of(digits, [](ChannelDigit d) { return d.isFree(); });
}

std::optional<DimDigits> qk::quant_llm::digitsOfSliced(const DimDigits &slice,
                                                       int64_t size,
                                                       int64_t offset,
                                                       int64_t from) {
  DimDigits digits = slice;
  if (offset == 0 && size == from)
    return digits;
  if (digits.empty())
    digits.push_back({size, 0});
  int64_t inner = 1;
  for (ChannelDigit digit : ArrayRef(digits).drop_front())
    inner *= digit.size;
  ChannelDigit &outer = digits.front();
  if (inner * outer.size != size || from % inner != 0 || offset % inner != 0)
    return std::nullopt;
  outer.first += offset / inner;
  if (!outer.isPartial())
    outer.count = outer.size;
  outer.size = from / inner;
  return digits;
}

/// Joins neighbours that make one digit.
static void normalize(DimDigits &digits) {
  DimDigits joined;
  for (ChannelDigit digit : digits) {
    if (digit.size == 1)
      continue;
    if (!joined.empty() && !digit.isPartial() && !joined.back().isPartial()) {
      ChannelDigit &last = joined.back();
      bool free = last.stride == 0 && digit.stride == 0;
      if (free ||
          (digit.stride > 0 && last.stride == digit.stride * digit.size)) {
        last.size *= digit.size;
        last.stride = digit.stride;
        continue;
      }
    }
    joined.push_back(digit);
  }
  if (areFree(joined))
    joined.clear();
  digits = std::move(joined);
}

std::optional<ChannelMap> qk::quant_llm::reshapeChannels(const ChannelMap &map,
                                                         ArrayRef<int64_t> from,
                                                         ArrayRef<int64_t> to) {
  // All digits in row-major order; a dynamic size can't be told from another
  // and must stay a dimension.
  SmallVector<ChannelDigit> digits;
  for (auto [dim, size] : llvm::zip(map, from)) {
    if (!dim.empty())
      llvm::append_range(digits, dim);
    else if (size != 1)
      digits.push_back({size, 0});
  }
  ChannelMap result(to.size());
  for (size_t dim = to.size(); dim-- > 0;) {
    if (areFree(digits))
      return result;
    int64_t rest = to[dim];
    if (ShapedType::isDynamic(rest)) {
      if (digits.empty() || !ShapedType::isDynamic(digits.back().size))
        return std::nullopt;
      digits.pop_back();
      continue;
    }
    while (rest > 1) {
      if (digits.empty() || ShapedType::isDynamic(digits.back().size))
        return std::nullopt;
      ChannelDigit &digit = digits.back();
      if (rest % digit.size == 0) {
        rest /= digit.size;
        result[dim].insert(result[dim].begin(), digit);
        digits.pop_back();
      } else if (digit.size % rest == 0 && digit.first % rest == 0 &&
                 digit.count % rest == 0) {
        result[dim].insert(result[dim].begin(), {rest, digit.stride});
        digit.size /= rest;
        digit.stride *= rest;
        digit.first /= rest;
        digit.count /= rest;
        rest = 1;
      } else {
        return std::nullopt;
      }
    }
    normalize(result[dim]);
  }
  if (!areFree(digits))
    return std::nullopt;
  return result;
}

std::optional<ChannelMap>
qk::quant_llm::channelsOfLoops(const ChannelMap &result, AffineMap map) {
  ChannelMap loops(map.getNumDims());
  for (auto [digits, expr] : llvm::zip(result, map.getResults())) {
    if (digits.empty())
      continue;
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || !loops[loop.getPosition()].empty())
      return std::nullopt;
    loops[loop.getPosition()] = digits;
  }
  return loops;
}

/// Adds the digits of the loops that are not `used` to `shared`.
static void addShared(const ChannelMap &loops, const llvm::SmallBitVector &used,
                      SmallVectorImpl<ChannelDigit> &shared) {
  for (auto [loop, digits] : llvm::enumerate(loops))
    if (!used.test(loop))
      for (ChannelDigit digit : digits)
        if (!digit.isFree())
          shared.push_back(digit);
}

std::optional<ChannelMap>
qk::quant_llm::channelsOfOperand(const ChannelMap &loops, AffineMap map,
                                 SmallVectorImpl<ChannelDigit> &shared) {
  ChannelMap result(map.getNumResults());
  llvm::SmallBitVector used(loops.size());
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    if (auto loop = dyn_cast<AffineDimExpr>(expr)) {
      result[dim] = loops[loop.getPosition()];
      used.set(loop.getPosition());
    } else if (!isa<AffineConstantExpr>(expr)) {
      return std::nullopt;
    }
  }
  addShared(loops, used, shared);
  return result;
}

std::optional<LayoutSource>
qk::quant_llm::getReshapeSource(Value value, const ChannelMap &map) {
  Operation *op = value.getDefiningOp();
  if (!isa_and_present<tensor::CastOp, tensor::ExpandShapeOp,
                       tensor::CollapseShapeOp, tensor::ReshapeOp>(op)) {
    std::optional<ElementAccess> access = getTensorLayout(value, map);
    if (!access || !access->shared.empty())
      return std::nullopt;
    return LayoutSource{access->tensor, access->map};
  }
  OpOperand *operand = &op->getOpOperand(0);
  auto from = cast<RankedTensorType>(value.getType());
  auto to = dyn_cast<RankedTensorType>(operand->get().getType());
  if (!to)
    return std::nullopt;
  // Sizes that only one of a cast's types knows.
  if (isa<tensor::CastOp>(op))
    return LayoutSource{operand, map};
  std::optional<ChannelMap> source;
  auto regroup = [&](ArrayRef<ReassociationIndices> groups, bool expands) {
    source.emplace(to.getRank());
    for (auto [single, group] : llvm::enumerate(groups)) {
      // Of an expansion the group is of the result, else of the source.
      SmallVector<int64_t> groupSizes;
      for (int64_t dim : group)
        groupSizes.push_back((expands ? from : to).getDimSize(dim));
      if (expands) {
        ChannelMap part;
        for (int64_t dim : group)
          part.push_back(map[dim]);
        auto joined = reshapeChannels(part, groupSizes, to.getDimSize(single));
        if (!joined) {
          source.reset();
          return;
        }
        (*source)[single] = joined->front();
      } else {
        auto split = reshapeChannels(ChannelMap{map[single]},
                                     from.getDimSize(single), groupSizes);
        if (!split) {
          source.reset();
          return;
        }
        for (auto [dim, digits] : llvm::zip(group, *split))
          (*source)[dim] = digits;
      }
    }
  };
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    regroup(expand.getReassociationIndices(), /*expands=*/true);
  else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    regroup(collapse.getReassociationIndices(), /*expands=*/false);
  else
    source = reshapeChannels(map, from.getShape(), to.getShape());
  if (!source)
    return std::nullopt;
  return LayoutSource{operand, *source};
}

/// The loop that an index is; nullopt for something else. `isConstant` is set
/// for a constant.
static std::optional<unsigned> loopOfIndex(Value index, bool &isConstant) {
  if (auto loop = index.getDefiningOp<linalg::IndexOp>())
    return loop.getDim();
  if (matchPattern(index, m_Constant())) {
    isConstant = true;
    return std::nullopt;
  }
  // How torch-mlir broadcasts a dimension that may be 1: index 0 there, and
  // the loop's otherwise.
  if (auto select = index.getDefiningOp<arith::SelectOp>()) {
    bool zero = false;
    std::optional<unsigned> otherwise =
        loopOfIndex(select.getFalseValue(), zero);
    if (otherwise && matchPattern(select.getTrueValue(), m_Zero()))
      return otherwise;
  }
  return std::nullopt;
}

std::optional<ElementAccess> qk::quant_llm::getAccess(linalg::LinalgOp op,
                                                      Value scalar,
                                                      const ChannelMap &loops) {
  ElementAccess access;
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    if (argument.getOwner() != op.getBlock() ||
        argument.getArgNumber() >= static_cast<unsigned>(op.getNumDpsInputs()))
      return std::nullopt;
    access.tensor = op.getDpsInputOperand(argument.getArgNumber());
    // A scalar input has no map of dimensions.
    if (!isa<RankedTensorType>(access.tensor->get().getType()))
      return std::nullopt;
    std::optional<ChannelMap> map = channelsOfOperand(
        loops, op.getMatchingIndexingMap(access.tensor), access.shared);
    if (!map)
      return std::nullopt;
    access.map = *map;
    return access;
  }
  auto extract = scalar.getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract->getParentOp() != op.getOperation())
    return std::nullopt;
  access.tensor = &extract->getOpOperand(0);
  llvm::SmallBitVector used(loops.size());
  for (Value index : extract.getIndices()) {
    bool isConstant = false;
    std::optional<unsigned> loop = loopOfIndex(index, isConstant);
    if (!loop && !isConstant)
      return std::nullopt;
    access.map.push_back(loop ? loops[*loop] : DimDigits());
    if (loop)
      used.set(*loop);
  }
  addShared(loops, used, access.shared);
  return access;
}

/// The scalar that an elementwise body yields, seen through conversions
/// between float types.
static Value yieldedScalar(linalg::LinalgOp op) {
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  if (!yield || yield.getNumOperands() != 1)
    return {};
  Value scalar = yield.getOperand(0);
  while (
      isa_and_present<arith::ExtFOp, arith::TruncFOp>(scalar.getDefiningOp()))
    scalar = scalar.getDefiningOp()->getOperand(0);
  return scalar;
}

std::optional<LayoutSource>
qk::quant_llm::getLayoutSource(Value value, const ChannelMap &map) {
  if (auto source = getReshapeSource(value, map))
    return source;
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumParallelLoops() != op.getNumLoops() ||
      op.getNumDpsInits() != 1)
    return std::nullopt;
  Value scalar = yieldedScalar(op);
  if (!scalar)
    return std::nullopt;
  std::optional<ChannelMap> loops =
      channelsOfLoops(map, op.getIndexingMapsArray().back());
  if (!loops)
    return std::nullopt;
  std::optional<ElementAccess> access = getAccess(op, scalar, *loops);
  if (!access || !access->shared.empty())
    return std::nullopt;
  return LayoutSource{access->tensor, access->map};
}

std::optional<ConstantChannels>
qk::quant_llm::getConstantChannels(OpOperand &use, const ChannelMap &map) {
  ConstantChannels constant{use.get(), map, {&use}};
  while (!isConstant(constant.root) && !isRecipeValue(constant.root)) {
    std::optional<LayoutSource> source =
        getLayoutSource(constant.root, constant.map);
    if (!source)
      return std::nullopt;
    constant.root = source->operand->get();
    constant.map = source->map;
    constant.path.push_back(source->operand);
  }
  return constant;
}
