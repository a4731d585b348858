//===- UnlinkedForm.cpp - Layers in dialects that are not linked ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What StableHLO, torch and ONNX have in common once the product itself has
/// been read:
///
///   product  = contraction(x, view of a constant)
///   product  = product * ones                          (addmm's alpha)
///   product  = reshaped product                        (kept)
///   sum      = product + repeated constant vector
///   result   = narrowed sum, for f16 and bf16 computed in f32
///
/// all but the first optional. Sizes that are asked of the values between, as
/// dynamic shapes make exporters do, are asked of the layer's result instead.
///
//===----------------------------------------------------------------------===//

#include "UnlinkedForm.h"

#include "Constants.h"
#include "LookThrough.h"
#include "UnlinkedEpilogue.h"
#include "UnlinkedOps.h"
#include "UnlinkedRewrite.h"
#include "UnlinkedViews.h"

using namespace mlir;
using namespace qk::quant_llm;

static Type elementType(Value value) {
  return getTensorType(value).getElementType();
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

void qk::quant_llm::setMatmulDimensions(UnlinkedContraction &contraction,
                                        int64_t lhsRank, int64_t rhsRank) {
  contraction.lhsContracted = {lhsRank - 1};
  contraction.rhsContracted = {std::max<int64_t>(rhsRank - 2, 0)};
  contraction.keepsOrder = true;
  // Batches are aligned at their ends.
  for (int64_t dim = 0; dim < rhsRank - 2; ++dim) {
    contraction.rhsBatch.push_back(dim);
    contraction.lhsBatch.push_back(dim + lhsRank - rhsRank);
  }
}

namespace {

/// The contraction with its sides by what they are. One object reads one
/// contraction.
class Product {
public:
  explicit Product(const UnlinkedContraction &contraction)
      : c(contraction), op(contraction.op) {}

  LinearFinding find();

private:
  LinearFinding rejectComputed();
  LinearFinding findWeight();
  LinearFinding findOrder();
  LinearFinding findLayer();

  const UnlinkedContraction &c;
  Operation *op;
  /// Whether the weight is the left operand.
  bool swapped = false;
  Value x, w;
  SmallVector<int64_t> xContracted, wContracted, xBatch, wBatch;
  UnlinkedView weight;
  /// The free dimensions of both.
  SmallVector<int64_t> xFree, wFree;
  /// Permutations that make of x one whose contracted dimensions are its last,
  /// and of the layer's result `product`; none where they have that order.
  SmallVector<int64_t> xOrder, productOrder;
  bool isStableHLO = false;
  /// The value whose dimensions, but for that, are those of x less the
  /// contracted ones, then the channels.
  Value product;
  LinearMatch match;
};

} // namespace

static std::string print(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << "'" << type << "'";
  return text;
}

static SmallVector<int64_t> freeDims(int64_t rank, ArrayRef<int64_t> contracted,
                                     ArrayRef<int64_t> batch) {
  SmallVector<int64_t> free;
  for (int64_t dim = 0; dim < rank; ++dim)
    if (!llvm::is_contained(contracted, dim) && !llvm::is_contained(batch, dim))
      free.push_back(dim);
  return free;
}

/// Whether `dims` are the numbers from `begin` on.
static bool isRange(ArrayRef<int64_t> dims, int64_t begin) {
  return llvm::equal(dims, llvm::seq<int64_t>(begin, begin + dims.size()));
}

/// Whether `type` has a dimension of these numbers and no number is twice.
static bool areDims(ArrayRef<int64_t> dims, RankedTensorType type) {
  for (auto [i, dim] : llvm::enumerate(dims))
    if (dim < 0 || dim >= type.getRank() ||
        llvm::is_contained(dims.take_front(i), dim))
      return false;
  return true;
}

LinearFinding Product::rejectComputed() {
  // Products of two computed values are attention's, mostly batched or of
  // what no weight looks like.
  if (!c.rhsBatch.empty() || getTensorType(c.rhs).getRank() != 2) {
    bool isLeft = isMadeOfConstants(c.lhs);
    if (isLeft == isMadeOfConstants(c.rhs))
      return LinearFinding::unrelated();
    Value root = viewOfUnlinked(isLeft ? c.lhs : c.rhs, /*parts=*/true).root;
    return LinearFinding::rejected(explainNotConstant(root));
  }
  return LinearFinding::rejected(explainNotConstant(weight.root));
}

/// The dimensions `n`, then `k`, of the root of `view`.
static PartAttr partOf(const UnlinkedView &view, ArrayRef<int64_t> n,
                       ArrayRef<int64_t> k) {
  SmallVector<int64_t> sizes, strides, all = view.getStrides();
  for (ArrayRef<int64_t> dims : {n, k})
    for (int64_t dim : dims) {
      sizes.push_back(view.shape[dim]);
      strides.push_back(all[dim]);
    }
  return getConstantPart(*getConstant(view.root), view.offset, sizes, strides);
}

/// Which operand is the weight, and which of its dimensions are which.
LinearFinding Product::findWeight() {
  weight = viewOfUnlinked(c.rhs, /*parts=*/true);
  UnlinkedView other = viewOfUnlinked(c.lhs, /*parts=*/true);
  if (weight.isConstant && other.isConstant)
    return LinearFinding::rejected("both operands are constants");
  if (!weight.isConstant && !other.isConstant)
    return rejectComputed();
  swapped = other.isConstant;
  if (swapped)
    weight = other;
  x = swapped ? c.rhs : c.lhs;
  w = swapped ? c.lhs : c.rhs;
  xContracted = swapped ? c.rhsContracted : c.lhsContracted;
  wContracted = swapped ? c.lhsContracted : c.rhsContracted;
  xBatch = swapped ? c.rhsBatch : c.lhsBatch;
  wBatch = swapped ? c.lhsBatch : c.rhsBatch;
  RankedTensorType xType = getTensorType(x), wType = getTensorType(w);
  for (int64_t dim : wBatch)
    if (dim >= 0 && dim < wType.getRank() && !weight.dims[dim].empty() &&
        wType.getDimSize(dim) != 1)
      return LinearFinding::rejected("the weight has a batch dimension; "
                                     "expected one weight for all batches");
  // Where one operand has fewer dimensions, batches of the other have none.
  if (c.keepsOrder)
    for (auto *batch : {&xBatch, &wBatch})
      llvm::erase_if(*batch, [](int64_t dim) { return dim < 0; });
  if (!areDims(xContracted, xType) || !areDims(wContracted, wType) ||
      !areDims(xBatch, xType) || !areDims(wBatch, wType))
    return LinearFinding::rejected("its dimension numbers aren't those of its "
                                   "operands");
  xFree = freeDims(xType.getRank(), xContracted, xBatch);
  wFree = freeDims(wType.getRank(), wContracted, wBatch);
  if (xContracted.empty() || wFree.empty())
    return LinearFinding::rejected("expected the weight to have contracted and "
                                   "output dimensions, got " +
                                   Twine(xContracted.size()) + " and " +
                                   Twine(wFree.size()));

  // The constant in memory is all output channels by all contracted ones, or
  // the other way round.
  SmallVector<std::pair<int64_t, int64_t>> pairs;
  for (auto [xDim, wDim] : llvm::zip(xContracted, wContracted))
    pairs.emplace_back(xDim, wDim);
  llvm::sort(pairs);
  SmallVector<int64_t> n, k;
  bool repeats = false;
  auto show = [&](int64_t dim, SmallVectorImpl<int64_t> &dims) {
    repeats |= weight.dims[dim].empty() && wType.getDimSize(dim) != 1;
    llvm::append_range(dims, weight.dims[dim]);
  };
  for (auto [xDim, wDim] : pairs)
    show(wDim, k);
  for (int64_t dim : wFree)
    show(dim, n);
  if (repeats)
    return rejectRepeated();
  SmallVector<int64_t> nk(n), kn(k), all;
  llvm::append_range(nk, k);
  llvm::append_range(kn, n);
  // Dimensions of one element are anywhere.
  auto isOne = [&](int64_t dim) { return weight.shape[dim] == 1; };
  llvm::erase_if(nk, isOne);
  llvm::erase_if(kn, isOne);
  for (int64_t dim = 0; dim < static_cast<int64_t>(weight.shape.size()); ++dim)
    if (!isOne(dim))
      all.push_back(dim);
  bool isNK = nk == all && !weight.isPart, isKN = kn == all && !weight.isPart;
  match.transposed = !isNK && isKN;
  if (!isNK && !isKN) {
    match.weightPart = partOf(weight, n, k);
    if (!match.weightPart)
      return rejectPart(weight.root);
  }
  match.n = match.k = 1;
  for (int64_t dim : n)
    match.n *= weight.shape[dim];
  for (int64_t dim : k)
    match.k *= weight.shape[dim];
  if (match.k == 1)
    return LinearFinding::rejected(
        "it contracts a single element: an outer product");
  if (isConvertedFromIntegers(x))
    return LinearFinding::rejected(
        "its input is converted from integers: positions, or one-hot codes "
        "that look up rows of a table");
  match.weight = weight.root;
  return LinearFinding::unrelated();
}

/// `type` with dimension order[i] as its i-th; itself if there is no order.
static RankedTensorType permute(RankedTensorType type,
                                ArrayRef<int64_t> order) {
  if (order.empty())
    return type;
  SmallVector<int64_t> shape;
  for (int64_t dim : order)
    shape.push_back(type.getDimSize(dim));
  return RankedTensorType::get(shape, type.getElementType());
}

static SmallVector<int64_t> inverted(ArrayRef<int64_t> order) {
  SmallVector<int64_t> result(order.size());
  for (auto [at, dim] : llvm::enumerate(order))
    result[dim] = at;
  return result;
}

/// Whether the result has the dimensions of x, channels for contracted ones, or
/// which permutations make it so.
LinearFinding Product::findOrder() {
  product = op->getResult(0);
  RankedTensorType xType = getTensorType(x);
  int64_t leading = xType.getRank() - xContracted.size();
  int64_t channels = wFree.size();
  SmallVector<int64_t> contracted(xContracted), order(xBatch);
  llvm::sort(contracted);
  llvm::append_range(order, xFree);
  if (c.keepsOrder)
    llvm::sort(order);
  llvm::append_range(order, contracted);
  if (!isRange(order, 0))
    xOrder = order;
  if (swapped && !xFree.empty()) {
    // [batches, channels, the rest of x], which mostly a transpose puts right.
    int64_t batches = xBatch.size();
    llvm::append_range(productOrder, llvm::seq<int64_t>(0, batches));
    llvm::append_range(productOrder,
                       llvm::seq<int64_t>(leading, leading + channels));
    llvm::append_range(productOrder, llvm::seq<int64_t>(batches, leading));
    Operation *user = product.hasOneUse() && c.resultOrder.empty()
                          ? *product.user_begin()
                          : nullptr;
    if (user && getUnlinkedKind(user) == UnlinkedKind::Transpose)
      if (auto permutation = getTransposePermutation(user);
          permutation && permutation->size() == productOrder.size()) {
        product = user->getResult(0);
        for (int64_t &dim : *permutation)
          dim = productOrder[dim];
        productOrder = *permutation;
      }
    if (isRange(productOrder, 0))
      productOrder.clear();
  }
  if (!c.resultOrder.empty()) {
    SmallVector<int64_t> before(productOrder);
    productOrder.clear();
    for (int64_t dim : c.resultOrder)
      productOrder.push_back(before.empty() ? dim : before[dim]);
    if (isRange(productOrder, 0))
      productOrder.clear();
  }
  // Tensors of torch and ONNX go through builtin ones, which tensor and linalg
  // arrange whatever their sizes; a StableHLO module stays one.
  isStableHLO = getUnlinkedName(op).starts_with("stablehlo.");
  bool canPermute = !isStableHLO || xType.hasStaticShape();
  if (!productOrder.empty() && !canPermute)
    return LinearFinding::rejected("the constant is the left operand, a "
                                   "product W*x; expected x*W");
  RankedTensorType type = getTensorType(product);
  if ((!xOrder.empty() && !canPermute) || type.getRank() != leading + channels)
    return LinearFinding::rejected(
        "the contracted dimension isn't the last one of the activation, or the "
        "output channels aren't the last dimension of the result");
  if (permute(type, inverted(productOrder)).getShape().take_front(leading) !=
      permute(xType, xOrder).getShape().take_front(leading))
    return LinearFinding::rejected("expected a result with the leading "
                                   "dimensions of its input, got " +
                                   print(type) + " from " + print(xType));
  bool reshapes = xContracted.size() > 1 || wFree.size() > 1;
  if (reshapes && !canPermute)
    return LinearFinding::rejected("it contracts or makes several dimensions, "
                                   "of tensors of dynamic shape");
  bool isSizeUnknown = llvm::any_of(
      xContracted, [&](int64_t dim) { return xType.isDynamicDim(dim); });
  if (isSizeUnknown && xContracted.size() > 1)
    return LinearFinding::rejected("it contracts several dimensions of sizes "
                                   "that its input's type doesn't say, " +
                                   print(xType));
  return LinearFinding::unrelated();
}

LinearFinding Product::findLayer() {
  RankedTensorType xType = permute(getTensorType(x), xOrder);
  match.contraction = match.before = op;
  match.x = x;
  match.result = product;
  if (c.bias) {
    if (!setBias(match, c.bias, match.n))
      return LinearFinding::rejected("the product is added to a computed "
                                     "value; expected a constant bias");
  }
  // Behind a permutation nothing is a part of the layer.
  Epilogue epilogue;
  if (productOrder.empty())
    epilogue = followEpilogue(match, match.n);

  Type element = elementType(match.result);
  SmallVector<int64_t> leading(xType.getShape().drop_back(xContracted.size()));
  SmallVector<int64_t> xShape(leading), yShape(leading);
  xShape.push_back(match.k);
  yShape.push_back(match.n);
  UnlinkedRewrite rewrite{op->getLoc(),
                          match.x,
                          RankedTensorType::get(xShape, element),
                          match.result,
                          withElementType(product.getType(), element),
                          epilogue.reshapes,
                          epilogue.sizes,
                          xOrder,
                          productOrder,
                          isStableHLO};
  match.yType = RankedTensorType::get(yShape, element);
  match.makeX = [=](OpBuilder &builder) { return rewrite.makeX(builder); };
  match.makeResult = [=](OpBuilder &builder, Value y) {
    return rewrite.makeResult(builder, y);
  };
  return {match, ""};
}

LinearFinding Product::find() {
  for (Value value : {c.lhs, c.rhs})
    if (!getTensorType(value))
      return LinearFinding::rejected(
          "expected operands of a ranked tensor type, got " +
          print(value.getType()));
  if (op->getNumResults() != 1 || !getTensorType(op->getResult(0)))
    return LinearFinding::rejected(
        "expected one result of a ranked tensor type");
  for (Value value : {c.lhs, c.rhs, Value(op->getResult(0))})
    if (Type type = elementType(value); !isLayerType(type)) {
      bool isProduct =
          isa<FloatType>(type) &&
          viewOfUnlinked(c.lhs).isConstant != viewOfUnlinked(c.rhs).isConstant;
      return isProduct ? rejectType(type) : LinearFinding::unrelated();
    }
  for (auto step :
       {&Product::findWeight, &Product::findOrder, &Product::findLayer}) {
    LinearFinding finding = (this->*step)();
    if (finding.match || !finding.reason.empty())
      return finding;
    if (!match.weight)
      break;
  }
  return LinearFinding::unrelated();
}

LinearFinding
qk::quant_llm::findUnlinkedLinear(const UnlinkedContraction &contraction) {
  return Product(contraction).find();
}
