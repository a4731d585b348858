//===- LinalgForm.cpp - Linear layers written in linalg -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What torch-mlir (linalg-on-tensors) and others make of a linear layer:
///
///   product = contraction(x, view of a constant) into zeros, or a bias
///   sum     = product + repeated constant vector             (optional)
///   result  = narrowed sum, for f16 and bf16 computed in f32 (optional)
///
/// The contraction is classified by its indexing maps, never by its name, so
/// that a transposed operand can't be missed.
///
//===----------------------------------------------------------------------===//

#include "LinearForm.h"
#include "LookThrough.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

using namespace mlir;
using namespace qk::quant_llm;

/// The elementwise sum of `product`, its only user, with a constant vector
/// repeated along the last dimension.
struct BiasAdd {
  Value sum;
  Value bias;
};

/// The constant vector that `value` is, widening looked through.
static Value constantVector(Value value) {
  std::optional<ConstantView> view = viewOfConstant(value);
  if (!view || view->dims.size() != 1)
    return {};
  return view->root;
}

/// The constant vector that an operand of an elementwise op adds along the
/// last dimension of the result: used with map (…, d) -> (d), or repeated
/// before.
static Value biasOperand(Value operand, AffineMap map, AffineMap resultMap) {
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  if (!type)
    return {};
  if (type.getRank() == 1 && map.getNumResults() == 1 &&
      map.getResult(0) == resultMap.getResults().back())
    return constantVector(operand);
  if (map != resultMap)
    return {};
  Value vector = repeatedVector(operand);
  if (!vector) {
    // Repeated first, widened after.
    if (Value narrow = widenedFrom(operand))
      vector = repeatedVector(narrow);
  }
  return vector ? constantVector(vector) : Value();
}

static std::optional<BiasAdd> findBiasAdd(Value product) {
  if (!product.hasOneUse())
    return std::nullopt;
  auto user = dyn_cast<linalg::LinalgOp>(*product.user_begin());
  if (!user || user.getNumDpsInputs() != 2 || user.getNumDpsInits() != 1 ||
      user.getNumParallelLoops() != user.getNumLoops() ||
      !isa<linalg::GenericOp, linalg::AddOp>(user.getOperation()))
    return std::nullopt;
  if (auto generic = dyn_cast<linalg::GenericOp>(user.getOperation())) {
    Block &body = generic.getRegion().front();
    auto add = dyn_cast<arith::AddFOp>(body.front());
    auto yield = cast<linalg::YieldOp>(body.getTerminator());
    if (!add || add->getNextNode() != yield.getOperation() ||
        yield.getOperand(0) != add.getResult())
      return std::nullopt;
    Value a = body.getArgument(0), b = body.getArgument(1);
    if (!(add.getLhs() == a && add.getRhs() == b) &&
        !(add.getLhs() == b && add.getRhs() == a))
      return std::nullopt;
  }
  SmallVector<AffineMap> maps = user.getIndexingMapsArray();
  AffineMap resultMap = maps.back();
  if (!resultMap.isIdentity())
    return std::nullopt;
  unsigned side = user.getDpsInputOperand(0)->get() == product ? 0 : 1;
  if (user.getDpsInputOperand(side)->get() != product ||
      maps[side] != resultMap)
    return std::nullopt;
  Value bias = biasOperand(user.getDpsInputOperand(1 - side)->get(),
                           maps[1 - side], resultMap);
  if (!bias)
    return std::nullopt;
  return BiasAdd{user->getResult(0), bias};
}

/// Whether `map` takes exactly the loops `dims` in that order.
static bool mapIs(AffineMap map, ArrayRef<unsigned> dims) {
  if (map.getNumResults() != dims.size())
    return false;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    auto expr = dyn_cast<AffineDimExpr>(map.getResult(i));
    if (!expr || expr.getPosition() != dim)
      return false;
  }
  return true;
}

