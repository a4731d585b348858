//===- LookThrough.cpp - What a value is, seen through its layout ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LookThrough.h"

#include "Constants.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

using namespace mlir;
using namespace qk::quant_llm;
using Factors = ConstantView::Factors;

Value qk::quant_llm::skipFloatConversions(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool qk::quant_llm::yieldsInput(linalg::LinalgOp op, unsigned index) {
  Block *body = op.getBlock();
  auto yield = dyn_cast<linalg::YieldOp>(body->getTerminator());
  return yield && yield.getNumOperands() == 1 &&
         skipFloatConversions(yield.getOperand(0)) == body->getArgument(index);
}

bool qk::quant_llm::copiesElements(linalg::LinalgOp op) {
  return isa<linalg::GenericOp, linalg::MapOp, linalg::CopyOp,
             linalg::BroadcastOp, linalg::TransposeOp>(op.getOperation()) &&
         op.hasPureTensorSemantics() && op.getNumDpsInputs() == 1 &&
         op.getNumDpsInits() == 1 &&
         op.getNumParallelLoops() == op.getNumLoops() && yieldsInput(op, 0);
}

static bool hasFloatElements(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

Value qk::quant_llm::reshapedFrom(Operation *op) {
  // A slice that takes all there is drops dimensions of size one.
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
      return llvm::all_of(values, [&](int64_t v) { return v == wanted; });
    };
    if (slice.getSourceType().hasStaticShape() &&
        slice.getStaticSizes() == slice.getSourceType().getShape() &&
        all(slice.getStaticOffsets(), 0) && all(slice.getStaticStrides(), 1))
      return slice.getSource();
    return {};
  }
  if (isa<tensor::CastOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
          tensor::ReshapeOp, tosa::ReshapeOp, tosa::IdentityOp>(op) &&
      isa<RankedTensorType>(op->getOperand(0).getType()) &&
      isa<RankedTensorType>(op->getResult(0).getType()))
    return op->getOperand(0);
  return {};
}

Value qk::quant_llm::convertedFrom(Operation *op) {
  Value source;
  if (isa<tosa::CastOp, arith::ExtFOp, arith::TruncFOp>(op)) {
    source = op->getOperand(0);
  } else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (!copiesElements(linalgOp) ||
        !llvm::all_of(linalgOp.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); }))
      return {};
    source = linalgOp.getDpsInputOperand(0)->get();
  }
  return source && isa<RankedTensorType>(source.getType()) &&
                 hasFloatElements(source) && hasFloatElements(op->getResult(0))
             ? source
             : Value();
}

namespace {

/// Follows a value back to a constant. `current` are the factors of the value
/// reached so far, `dims` those of the value that was asked for.
class Follower {
public:
  explicit Follower(RankedTensorType type) {
    for (int64_t size : type.getShape())
      dims.push_back(size == 1 ? Factors() : Factors{add(size)});
    current = dims;
  }

  /// One step back through `op`: the value it looks at; null where it can't be
  /// looked through.
  Value step(Operation *op);

  llvm::SmallVector<Factors, 4> dims, current;
  /// Of the factors.
  llvm::SmallVector<int64_t> sizes;

private:
  unsigned add(int64_t size) {
    sizes.push_back(size);
    return sizes.size() - 1;
  }

  /// Makes `factor` a product of `outer` and its `inner` last steps.
  void split(unsigned factor, int64_t inner);
  /// Makes the current factors those of a source of `shape` with the same
  /// elements in the same order.
  bool reshape(ArrayRef<int64_t> shape);
  bool cast(RankedTensorType source);
  bool permute(ArrayRef<int64_t> sourceOfResult);
  bool throughMaps(AffineMap in, AffineMap out, RankedTensorType source);
  bool tile(RankedTensorType source);
};

} // namespace

void Follower::split(unsigned factor, int64_t inner) {
  int64_t outer = sizes[factor] / inner;
  sizes[factor] = outer;
  unsigned rest = add(inner);
  for (auto *lists : {&dims, &current})
    for (Factors &factors : *lists)
      if (auto *at = llvm::find(factors, factor); at != factors.end())
        factors.insert(at + 1, rest);
}

bool Follower::reshape(ArrayRef<int64_t> shape) {
  auto isDynamic = [&](unsigned factor) {
    return ShapedType::isDynamic(sizes[factor]);
  };
  for (const Factors &factors : current)
    if (llvm::any_of(factors, isDynamic))
      return false;
  if (ShapedType::isDynamicShape(shape))
    return false;
  llvm::SmallVector<Factors, 4> source;
  // Factors not yet given to a dimension of the source, in order.
  auto remaining = [&] {
    Factors all;
    for (const Factors &factors : current)
      all.append(factors);
    return all;
  };
  unsigned next = 0;
  for (int64_t size : shape) {
    Factors taken;
    while (size != 1) {
      Factors all = remaining();
      if (next == all.size())
        return false;
      unsigned factor = all[next];
      if (size % sizes[factor] != 0) {
        if (sizes[factor] % size != 0)
          return false;
        split(factor, sizes[factor] / size);
      }
      taken.push_back(factor);
      size /= sizes[factor];
      ++next;
    }
    source.push_back(taken);
  }
  if (next != remaining().size())
    return false;
  current = source;
  return true;
}

