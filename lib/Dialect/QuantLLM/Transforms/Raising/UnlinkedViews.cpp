//===- UnlinkedViews.cpp - What a value is, in unlinked dialects ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedViews.h"

#include "Constants.h"
#include "Functions.h"
#include "UnlinkedOps.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace qk::quant_llm;

using Dims = SmallVector<int64_t>;
using ViewDims = SmallVector<ShownDims>;

//===----------------------------------------------------------------------===//
// Dimensions through one op
//===----------------------------------------------------------------------===//

std::optional<Dims> qk::quant_llm::getTransposePermutation(Operation *op) {
  RankedTensorType type = getTensorType(op->getOperand(0));
  if (!type)
    return std::nullopt;
  int64_t rank = type.getRank();
  StringRef name = getUnlinkedName(op);
  std::optional<Dims> permutation;
  if (name == "stablehlo.transpose") {
    permutation = getIntegers(getUnlinkedAttr(op, "permutation"));
  } else if (name == "torch.aten.permute" && op->getNumOperands() == 2) {
    permutation = getIntegers(op->getOperand(1));
  } else if (name == "torch.aten.transpose.int" && op->getNumOperands() == 3) {
    std::optional<Dims> a = getIntegers(op->getOperand(1)),
                        b = getIntegers(op->getOperand(2));
    if (!a || !b || a->size() != 1 || b->size() != 1)
      return std::nullopt;
    int64_t first = a->front() < 0 ? a->front() + rank : a->front();
    int64_t second = b->front() < 0 ? b->front() + rank : b->front();
    if (first < 0 || first >= rank || second < 0 || second >= rank)
      return std::nullopt;
    permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    std::swap((*permutation)[first], (*permutation)[second]);
  } else if (Attribute perm = getUnlinkedAttr(op, "perm")) {
    permutation = getIntegers(perm);
  } else {
    // torch's t and T, and ONNX's default.
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  }
  if (!permutation || static_cast<int64_t>(permutation->size()) != rank)
    return std::nullopt;
  SmallVector<bool> seen(rank);
  for (int64_t &dim : *permutation) {
    dim = dim < 0 ? dim + rank : dim;
    if (dim < 0 || dim >= rank || seen[dim])
      return std::nullopt;
    seen[dim] = true;
  }
  return permutation;
}

/// For each dimension of the operand of a broadcast, that of the result.
static std::optional<Dims> getBroadcastDims(Operation *op, int64_t fromRank,
                                            int64_t toRank) {
  if (Attribute given = getUnlinkedAttr(op, "broadcast_dimensions"))
    return getIntegers(given);
  // StableHLO's plain broadcast, torch and ONNX add dimensions in front.
  if (toRank < fromRank)
    return std::nullopt;
  return llvm::to_vector(llvm::seq<int64_t>(toRank - fromRank, toRank));
}

static std::optional<ViewDims> throughBroadcast(Operation *op,
                                                const ViewDims &dims,
                                                RankedTensorType from,
                                                RankedTensorType to) {
  std::optional<Dims> map = getBroadcastDims(op, from.getRank(), to.getRank());
  if (!map || static_cast<int64_t>(map->size()) != from.getRank())
    return std::nullopt;
  ViewDims result(to.getRank());
  for (auto [source, target] : llvm::enumerate(*map)) {
    if (target < 0 || target >= to.getRank())
      return std::nullopt;
    if (from.getDimSize(source) == to.getDimSize(target) &&
        !from.isDynamicDim(source))
      result[target] = dims[source];
    else if (from.getDimSize(source) != 1 && !dims[source].empty())
      return std::nullopt;
  }
  return result;
}

/// Gives `target`, sizes whose product is that of the dimensions `shown` of
/// `root`, these in their order; false where one of them would be cut.
static bool distribute(const ShownDims &shown, ArrayRef<int64_t> root,
                       ArrayRef<int64_t> target,
                       MutableArrayRef<ShownDims> to) {
  size_t next = 0;
  for (auto [size, dims] : llvm::zip_equal(target, to)) {
    for (int64_t have = 1; have != size; have *= root[dims.back()]) {
      if (next == shown.size() || size % have != 0)
        return false;
      dims.push_back(shown[next++]);
      if (root[dims.back()] < 1)
        return false;
    }
  }
  return next == shown.size();
}

