//===- TensorOps.cpp - Ops on whole tensors, for folding ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

#include "../Raising/UnlinkedForm.h"
#include "../Raising/UnlinkedOps.h"
#include "../Raising/UnlinkedViews.h"

#include "mlir/Dialect/Shape/IR/Shape.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

//===----------------------------------------------------------------------===//
// Kinds
//===----------------------------------------------------------------------===//

static TensorOpKind getTosaKind(Operation *op) {
  using Kind = TensorOpKind;
  // max(a, 0), which knows no upper bound.
  if (auto clamp = dyn_cast<tosa::ClampOp>(op)) {
    auto low = dyn_cast<FloatAttr>(clamp.getMinVal());
    auto high = dyn_cast<FloatAttr>(clamp.getMaxVal());
    bool rectifies =
        low && high && low.getValue().isZero() &&
        (high.getValue().isInfinity() || high.getValue().isLargest());
    return rectifies ? Kind::Homogeneous : Kind::Other;
  }
  return llvm::TypeSwitch<Operation *, Kind>(op)
      .Case<tosa::AddOp>([](auto) { return Kind::Sum; })
      .Case<tosa::SubOp>([](auto) { return Kind::Difference; })
      .Case<tosa::MaximumOp, tosa::MinimumOp>(
          [](auto) { return Kind::Extremum; })
      .Case<tosa::MulOp>([](auto) { return Kind::Product; })
      .Case<tosa::NegateOp, tosa::AbsOp>([](auto) { return Kind::Homogeneous; })
      .Case<tosa::MatMulOp>([](auto) { return Kind::Contraction; })
      .Case<tosa::ConcatOp>([](auto) { return Kind::Concatenation; })
      .Default(Kind::Other);
}

TensorOpKind qk::quant_llm::getTensorOpKind(Operation *op) {
  using Kind = TensorOpKind;
  if (op->isRegistered())
    return getTosaKind(op);
  return llvm::StringSwitch<Kind>(getUnlinkedName(op))
      .Cases({"stablehlo.add", "torch.aten.add.Tensor", "torch.aten.add.Scalar",
              "onnx.Add"},
             Kind::Sum)
      .Cases({"stablehlo.subtract", "torch.aten.sub.Tensor",
              "torch.aten.sub.Scalar", "onnx.Sub"},
             Kind::Difference)
      .Cases({"stablehlo.maximum", "stablehlo.minimum", "torch.aten.maximum",
              "torch.aten.minimum"},
             Kind::Extremum)
      .Cases({"stablehlo.multiply", "torch.aten.mul.Tensor",
              "torch.aten.mul.Scalar", "onnx.Mul"},
             Kind::Product)
      .Cases({"stablehlo.divide", "torch.aten.div.Tensor",
              "torch.aten.div.Scalar", "onnx.Div"},
             Kind::Quotient)
      .Cases({"stablehlo.negate", "stablehlo.abs", "torch.aten.neg",
              "torch.aten.abs", "torch.aten.relu"},
             Kind::Homogeneous)
      .Cases({"onnx.Neg", "onnx.Abs", "onnx.Relu"}, Kind::Homogeneous)
      .Cases({"stablehlo.dot_general", "stablehlo.dot", "torch.aten.matmul",
              "torch.aten.bmm", "torch.aten.mm", "torch.aten.baddbmm",
              "onnx.MatMul", "torch.aten.scaled_dot_product_attention"},
             Kind::Contraction)
      .Cases({"stablehlo.concatenate", "torch.aten.cat", "onnx.Concat"},
             Kind::Concatenation)
      .Cases({"torch.aten.layer_norm", "torch.aten.rms_norm",
              "onnx.LayerNormalization"},
             Kind::Norm)
      .Default(Kind::Other);
}