bool Follower::cast(RankedTensorType source) {
  for (auto [dim, size] : llvm::enumerate(source.getShape())) {
    if (ShapedType::isDynamic(size) || current[dim].size() != 1)
      continue;
    unsigned factor = current[dim].front();
    sizes[factor] = size;
    if (size != 1)
      continue;
    for (auto *lists : {&dims, &current})
      for (Factors &factors : *lists)
        llvm::erase(factors, factor);
  }
  return true;
}

/// Dimension i of the result is dimension sourceOfResult[i] of the source.
bool Follower::permute(ArrayRef<int64_t> sourceOfResult) {
  llvm::SmallVector<Factors, 4> source(current.size());
  for (auto [result, dim] : llvm::enumerate(sourceOfResult))
    source[dim] = current[result];
  current = source;
  return true;
}

/// result[out(loops)] = source[in(loops)]
bool Follower::throughMaps(AffineMap in, AffineMap out,
                           RankedTensorType source) {
  if (!out.isPermutation())
    return false;
  llvm::SmallVector<Factors, 4> next;
  llvm::SmallBitVector seen(in.getNumDims());
  for (auto [dim, expr] : llvm::enumerate(in.getResults())) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      if (constant.getValue() != 0 || source.getDimSize(dim) != 1)
        return false;
      next.push_back({});
      continue;
    }
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (!loop || seen.test(loop.getPosition()))
      return false;
    seen.set(loop.getPosition());
    next.push_back(current[*out.getResultPosition(expr)]);
  }
  current = next;
  return cast(source);
}

/// A tile repeats the whole source: of each dimension the inner part counts.
bool Follower::tile(RankedTensorType source) {
  for (auto [dim, size] : llvm::enumerate(source.getShape())) {
    Factors &factors = current[dim];
    if (size == 1) {
      factors.clear();
      continue;
    }
    if (ShapedType::isDynamic(size) || factors.size() != 1 ||
        ShapedType::isDynamic(sizes[factors.front()]) ||
        sizes[factors.front()] % size != 0)
      return false;
    unsigned factor = factors.front();
    if (sizes[factor] == size)
      continue;
    split(factor, size);
    current[dim] = {current[dim].back()};
  }
  return true;
}

Value Follower::step(Operation *op) {
  auto accept = [](bool good, Value source) { return good ? source : Value(); };
  auto typeOf = [](Value value) {
    return dyn_cast<RankedTensorType>(value.getType());
  };
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    RankedTensorType source = typeOf(cast.getSource());
    return accept(source && this->cast(source), cast.getSource());
  }
  if (Value source = reshapedFrom(op))
    return accept(reshape(typeOf(source).getShape()), source);
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return accept(permute({1, 0}), transpose.getWeight());
  if (auto transpose = dyn_cast<tosa::TransposeOp>(op))
    return accept(permute(llvm::to_vector_of<int64_t>(transpose.getPerms())),
                  transpose.getInput1());
  if (auto tile = dyn_cast<tosa::TileOp>(op)) {
    RankedTensorType source = typeOf(tile.getInput1());
    return accept(source && this->tile(source), tile.getInput1());
  }
  if (isa<tosa::CastOp, arith::ExtFOp, arith::TruncFOp>(op))
    return convertedFrom(op);
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !copiesElements(linalgOp))
    return {};
  Value source = linalgOp.getDpsInputOperand(0)->get();
  RankedTensorType type = typeOf(source);
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  return accept(type && throughMaps(maps[0], maps[1], type), source);
}

std::optional<ConstantView>
qk::quant_llm::viewOfRoot(Value value, function_ref<bool(Value)> isRoot,
                          Operation **stop) {
  if (stop)
    *stop = nullptr;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isa<FloatType>(type.getElementType()))
    return std::nullopt;
  Follower follower(type);
  while (!isRoot(value)) {
    Operation *op = value.getDefiningOp();
    Value source = op ? follower.step(op) : Value();
    if (!source || !hasFloatElements(source)) {
      if (stop)
        *stop = op;
      return std::nullopt;
    }
    value = source;
  }
  ConstantView view;
  view.root = value;
  view.dims = follower.dims;
  view.rootDims = follower.current;
  view.sizes = follower.sizes;
  for (const Factors &factors : follower.current)
    view.elements.append(factors);
  return view;
}

std::optional<ConstantView> qk::quant_llm::viewOfConstant(Value value,
                                                          Operation **stop) {
  return viewOfRoot(value, isConstant, stop);
}
