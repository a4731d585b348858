//===- Product.cpp - From a product to a linear layer ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Product.h"

#include "Constants.h"
#include "LookThrough.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace qk::quant_llm;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// `type` with dimension order[i] as its i-th.
static RankedTensorType permute(RankedTensorType type,
                                ArrayRef<int64_t> order) {
  SmallVector<int64_t> shape;
  for (int64_t dim : order)
    shape.push_back(type.getDimSize(dim));
  return RankedTensorType::get(shape, type.getElementType());
}

/// The same of a value.
static Value transpose(OpBuilder &builder, Location location, Value value,
                       ArrayRef<int64_t> order) {
  SmallVector<OpFoldResult> from =
                                tensor::getMixedSizes(builder, location, value),
                            sizes;
  for (int64_t dim : order)
    sizes.push_back(from[dim]);
  Value empty = tensor::EmptyOp::create(builder, location, sizes,
                                        typeOf(value).getElementType());
  return linalg::TransposeOp::create(builder, location, value, empty, order)
      ->getResult(0);
}

/// The order that undoes `order`.
static SmallVector<int64_t> inverted(ArrayRef<int64_t> order) {
  SmallVector<int64_t> result(order.size());
  for (auto [at, dim] : llvm::enumerate(order))
    result[dim] = at;
  return result;
}

/// Elements of the trailing `count` dimensions; nullopt for unknown sizes.
static std::optional<int64_t> trailingSize(RankedTensorType type,
                                           unsigned count) {
  int64_t size = 1;
  for (int64_t extent : type.getShape().take_back(count)) {
    if (ShapedType::isDynamic(extent))
      return std::nullopt;
    size *= extent;
  }
  return size;
}

/// `type` with its last `count` dimensions as one.
static RankedTensorType collapseTrailing(RankedTensorType type, unsigned count,
                                         int64_t size) {
  SmallVector<int64_t> shape(type.getShape().drop_back(count));
  shape.push_back(size);
  return RankedTensorType::get(shape, type.getElementType());
}

/// Groups of the dimensions of a tensor of `rank`, the last `count` as one.
static SmallVector<ReassociationIndices> groupTrailing(int64_t rank,
                                                       unsigned count) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (dim <= rank - static_cast<int64_t>(count))
      groups.emplace_back();
    groups.back().push_back(dim);
  }
  return groups;
}

/// The reshape `op` of `source`, which may have another element type.
static Value repeatReshape(OpBuilder &builder, Operation *op, Value source) {
  IRMapping mapping;
  mapping.map(op->getOperand(0), source);
  Value copy = builder.clone(*op, mapping)->getResult(0);
  copy.setType(typeOf(copy).clone(typeOf(source).getElementType()));
  return copy;
}

/// `source` converted to `elementType`, which holds all its values.
static Value widen(OpBuilder &builder, Location location, Value source,
                   Type elementType) {
  int64_t rank = typeOf(source).getRank();
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, location, source);
  Value empty = tensor::EmptyOp::create(builder, location, sizes, elementType);
  AffineMap identity = builder.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, location, empty.getType(), source, empty,
      ArrayRef<AffineMap>{identity, identity}, loops,
      [&](OpBuilder &body, Location where, ValueRange arguments) {
        Value wide =
            arith::ExtFOp::create(body, where, elementType, arguments[0]);
        linalg::YieldOp::create(body, where, wide);
      });
  // A tensor.empty of a constant size has it in its type.
  Value result = generic.getResult(0);
  RankedTensorType wanted = typeOf(source).clone(elementType);
  if (result.getType() != wanted)
    result = tensor::CastOp::create(builder, location, wanted, result);
  return result;
}

/// The activation that a layer reads: a value, and what is to be done again to
/// it.
struct Activation {
  Value source;
  /// From the source on.
  SmallVector<Operation *> reshapes;
  /// To widen it to, or null.
  Type widenTo;
};

/// The activation `x` with elements of `elementType`.
static std::optional<Activation> findActivation(Value x, Type elementType) {
  Type present = typeOf(x).getElementType();
  if (present == elementType)
    return Activation{x, {}, {}};
  if (present.getIntOrFloatBitWidth() < elementType.getIntOrFloatBitWidth())
    return Activation{x, {}, elementType};
  Activation activation{x, {}, {}};
  while (Operation *op = activation.source.getDefiningOp()) {
    if (Value source = reshapedFrom(op)) {
      activation.reshapes.insert(activation.reshapes.begin(), op);
      activation.source = source;
      continue;
    }
    activation.source = convertedFrom(op);
    if (!activation.source)
      return std::nullopt;
    if (typeOf(activation.source).getElementType() == elementType)
      return activation;
  }
  return std::nullopt;
}