/// The element type and the activation of the layer: where the whole layer is
/// computed in f32 between a widened input and a narrowed result, the layer
/// itself is in the narrow type.
static bool settleTypes(LinearMatch &match) {
  auto element = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  if (Value narrow = narrowedTo(match.result)) {
    Value x = match.x;
    if (element(x) != element(narrow))
      if (Value source = widenedFrom(x))
        x = source;
    if (element(x) == element(narrow)) {
      match.x = x;
      match.result = narrow;
      return true;
    }
  }
  return element(match.x) == element(match.result);
}

LinearFinding qk::quant_llm::findLinalgLinear(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() ||
      !linalg::isaContractionOpInterface(linalgOp))
    return LinearFinding::unrelated();
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(linalgOp);
  if (failed(dims))
    return LinearFinding::unrelated();

  Value lhs = linalgOp.getDpsInputOperand(0)->get();
  Value rhs = linalgOp.getDpsInputOperand(1)->get();
  if (!isa<FloatType>(getElementTypeOrSelf(lhs.getType())))
    return LinearFinding::unrelated();
  std::optional<ConstantView> lhsConstant = viewOfConstant(lhs);
  std::optional<ConstantView> rhsConstant = viewOfConstant(rhs);

  if (!lhsConstant && !rhsConstant) {
    // Attention products are batched; an unbatched product of two computed
    // values is a linear layer whose weight isn't known.
    if (!dims->batch.empty())
      return LinearFinding::unrelated();
    return LinearFinding::rejected(
        "neither operand is a constant: a weight must be known when the model "
        "is compiled");
  }
  if (lhsConstant && rhsConstant)
    return LinearFinding::rejected("both operands are constants");
  if (lhsConstant)
    return LinearFinding::rejected(
        "the constant is the left operand, a product W*x; expected x*W");
  if (!dims->batch.empty())
    return LinearFinding::rejected(
        "the weight has a batch dimension; expected one weight for all "
        "batches");
  if (dims->k.size() != 1 || dims->n.size() != 1)
    return LinearFinding::rejected(
        "expected one contracted and one output dimension of the weight, got " +
        Twine(dims->k.size()) + " and " + Twine(dims->n.size()));

  unsigned k = dims->k.front(), n = dims->n.front();
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  SmallVector<unsigned> xDims(dims->m.begin(), dims->m.end());
  xDims.push_back(k);
  SmallVector<unsigned> yDims(dims->m.begin(), dims->m.end());
  yDims.push_back(n);
  if (!mapIs(maps[0], xDims) || !mapIs(maps[2], yDims))
    return LinearFinding::rejected(
        "the contracted dimension isn't the last one of the activation, or the "
        "output channels aren't the last dimension of the result");

  LinearMatch match;
  match.contraction = op;
  match.x = lhs;
  match.weight = rhsConstant->root;
  // The operand's dimension that is N, then the constant's.
  bool operandIsKN = mapIs(maps[1], {k, n});
  if (!operandIsKN && !mapIs(maps[1], {n, k}))
    return LinearFinding::rejected("the weight's dimensions aren't the loops "
                                   "of the contraction");
  int64_t operandN = operandIsKN ? 1 : 0;
  match.transposed = rhsConstant->dims[0] != operandN;
  auto weightType = cast<RankedTensorType>(match.weight.getType());
  if (!weightType.hasStaticShape())
    return LinearFinding::rejected("the weight has dynamic dimensions");

  match.result = op->getResult(0);
  Value init = linalgOp.getDpsInitOperand(0)->get();
  if (!isZeroFilled(init)) {
    Value vector = repeatedVector(init);
    match.bias = vector ? constantVector(vector) : Value();
    if (!match.bias)
      return LinearFinding::rejected(
          "the product is added to a computed value; expected zeros or a "
          "constant bias");
  } else if (std::optional<BiasAdd> add = findBiasAdd(match.result)) {
    match.result = add->sum;
    match.bias = add->bias;
  }
  if (!settleTypes(match))
    return LinearFinding::rejected(
        "input and result have different element types");
  return {match, ""};
}