SmallVector<OpOperand *> qk::quant_llm::getTensorOperands(Operation *op) {
  MutableArrayRef<OpOperand> all = op->getOpOperands();
  auto isTensor = [](OpOperand &operand) {
    return static_cast<bool>(getTensorType(operand.get()));
  };
  switch (getTensorOpKind(op)) {
  case TensorOpKind::Other:
  case TensorOpKind::Contraction:
    return {};
  case TensorOpKind::Concatenation:
    if (getUnlinkedName(op) != "torch.aten.cat" || op->getNumOperands() == 0)
      break;
    // Its tensors are in a list.
    if (Operation *list = op->getOperand(0).getDefiningOp();
        list && getUnlinkedName(list) == "torch.prim.ListConstruct" &&
        list->hasOneUse())
      all = list->getOpOperands();
    break;
  case TensorOpKind::Homogeneous:
    all = all.take_front(1);
    break;
  case TensorOpKind::Norm:
    // torch has the shape of what is normalised before them.
    all = all.drop_front(getUnlinkedName(op).starts_with("torch.") ? 2 : 1)
              .take_front(2);
    if (!isTensor(all.front()))
      return {};
    break;
  default:
    all = all.take_front(2);
    break;
  }
  SmallVector<OpOperand *> operands;
  for (OpOperand &operand : all)
    if (isTensor(operand))
      operands.push_back(&operand);
  return operands;
}

std::optional<int64_t> qk::quant_llm::getConcatenatedDim(Operation *op) {
  RankedTensorType type = getTensorType(op->getResult(0));
  if (!type)
    return std::nullopt;
  std::optional<SmallVector<int64_t>> dim;
  StringRef name = getUnlinkedName(op);
  if (auto concat = dyn_cast<tosa::ConcatOp>(op))
    dim = {static_cast<int64_t>(concat.getAxis())};
  else if (name == "torch.aten.cat" && op->getNumOperands() == 2)
    dim = getIntegers(op->getOperand(1));
  else if (auto number = dyn_cast_or_null<IntegerAttr>(getUnlinkedAttr(
               op, name == "onnx.Concat" ? "axis" : "dimension")))
    dim = {number.getValue().getSExtValue()};
  if (!dim || dim->size() != 1)
    return std::nullopt;
  int64_t at = dim->front() < 0 ? dim->front() + type.getRank() : dim->front();
  return at >= 0 && at < type.getRank() ? std::optional(at) : std::nullopt;
}

