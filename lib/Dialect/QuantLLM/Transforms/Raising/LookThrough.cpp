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
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace qk::quant_llm;

bool qk::quant_llm::isElementwise(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

bool qk::quant_llm::yieldsInput(linalg::GenericOp op, unsigned index) {
  Block &body = op.getRegion().front();
  auto yield = cast<linalg::YieldOp>(body.getTerminator());
  return &body.front() == yield.getOperation() && yield.getNumOperands() == 1 &&
         yield.getOperand(0) == body.getArgument(index);
}

/// Whether the body is one conversion of its first input.
template <typename ConversionOp>
static bool convertsInput(linalg::GenericOp op) {
  Block &body = op.getRegion().front();
  auto conversion = dyn_cast<ConversionOp>(body.front());
  auto yield = cast<linalg::YieldOp>(body.getTerminator());
  return conversion && conversion->getNextNode() == yield.getOperation() &&
         conversion.getIn() == body.getArgument(0) &&
         yield.getNumOperands() == 1 &&
         yield.getOperand(0) == conversion.getOut();
}

/// One input, one output, parallel loops.
static bool isUnary(linalg::GenericOp op) {
  return op.getNumDpsInputs() == 1 && op.getNumDpsInits() == 1 &&
         op->getNumResults() == 1 && isElementwise(op);
}

static bool hasIdentityMaps(linalg::GenericOp op) {
  return llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isIdentity(); });
}

std::optional<ConstantView> qk::quant_llm::viewOfConstant(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isa<FloatType>(type.getElementType()))
    return std::nullopt;
  ConstantView view;
  view.dims = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  // dims[i]: which dimension of the starting value dimension i of the present
  // one is.
  while (true) {
    if (isConstant(value)) {
      view.root = value;
      return view;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return std::nullopt;
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      if (!isa<RankedTensorType>(cast.getSource().getType()))
        return std::nullopt;
      value = cast.getSource();
      continue;
    }
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
      SmallVector<int64_t> dims(view.dims.size());
      for (auto [result, source] : llvm::enumerate(transpose.getPermutation()))
        dims[source] = view.dims[result];
      view.dims = dims;
      value = transpose.getInput();
      continue;
    }
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      std::swap(view.dims[0], view.dims[1]);
      value = transpose.getWeight();
      continue;
    }
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic || !isUnary(generic) ||
        !(yieldsInput(generic, 0) || convertsInput<arith::ExtFOp>(generic)))
      return std::nullopt;
    AffineMap in = generic.getIndexingMapsArray()[0];
    AffineMap out = generic.getIndexingMapsArray()[1];
    if (!in.isPermutation() || !out.isPermutation())
      return std::nullopt;
    // Loop l is dimension outDim of the result and inDim of the input.
    SmallVector<int64_t> dims(view.dims.size());
    for (unsigned outDim = 0; outDim < out.getNumResults(); ++outDim) {
      unsigned loop = out.getDimPosition(outDim);
      std::optional<unsigned> inDim =
          in.getResultPosition(getAffineDimExpr(loop, op->getContext()));
      dims[*inDim] = view.dims[outDim];
    }
    view.dims = dims;
    value = generic.getDpsInputOperand(0)->get();
  }
}

bool qk::quant_llm::isZeroFilled(Value value) {
  if (auto fill = value.getDefiningOp<linalg::FillOp>())
    return matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
  if (auto cast = value.getDefiningOp<tensor::CastOp>())
    return isZeroFilled(cast.getSource());
  return matchPattern(value, m_AnyZeroFloat());
}

Value qk::quant_llm::widenedFrom(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || !isUnary(generic) || !hasIdentityMaps(generic) ||
      !convertsInput<arith::ExtFOp>(generic))
    return {};
  return generic.getDpsInputOperand(0)->get();
}

Value qk::quant_llm::narrowedTo(Value value) {
  if (!value.hasOneUse())
    return {};
  auto generic = dyn_cast<linalg::GenericOp>(*value.user_begin());
  if (!generic || !isUnary(generic) || !hasIdentityMaps(generic) ||
      generic.getDpsInputOperand(0)->get() != value ||
      !convertsInput<arith::TruncFOp>(generic))
    return {};
  return generic.getResult(0);
}

Value qk::quant_llm::repeatedVector(Value value) {
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  if (auto broadcast = value.getDefiningOp<linalg::BroadcastOp>()) {
    auto input = dyn_cast<RankedTensorType>(broadcast.getInput().getType());
    // All but the last dimension are added.
    if (input && input.getRank() == 1 &&
        llvm::equal(broadcast.getDimensions(), llvm::seq<int64_t>(0, rank - 1)))
      return broadcast.getInput();
    return {};
  }
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || !isUnary(generic) || !yieldsInput(generic, 0))
    return {};
  AffineMap in = generic.getIndexingMapsArray()[0];
  AffineMap out = generic.getIndexingMapsArray()[1];
  if (!out.isIdentity() || in.getNumResults() != 1 ||
      in.getResult(0) != out.getResult(rank - 1))
    return {};
  return generic.getDpsInputOperand(0)->get();
}