/// The end of the layer that computes in the type of its input, or of a wider
/// one: the last such.
static std::optional<std::pair<Tail, Activation>>
settleTypes(ArrayRef<Tail> tails, Value x) {
  for (const Tail &tail : llvm::reverse(tails))
    if (auto activation = findActivation(x, tail.elementType))
      return std::pair(tail, *activation);
  return std::nullopt;
}

/// Fills in how x is made from its source, and the result from the layer's.
static void setRewrites(LinearMatch &match, const Product &product,
                        const Tail &tail, const Activation &activation,
                        int64_t n, int64_t k) {
  unsigned nCount = product.n.size(), kCount = product.k.size();
  Location location = product.op->getLoc();
  match.makeX = [=](OpBuilder &builder) {
    Value x = activation.source;
    for (Operation *op : activation.reshapes)
      x = repeatReshape(builder, op, x);
    if (activation.widenTo)
      x = widen(builder, location, x, activation.widenTo);
    if (!product.xOrder.empty())
      x = transpose(builder, location, x, product.xOrder);
    if (kCount != 1)
      x = tensor::CollapseShapeOp::create(
          builder, location, collapseTrailing(typeOf(x), kCount, k), x,
          groupTrailing(typeOf(x).getRank(), kCount));
    return x;
  };
  RankedTensorType productType =
      typeOf(product.op->getResult(0)).clone(tail.elementType);
  if (!product.resultOrder.empty())
    productType = permute(productType, inverted(product.resultOrder));
  match.yType = collapseTrailing(productType, nCount, n);
  match.makeResult = [=](OpBuilder &builder, Value y) {
    if (nCount != 1) {
      SmallVector<OpFoldResult> sizes =
          tensor::getMixedSizes(builder, location, y);
      sizes.pop_back();
      for (int64_t size : productType.getShape().take_back(nCount))
        sizes.push_back(builder.getIndexAttr(size));
      y = tensor::ExpandShapeOp::create(
          builder, location, productType, y,
          groupTrailing(productType.getRank(), nCount), sizes);
    }
    if (!product.resultOrder.empty())
      y = transpose(builder, location, y, product.resultOrder);
    for (Operation *op : tail.reshapes)
      y = repeatReshape(builder, op, y);
    return y;
  };
}

LinearFinding qk::quant_llm::rejectRepeated() {
  return LinearFinding::rejected(
      "the weight repeats elements of a constant along its channels");
}

LinearFinding qk::quant_llm::rejectPart(Value root) {
  return LinearFinding::rejected(
      "the weight is a part of '" + getConstant(root)->name +
      "' that isn't one in the order in which its file stores that");
}

LinearFinding qk::quant_llm::rejectOuterProduct() {
  return LinearFinding::rejected(
      "one channel is contracted: an outer product, such as that of positions "
      "and rotary frequencies");
}

/// Sets how the constant's elements in memory are [N,K].
static LinearFinding arrangeWeight(const Product &product,
                                   const StridedConstant &weight,
                                   LinearMatch &match) {
  auto join = [](ArrayRef<unsigned> outer, ArrayRef<unsigned> inner) {
    SmallVector<unsigned> all(outer);
    llvm::append_range(all, inner);
    return all;
  };
  match.weight = weight.root;
  SmallVector<unsigned> rows = join(product.n, product.k);
  if (weight.isInOrder(rows))
    return LinearFinding::unrelated();
  match.transposed = weight.isInOrder(join(product.k, product.n));
  if (match.transposed)
    return LinearFinding::unrelated();
  for (unsigned dim : rows)
    for (const StridedConstant::Factor &factor : weight.dims[dim])
      if (factor.stride == 0)
        return rejectRepeated();
  match.weightPart = weight.partOf(rows);
  return match.weightPart ? LinearFinding::unrelated()
                          : rejectPart(weight.root);
}

