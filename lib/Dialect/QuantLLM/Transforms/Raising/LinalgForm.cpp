//===- LinalgForm.cpp - Linear layers written in linalg -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What torch-mlir (linalg-on-tensors), IREE, JAX through StableHLO and others
/// make of a linear layer:
///
///   product = contraction(x, view of a constant) into zeros, or a bias
///   sum     = product + repeated constant vector             (optional)
///   result  = narrowed sum, for f16 and bf16 computed in f32 (optional)
///
/// The contraction is classified by its indexing maps and body, never by its
/// name, so that a transposed operand can't be missed. Convolutions of size 1
/// are contractions too.
///
//===----------------------------------------------------------------------===//

#include "LinearForm.h"
#include "LookThrough.h"
#include "Product.h"
#include "StridedConstant.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace qk::quant_llm;

/// Whether the body is out + a * b and nothing else, in whatever float types
/// and in any order of the operands.
static bool isSumOfProducts(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  auto yield = dyn_cast<linalg::YieldOp>(body->getTerminator());
  if (!yield || yield.getNumOperands() != 1 || body->getNumArguments() != 3)
    return false;
  auto sum =
      skipFloatConversions(yield.getOperand(0)).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value out = body->getArgument(2);
  Value product =
      skipFloatConversions(sum.getLhs()) == out ? sum.getRhs() : sum.getLhs();
  if (skipFloatConversions(sum.getLhs()) != out &&
      skipFloatConversions(sum.getRhs()) != out)
    return false;
  auto factors = skipFloatConversions(product).getDefiningOp<arith::MulFOp>();
  if (!factors)
    return false;
  Value a = skipFloatConversions(factors.getLhs());
  Value b = skipFloatConversions(factors.getRhs());
  if (a != body->getArgument(0))
    std::swap(a, b);
  return a == body->getArgument(0) && b == body->getArgument(1);
}

namespace {

/// Loops of a contraction by what they index; those of x and the result alone
/// aren't named.
struct Loops {
  SmallVector<unsigned> batch; // x, weight and result
  SmallVector<unsigned> k;     // x and weight, in the order of x
  SmallVector<unsigned> n;     // weight and result, in the order of the result
};

} // namespace

/// nullopt for anything but a contraction.
static std::optional<Loops> classifyLoops(AffineMap x, AffineMap weight,
                                          AffineMap result) {
  for (AffineMap map : {x, weight, result})
    if (!map.isProjectedPermutation())
      return std::nullopt;
  Loops loops;
  for (AffineExpr expr : x.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    bool inWeight = weight.isFunctionOfDim(loop);
    bool inResult = result.isFunctionOfDim(loop);
    if (!inWeight && !inResult)
      return std::nullopt;
    if (!inResult)
      loops.k.push_back(loop);
    else if (inWeight)
      loops.batch.push_back(loop);
  }
  for (AffineExpr expr : result.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (x.isFunctionOfDim(loop))
      continue;
    if (!weight.isFunctionOfDim(loop))
      return std::nullopt;
    loops.n.push_back(loop);
  }
  for (AffineExpr expr : weight.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (!x.isFunctionOfDim(loop) && !result.isFunctionOfDim(loop))
      return std::nullopt;
  }
  return loops;
}

/// The loops that `map` takes, less those in `without`.
static SmallVector<unsigned> loopsOf(AffineMap map,
                                     ArrayRef<unsigned> without) {
  SmallVector<unsigned> loops;
  for (AffineExpr expr : map.getResults()) {
    unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    if (!llvm::is_contained(without, loop))
      loops.push_back(loop);
  }
  return loops;
}