/// Row-major reshapes that add and remove dimensions of one element, merge
/// others, and take apart what was merged.
static std::optional<ViewDims> throughReshape(const ViewDims &dims,
                                              ArrayRef<int64_t> root,
                                              RankedTensorType from,
                                              RankedTensorType to) {
  ArrayRef<int64_t> source = from.getShape(), target = to.getShape();
  ViewDims result(target.size());
  // What ends alike stays as it is; that leaves dynamic sizes in front.
  size_t i = source.size(), j = target.size();
  while (i && j && source[i - 1] == target[j - 1] &&
         !ShapedType::isDynamic(source[i - 1])) {
    result[--j] = dims[--i];
  }
  // The rest in groups of the same number of elements.
  for (size_t a = 0, b = 0; a < i || b < j;) {
    int64_t have = 1, want = 1;
    size_t aEnd = a, bEnd = b;
    bool isDynamic = false;
    auto take = [&](ArrayRef<int64_t> shape, size_t &end, int64_t &product) {
      isDynamic |= ShapedType::isDynamic(shape[end]);
      product *= shape[end++];
    };
    if (aEnd < i)
      take(source, aEnd, have);
    if (bEnd < j)
      take(target, bEnd, want);
    while (!isDynamic && have != want) {
      if (have < want ? aEnd == i : bEnd == j)
        return std::nullopt;
      have < want ? take(source, aEnd, have) : take(target, bEnd, want);
    }
    if (isDynamic) {
      aEnd = i;
      bEnd = j;
    }
    // Trailing ones belong to the group.
    while (aEnd < i && source[aEnd] == 1)
      ++aEnd;
    while (bEnd < j && target[bEnd] == 1)
      ++bEnd;
    ShownDims shown;
    int64_t elements = 1;
    for (size_t d = a; d < aEnd; ++d) {
      if (dims[d].empty() || source[d] == 1)
        continue;
      if (isDynamic)
        return std::nullopt;
      llvm::append_range(shown, dims[d]);
      elements *= source[d];
    }
    // Together with dimensions that repeat, they are no product of the root's.
    if (!shown.empty() &&
        (elements != have ||
         !distribute(shown, root, target.slice(b, bEnd - b),
                     MutableArrayRef(result).slice(b, bEnd - b))))
      return std::nullopt;
    a = aEnd;
    b = bEnd;
  }
  return result;
}

/// The view of `op`'s result in terms of the dimensions of its first operand,
/// which show `dims` of `root`.
static std::optional<ViewDims> throughOp(Operation *op, UnlinkedKind kind,
                                         const ViewDims &dims,
                                         ArrayRef<int64_t> root) {
  RankedTensorType from = getTensorType(op->getOperand(0));
  RankedTensorType to = getTensorType(op->getResult(0));
  if (!from || !to || from.getRank() != static_cast<int64_t>(dims.size()))
    return std::nullopt;
  switch (kind) {
  case UnlinkedKind::Identity:
    if (from.getRank() != to.getRank() ||
        from.getElementType() != to.getElementType())
      return std::nullopt;
    return dims;
  case UnlinkedKind::Convert:
    if (!isa<FloatType>(from.getElementType()) ||
        !isa<FloatType>(to.getElementType()))
      return std::nullopt;
    return dims;
  case UnlinkedKind::Transpose: {
    std::optional<Dims> permutation = getTransposePermutation(op);
    if (!permutation)
      return std::nullopt;
    ViewDims result;
    for (int64_t dim : *permutation)
      result.push_back(dims[dim]);
    return result;
  }
  case UnlinkedKind::Broadcast:
    return throughBroadcast(op, dims, from, to);
  case UnlinkedKind::Reshape:
    return throughReshape(dims, root, from, to);
  default:
    return std::nullopt;
  }
}

//===----------------------------------------------------------------------===//
// The whole way
//===----------------------------------------------------------------------===//

static ViewDims identityDims(int64_t rank) {
  ViewDims dims;
  for (int64_t dim = 0; dim < rank; ++dim)
    dims.push_back({dim});
  return dims;
}

/// `value` as a view of itself.
static UnlinkedView viewOfItself(Value value) {
  UnlinkedView view;
  view.root = value;
  view.isConstant = isConstant(value);
  if (RankedTensorType type = getTensorType(value)) {
    llvm::append_range(view.shape, type.getShape());
    view.dims = identityDims(type.getRank());
  }
  return view;
}

/// What a repeated region gets for `argument` each time, if that doesn't
/// change: the operand of a loop whose body yields the argument as it is.
static Value getInvariant(BlockArgument argument) {
  Operation *loop = argument.getOwner()->getParentOp();
  unsigned index = argument.getArgNumber();
  if (getUnlinkedName(loop) != "stablehlo.while" ||
      loop->getNumRegions() != 2 || index >= loop->getNumOperands() ||
      loop->getRegion(1).empty())
    return {};
  Block &body = loop->getRegion(1).front();
  if (body.empty() || index >= body.getNumArguments() ||
      index >= body.back().getNumOperands() ||
      body.back().getOperand(index) != body.getArgument(index))
    return {};
  return loop->getOperand(index);
}