bool qk::quant_llm::isLayerType(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

LinearFinding qk::quant_llm::rejectType(Type type) {
  std::string reason = "it is computed in ";
  llvm::raw_string_ostream(reason) << type;
  return LinearFinding::rejected(
      reason + "; expected f32, f16 or bf16: export the model in one of them");
}

bool qk::quant_llm::setBias(LinearMatch &match, const StridedConstant &bias,
                            unsigned trailing, int64_t n) {
  unsigned rank = bias.dims.size();
  SmallVector<unsigned> channels;
  for (unsigned dim = 0; dim < rank; ++dim)
    if (dim + trailing >= rank)
      channels.push_back(dim);
    else if (!bias.isRepeated(dim))
      return false;
  // One for several channels is no bias of the layer.
  int64_t elements = 1;
  for (unsigned dim : channels)
    for (const StridedConstant::Factor &factor : bias.dims[dim])
      elements *= factor.size;
  if (channels.size() != trailing || elements != n)
    return false;
  PartAttr part;
  if (!bias.isInOrder(channels) && !(part = bias.partOf(channels)))
    return false;
  match.bias = bias.root;
  match.biasPart = part;
  return true;
}

LinearFinding qk::quant_llm::findLinearAround(const Product &product) {
  std::optional<StridedConstant> weight = stridesOfConstant(product.weight);
  if (!weight)
    return LinearFinding::unrelated();
  Value y = product.op->getResult(0);
  for (Type type : {getConstant(weight->root)->type.getElementType(),
                    getElementTypeOrSelf(product.x.getType()),
                    getElementTypeOrSelf(product.weight.getType()),
                    getElementTypeOrSelf(y.getType())})
    if (!isLayerType(type))
      return rejectType(type);
  bool isOrdered = product.xOrder.empty();
  RankedTensorType xType = typeOf(product.x), yType = typeOf(y);
  if (!isOrdered) {
    xType = permute(xType, product.xOrder);
    yType = permute(yType, inverted(product.resultOrder));
  }
  std::optional<int64_t> n = trailingSize(yType, product.n.size());
  std::optional<int64_t> k = trailingSize(xType, product.k.size());
  if (!n || !k)
    return LinearFinding::rejected(
        "the number of input or output channels is unknown in the types of "
        "the product");
  if (*k == 1)
    return rejectOuterProduct();
  for (unsigned dim = 0; dim < weight->dims.size(); ++dim)
    if (!llvm::is_contained(product.n, dim) &&
        !llvm::is_contained(product.k, dim) && !weight->isRepeated(dim))
      return LinearFinding::rejected(
          "the weight has a batch dimension; expected one weight for all "
          "batches");
  if (isConvertedFromIntegers(product.x))
    return LinearFinding::rejected(
        "its input is converted from integers: positions, or one-hot codes "
        "that look up rows of a table");

  LinearMatch match;
  match.contraction = product.op;
  if (LinearFinding wrong = arrangeWeight(product, *weight, match);
      !wrong.reason.empty())
    return wrong;
  match.n = *n;
  match.k = *k;

  if (product.init && !isFilledWith(product.init, 0.0)) {
    std::optional<StridedConstant> bias = stridesOfConstant(product.init);
    if (bias && !isOrdered)
      bias->permute(inverted(product.resultOrder));
    if (!bias || !setBias(match, *bias, product.n.size(), *n))
      return LinearFinding::rejected(
          "the product is added to a computed value; expected zeros or a "
          "constant bias");
  }
  // Behind a transpose back nothing is a part of the layer.
  std::vector<Tail> tails = {{y, yType.getElementType(), {}, 0, {}}};
  if (isOrdered)
    tails = findTails(y, product.n.size(), static_cast<bool>(match.bias));
  auto settled = settleTypes(tails, product.x);
  if (!settled)
    return LinearFinding::rejected("input and result have element types of "
                                   "which neither holds the other's values");
  auto &[tail, activation] = *settled;
  if (tail.bias)
    setBias(match, *tail.bias, tail.trailing, *n);
  match.x = activation.source;
  match.result = tail.result;
  setRewrites(match, product, tail, activation, *n, *k);
  return {match, ""};
}

LinearFinding qk::quant_llm::explainComputed(Value lhs, Value rhs,
                                             bool isBatched) {
  for (Value operand : {rhs, lhs}) {
    Operation *stop;
    viewOfConstant(operand, &stop);
    auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(stop);
    if (!slice || !stridesOfConstant(slice.getSource()))
      continue;
    bool isStatic = !ShapedType::isDynamicShape(slice.getStaticOffsets()) &&
                    !ShapedType::isDynamicShape(slice.getStaticSizes());
    return LinearFinding::rejected(
        isStatic ? "its weight is every other element of a larger constant, or "
                   "a slice of a reshaped one; expected each weight as a "
                   "constant of its own"
                 : "its weight is cut out of a stack of weights at a place "
                   "known only at run time; expected the loop over layers "
                   "unrolled when the model is exported");
  }
  bool isFixed[] = {isMadeOfConstants(lhs), isMadeOfConstants(rhs)};
  if (isFixed[0] != isFixed[1])
    return LinearFinding::rejected(
        "its weight is computed from constants; expected a constant: fold it "
        "before the export (of a parametrized module in PyTorch: "
        "torch.nn.utils.parametrize.remove_parametrizations)");
  // Attention products are batched; an unbatched product of two computed
  // values is a linear layer whose weight isn't known.
  if (isBatched)
    return LinearFinding::unrelated();
  auto function = rhs.getParentRegion()->getParentOfType<func::FuncOp>();
  if (function && function.isPrivate())
    return LinearFinding::rejected(
        "neither operand is a constant in function '" + function.getName() +
        "'; if its callers pass the weight, inline the calls first (--inline)");
  return LinearFinding::rejected(
      "neither operand is a constant: a weight must be known when the model is "
      "compiled");
}