static LinearFinding findContraction(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumReductionLoops() == 0 || !isSumOfProducts(op))
    return LinearFinding::unrelated();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Value lhs = op.getDpsInputOperand(0)->get();
  Value rhs = op.getDpsInputOperand(1)->get();
  if (!isa<RankedTensorType>(lhs.getType()) ||
      !isa<RankedTensorType>(rhs.getType()))
    return LinearFinding::unrelated();
  bool left = stridesOfConstant(lhs).has_value();
  bool right = stridesOfConstant(rhs).has_value();
  AffineMap xMap = maps[left ? 1 : 0], weightMap = maps[left ? 0 : 1];
  std::optional<Loops> loops = classifyLoops(xMap, weightMap, maps[2]);
  if (!loops)
    return LinearFinding::unrelated();
  if (!left && !right)
    return explainComputed(lhs, rhs, !loops->batch.empty());
  if (left && right)
    return LinearFinding::rejected("both operands are constants");
  if (loops->n.empty())
    return LinearFinding::rejected(
        "the product has no output channels: each element of the constant is "
        "multiplied with one of the activation");

  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (llvm::all_of(loops->k, [&](unsigned loop) { return sizes[loop] == 1; }))
    return rejectOuterProduct();
  Product product;
  product.op = op;
  product.x = left ? rhs : lhs;
  product.weight = left ? lhs : rhs;
  auto dimOf = [&](unsigned loop) {
    return *weightMap.getResultPosition(
        getAffineDimExpr(loop, op->getContext()));
  };
  product.n = llvm::map_to_vector(loops->n, dimOf);
  product.k = llvm::map_to_vector(loops->k, dimOf);
  product.init = op.getDpsInitOperand(0)->get();
  // A layer has the contracted loops last in x, the output channels last in the
  // result, and all others in the same order.
  SmallVector<unsigned> kept = loopsOf(xMap, loops->k);
  SmallVector<unsigned> xLoops(kept), resultLoops(kept);
  llvm::append_range(xLoops, loops->k);
  llvm::append_range(resultLoops, loops->n);
  SmallVector<unsigned> result = loopsOf(maps[2], {});
  if (loopsOf(xMap, {}) != xLoops || result != resultLoops) {
    for (unsigned loop : xLoops)
      product.xOrder.push_back(
          *xMap.getResultPosition(getAffineDimExpr(loop, op->getContext())));
    for (unsigned loop : result)
      product.resultOrder.push_back(
          std::distance(resultLoops.begin(), llvm::find(resultLoops, loop)));
  }
  return findLinearAround(product);
}

/// Dimensions of a convolution's filter.
struct FilterLayout {
  SmallVector<unsigned> window;
  unsigned input, output;
};

/// Nullopt for other convolutions.
static std::optional<FilterLayout> getFilterLayout(Operation *op) {
  if (isa<linalg::Conv2DNhwcHwcfOp>(op))
    return FilterLayout{{0, 1}, 2, 3};
  if (isa<linalg::Conv2DNhwcFhwcOp>(op))
    return FilterLayout{{1, 2}, 3, 0};
  if (isa<linalg::Conv1DNwcWcfOp>(op))
    return FilterLayout{{0}, 1, 2};
  if (isa<linalg::Conv2DNchwFchwOp>(op))
    return FilterLayout{{2, 3}, 1, 0};
  if (isa<linalg::Conv1DNcwFcwOp>(op))
    return FilterLayout{{2}, 1, 0};
  return std::nullopt;
}

/// A convolution of size one; null dimensions are unrelated.
static LinearFinding findConvolution(linalg::LinalgOp op) {
  std::optional<FilterLayout> layout = getFilterLayout(op);
  if (!layout)
    return LinearFinding::unrelated();
  Value x = op.getDpsInputOperand(0)->get();
  Value weight = op.getDpsInputOperand(1)->get();
  auto type = dyn_cast<RankedTensorType>(weight.getType());
  if (!type || !isa<FloatType>(type.getElementType()) ||
      llvm::any_of(layout->window,
                   [&](unsigned dim) { return type.getDimSize(dim) != 1; }))
    return LinearFinding::unrelated();
  if (!stridesOfConstant(weight))
    return explainComputed(x, weight, /*isBatched=*/false);
  auto strides = op->getAttrOfType<DenseIntElementsAttr>("strides");
  if (strides && llvm::any_of(strides.getValues<int64_t>(),
                              [](int64_t stride) { return stride != 1; }))
    return LinearFinding::rejected(
        "a convolution of size 1 with stride; expected stride 1");
  Product product;
  product.op = op;
  product.x = x;
  product.weight = weight;
  product.n = {layout->output};
  product.k = {layout->input};
  product.init = op.getDpsInitOperand(0)->get();
  if (isa<linalg::Conv2DNchwFchwOp>(op.getOperation())) {
    product.xOrder = {0, 2, 3, 1};
    product.resultOrder = {0, 3, 1, 2};
  } else if (isa<linalg::Conv1DNcwFcwOp>(op.getOperation())) {
    product.xOrder = {0, 2, 1};
    product.resultOrder = {0, 2, 1};
  }
  return findLinearAround(product);
}

LinearFinding qk::quant_llm::findLinalgLinear(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalgOp.hasPureTensorSemantics() ||
      op->getNumResults() != 1 ||
      !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())))
    return LinearFinding::unrelated();
  if (isa<linalg::ConvolutionOpInterface>(op))
    return findConvolution(linalgOp);
  return findContraction(linalgOp);
}