SmallVector<int64_t> UnlinkedView::getStrides() const {
  if (isPart)
    return strides;
  SmallVector<int64_t> result(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    result[dim - 1] = result[dim] * shape[dim];
  return result;
}

bool UnlinkedView::cut(ArrayRef<int64_t> starts, ArrayRef<int64_t> sizes) {
  if (starts.size() != dims.size() || sizes.size() != dims.size())
    return false;
  strides = getStrides();
  isPart = true;
  for (auto [shown, start, size] : llvm::zip_equal(dims, starts, sizes)) {
    if (shown.empty())
      continue;
    int64_t dim = shown.front();
    if (shown.size() > 1) {
      // Cutting is along one dimension; all of several is all of each.
      int64_t all = 1;
      for (int64_t each : shown)
        all *= shape[each];
      if (start != 0 || size != all)
        return false;
      continue;
    }
    if (start < 0 || size < 1 || start > shape[dim] - size)
      return false;
    offset += start * strides[dim];
    shape[dim] = size;
  }
  return true;
}

/// The part of a constant that `value` is, where its op is a slice.
static std::optional<UnlinkedView> viewOfSlice(Value value, unsigned depth);

static UnlinkedView viewOf(Value value, unsigned depth) {
  UnlinkedView view = viewOfItself(value);
  if (view.isConstant || depth == kMaxDepth)
    return view;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (Value invariant = getInvariant(argument))
      return viewOf(invariant, depth + 1);
    std::optional<UnlinkedView> common;
    for (Value passed : getPassedValues(argument)) {
      UnlinkedView next = viewOf(passed, depth + 1);
      if (!next.isConstant ||
          (common &&
           (getConstantKey(common->root) != getConstantKey(next.root) ||
            common->dims != next.dims || common->shape != next.shape ||
            common->offset != next.offset || common->strides != next.strides)))
        return view;
      common = next;
    }
    return common.value_or(view);
  }
  Operation *op = value.getDefiningOp();
  if (auto assuming = dyn_cast<shape::AssumingOp>(op)) {
    Operation *yield = assuming.getDoRegion().front().getTerminator();
    unsigned index = cast<OpResult>(value).getResultNumber();
    return viewOf(yield->getOperand(index), depth + 1);
  }
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    UnlinkedView source = viewOf(cast.getSource(), depth + 1);
    return source.dims.size() == view.dims.size() ? source : view;
  }
  if (Value source = getMultipliedByOne(op))
    return viewOf(source, depth + 1);
  // Keeps the order in which things are computed, not what they are.
  if (getUnlinkedName(op) == "stablehlo.optimization_barrier" &&
      op->getNumOperands() == op->getNumResults())
    return viewOf(op->getOperand(cast<OpResult>(value).getResultNumber()),
                  depth + 1);
  if (std::optional<UnlinkedView> part = viewOfSlice(value, depth))
    return *part;
  if (op->isRegistered() || op->getNumOperands() == 0 ||
      op->getNumResults() != 1)
    return view;
  UnlinkedKind kind = getUnlinkedKind(op);
  switch (kind) {
  case UnlinkedKind::Identity:
  case UnlinkedKind::Convert:
  case UnlinkedKind::Transpose:
  case UnlinkedKind::Broadcast:
  case UnlinkedKind::Reshape:
    break;
  default:
    return view;
  }
  UnlinkedView source = viewOf(op->getOperand(0), depth + 1);
  // All of the constant in its own order: another shape is as good.
  if (kind == UnlinkedKind::Reshape && source.isConstant && !source.isPart &&
      source.dims == identityDims(source.shape.size()) && !view.dims.empty()) {
    source.shape = view.shape;
    source.dims = view.dims;
    return source;
  }
  std::optional<ViewDims> dims = throughOp(op, kind, source.dims, source.shape);
  if (!dims) {
    // A weight that is cut or computed is better explained by where it is from.
    if (!source.isConstant)
      return source;
    return view;
  }
  source.dims = *dims;
  return source;
}

static std::optional<UnlinkedView> viewOfSlice(Value value, unsigned depth) {
  std::optional<UnlinkedSlice> slice = getUnlinkedSlice(value);
  if (!slice)
    return std::nullopt;
  UnlinkedView source = viewOf(slice->source->get(), depth + 1);
  if (!source.isConstant || !source.cut(slice->starts, slice->sizes))
    return std::nullopt;
  if (slice->dropped >= 0)
    source.dims.erase(source.dims.begin() + slice->dropped);
  return source;
}

UnlinkedView qk::quant_llm::viewOfUnlinked(Value value, bool parts) {
  UnlinkedView view = viewOf(value, 0);
  if (!view.isPart || parts)
    return view;
  // Where it is cut is where looking through ends.
  while (Operation *op = value.getDefiningOp()) {
    if (getUnlinkedSlice(value))
      break;
    Value source = op->getNumOperands() ? op->getOperand(0) : Value();
    if (!source || !viewOf(source, 0).isPart)
      break;
    value = source;
  }
  return viewOfItself(value);
}