std::optional<double> qk::quant_llm::getUniformNumber(Value value) {
  // tosa.const is a constant as any other; what is around it isn't unlinked.
  while (isa_and_present<tosa::ReshapeOp, tosa::CastOp, tosa::TileOp>(
      value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return getUniformValue(value);
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

/// Dimension i of the result is dimension permutation[i] of the operand.
static ElementAccess permute(OpOperand &operand, const ChannelMap &map,
                             ArrayRef<int64_t> permutation) {
  ElementAccess access{&operand, ChannelMap(map.size()), {}};
  for (auto [dim, digits] : llvm::zip(permutation, map))
    access.map[dim] = digits;
  return access;
}

/// Dimension i of the operand is dimension resultDims[i] of the result; -1 for
/// one that isn't. Dimensions of the result that no dimension of the operand
/// with more than one element is are shared.
static ElementAccess select(OpOperand &operand, const ChannelMap &map,
                            ArrayRef<int64_t> resultDims,
                            ArrayRef<int64_t> resultShape) {
  ArrayRef<int64_t> shape = getTensorType(operand.get()).getShape();
  ElementAccess access{&operand, ChannelMap(shape.size()), {}};
  llvm::SmallBitVector used(map.size());
  for (auto [dim, from] : llvm::enumerate(resultDims)) {
    if (from < 0 || (shape[dim] == 1 && resultShape[from] != 1))
      continue;
    access.map[dim] = map[from];
    used.set(from);
  }
  for (auto [dim, digits] : llvm::enumerate(map))
    if (!used.test(dim))
      for (ChannelDigit digit : digits)
        if (!digit.isFree())
          access.shared.push_back(digit);
  return access;
}

/// Trailing dimensions are the same ones.
static std::optional<ElementAccess> alignTrailing(OpOperand &operand,
                                                  const ChannelMap &map,
                                                  ArrayRef<int64_t> shape) {
  RankedTensorType type = getTensorType(operand.get());
  int64_t missing = static_cast<int64_t>(shape.size()) - type.getRank();
  if (missing < 0 || map.size() != shape.size())
    return std::nullopt;
  return select(operand, map,
                llvm::to_vector(llvm::seq<int64_t>(missing, shape.size())),
                shape);
}

std::optional<ElementAccess>
qk::quant_llm::getRepeatedOperand(OpOperand &operand, const ChannelMap &map) {
  RankedTensorType result =
      getTensorType(operand.getOwner()->getResult(0).getType());
  if (!result || !getTensorType(operand.get()))
    return std::nullopt;
  return alignTrailing(operand, map, result.getShape());
}

static std::optional<ElementAccess>
getBroadcast(Operation *op, const ChannelMap &map, RankedTensorType to) {
  OpOperand &operand = op->getOpOperand(0);
  int64_t rank = getTensorType(operand.get()).getRank();
  StringRef name = getUnlinkedName(op);
  if (!name.starts_with("stablehlo.") || name == "stablehlo.broadcast")
    return alignTrailing(operand, map, to.getShape());
  auto dims = getIntegers(op->getAttr("broadcast_dimensions"));
  if (!dims || static_cast<int64_t>(dims->size()) != rank)
    return std::nullopt;
  return select(operand, map, *dims, to.getShape());
}

std::optional<ElementAccess>
qk::quant_llm::getTensorLayout(Value value, const ChannelMap &map) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() == 0 || op->getNumResults() != 1)
    return std::nullopt;
  OpOperand &operand = op->getOpOperand(0);
  RankedTensorType from = getTensorType(operand.get());
  RankedTensorType to = getTensorType(value);
  if (!from || !to || map.size() != static_cast<size_t>(to.getRank()))
    return std::nullopt;
  auto same = [&]() -> std::optional<ElementAccess> {
    if (from.getRank() != to.getRank() ||
        !isa<FloatType>(from.getElementType()) ||
        !isa<FloatType>(to.getElementType()))
      return std::nullopt;
    return ElementAccess{&operand, map, {}};
  };
  auto reshaped = [&]() -> std::optional<ElementAccess> {
    auto source = reshapeChannels(map, to.getShape(), from.getShape());
    if (!source)
      return std::nullopt;
    return ElementAccess{&operand, *source, {}};
  };
  if (isa<tosa::CastOp, tosa::IdentityOp>(op))
    return same();
  if (isa<tosa::ReshapeOp>(op))
    return reshaped();
  if (auto transpose = dyn_cast<tosa::TransposeOp>(op))
    return permute(operand, map,
                   llvm::to_vector_of<int64_t>(transpose.getPerms()));
  if (isa<tosa::TileOp>(op)) {
    for (auto [a, b] : llvm::zip(from.getShape(), to.getShape()))
      if (a != b && a != 1)
        return std::nullopt;
    return alignTrailing(operand, map, to.getShape());
  }
  switch (getUnlinkedKind(op)) {
  case UnlinkedKind::Identity:
  case UnlinkedKind::Convert:
    return same();
  case UnlinkedKind::Transpose:
    if (auto permutation = getTransposePermutation(op))
      return permute(operand, map, *permutation);
    return std::nullopt;
  case UnlinkedKind::Reshape:
    return reshaped();
  case UnlinkedKind::Broadcast:
    return getBroadcast(op, map, to);
  default:
    return std::nullopt;
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// As linalg's maps say it, for a product with dimensions given by number.
static SmallVector<ContractedSide, 2>
getSides(const UnlinkedContraction &contraction) {
  int64_t lhsRank = getTensorType(contraction.lhs).getRank();
  int64_t rhsRank = getTensorType(contraction.rhs).getRank();
  SmallVector<int64_t> lhs(lhsRank, -1), rhs(rhsRank, -1);
  int64_t next = 0;
  for (auto [a, b] : llvm::zip(contraction.lhsBatch, contraction.rhsBatch)) {
    if (a >= lhsRank || b >= rhsRank)
      return {};
    lhs[a] = rhs[b] = next++;
  }
  auto addFree = [&](SmallVector<int64_t> &dims, ArrayRef<int64_t> batch,
                     ArrayRef<int64_t> contracted) {
    for (size_t dim = 0; dim < dims.size(); ++dim)
      if (!llvm::is_contained(batch, dim) &&
          !llvm::is_contained(contracted, dim))
        dims[dim] = next++;
  };
  addFree(lhs, contraction.lhsBatch, contraction.lhsContracted);
  addFree(rhs, contraction.rhsBatch, contraction.rhsContracted);
  return {{&contraction.op->getOpOperand(0), lhs},
          {&contraction.op->getOpOperand(1), rhs}};
}

SmallVector<ContractedSide, 2>
qk::quant_llm::getContractedSides(Operation *op) {
  StringRef name = getUnlinkedName(op);
  // Behind what is added to the product.
  unsigned first = name == "torch.aten.baddbmm" ? 1 : 0;
  if (getTensorOpKind(op) != TensorOpKind::Contraction ||
      op->getNumOperands() < first + 2 ||
      !getTensorType(op->getOperand(first)) ||
      !getTensorType(op->getOperand(first + 1)))
    return {};
  if (name == "torch.aten.scaled_dot_product_attention") {
    RankedTensorType v = getTensorType(op->getOperand(2));
    if (!v || v.getRank() < 2)
      return {};
    auto dims = llvm::to_vector(llvm::seq<int64_t>(0, v.getRank()));
    dims[v.getRank() - 2] = -1;
    return {{&op->getOpOperand(2), dims}};
  }
  if (name.starts_with("stablehlo.")) {
    UnlinkedContraction contraction;
    if (!readDotDimensions(op, contraction))
      return {};
    return getSides(contraction);
  }
  // Matrices in the last two dimensions, batches before; those of a side that
  // has fewer are repeated.
  int64_t rank = getTensorType(op->getResult(0)).getRank();
  SmallVector<ContractedSide, 2> sides;
  for (unsigned side : {0u, 1u}) {
    OpOperand &operand = op->getOpOperand(first + side);
    int64_t own = getTensorType(operand.get()).getRank();
    if (own < 2 || own > rank)
      return {};
    auto dims = llvm::to_vector(llvm::seq<int64_t>(rank - own, rank));
    dims[side == 0 ? own - 1 : own - 2] = -1;
    sides.push_back({&operand, dims});
  }
  return sides;
}

std::optional<ElementAccess>
qk::quant_llm::getContractedOperand(const ContractedSide &side, Value result,
                                    const ChannelMap &map) {
  RankedTensorType type = getTensorType(result);
  RankedTensorType own = getTensorType(side.operand->get());
  if (!type || map.size() != static_cast<size_t>(type.getRank()))
    return std::nullopt;
  // Attention whose value heads several query heads share.
  ChannelMap split = map;
  SmallVector<ChannelDigit> shared;
  for (auto [dim, from] : llvm::enumerate(side.resultDims)) {
    if (from < 0 || split[from].empty())
      continue;
    int64_t have = own.getDimSize(dim), want = type.getDimSize(from);
    if (have == want || have == 1)
      continue;
    DimDigits &digits = split[from];
    if (ShapedType::isDynamic(have) || ShapedType::isDynamic(want) ||
        want % have != 0 || digits.size() != 1 || digits[0].isPartial())
      return std::nullopt;
    int64_t queries = want / have;
    shared.push_back({queries, digits[0].stride});
    digits[0] = {have, digits[0].stride * queries};
  }
  ElementAccess access =
      select(*side.operand, split, side.resultDims, type.getShape());
  access.shared.append(shared);
  return access;
}
