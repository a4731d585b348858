//===- NormalizeContractions.cpp - Float contractions in one form ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_NORMALIZECONTRACTIONS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// If `op` only moves elements of its single input (a transpose, or a generic
/// that yields its input), the input and where each of its dimensions comes
/// from: a map from the result's dimensions to the input's.
static std::optional<std::pair<Value, AffineMap>> asMove(Operation *op) {
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalgOp || linalgOp.getNumDpsInputs() != 1 ||
      linalgOp.getNumDpsInits() != 1 ||
      linalgOp.getNumLoops() != linalgOp.getNumParallelLoops())
    return std::nullopt;
  Block *body = linalgOp.getBlock();
  if (body->getTerminator()->getOperand(0) != body->getArgument(0))
    return std::nullopt;
  SmallVector<AffineMap> maps = linalgOp.getIndexingMapsArray();
  if (!isa<RankedTensorType>(linalgOp.getDpsInputs()[0].getType()) ||
      !maps[0].isProjectedPermutation() || !maps[1].isPermutation())
    return std::nullopt;
  return std::pair(linalgOp.getDpsInputs()[0],
                   maps[0].compose(inversePermutation(maps[1])));
}

/// An operand of a contraction seen through all moves.
static std::pair<Value, AffineMap> lookThrough(Value value, AffineMap map) {
  while (auto move = asMove(value.getDefiningOp())) {
    map = move->second.compose(map);
    value = move->first;
  }
  return {value, map};
}

/// A new tensor with the shape of `like`.
static Value emptyLike(OpBuilder &builder, Location loc, Value like,
                       Type elementType) {
  return tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, like), elementType);
}

/// `value` converted element by element (extf or truncf).
static Value convert(OpBuilder &builder, Location loc, Value value, Type to) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == to)
    return value;
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> kinds(type.getRank(),
                                         utils::IteratorType::parallel);
  bool extends = type.getElementTypeBitWidth() < to.getIntOrFloatBitWidth();
  return linalg::GenericOp::create(
             builder, loc, type.clone(to), value,
             emptyLike(builder, loc, value, to),
             ArrayRef<AffineMap>{identity, identity}, kinds,
             [&](OpBuilder &inner, Location, ValueRange arguments) {
               Value result = extends ? Value(arith::ExtFOp::create(
                                            inner, loc, to, arguments[0]))
                                      : Value(arith::TruncFOp::create(
                                            inner, loc, to, arguments[0]));
               linalg::YieldOp::create(inner, loc, result);
             })
      .getResult(0);
}

/// The initial value of the sum, in f32 and for this contraction only: a fill
/// that two contractions share would be copied for the second.
static Value ownInit(OpBuilder &builder, Location loc, Value init) {
  Type f32 = builder.getF32Type();
  auto fill = init.getDefiningOp<linalg::FillOp>();
  if (!fill)
    return convert(builder, loc, init, f32);
  Value start = fill.getInputs()[0];
  if (start.getType() != f32)
    start = arith::ExtFOp::create(builder, loc, f32, start);
  return linalg::FillOp::create(builder, loc, start,
                                emptyLike(builder, loc, init, f32))
      .getResult(0);
}

static bool isSmallFloat(Type type) {
  return type.isF16() || type.isBF16() || type.isF32();
}

static void normalize(linalg::LinalgOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type f32 = builder.getF32Type();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Value> inputs;
  for (auto [position, input] : llvm::enumerate(op.getDpsInputs())) {
    auto [source, map] = lookThrough(input, maps[position]);
    inputs.push_back(convert(builder, loc, source, f32));
    maps[position] = map;
  }
  Value init = op.getDpsInits()[0];
  Type element = getElementTypeOrSelf(init.getType());
  Value sum = ownInit(builder, loc, init);
  auto product = linalg::GenericOp::create(
      builder, loc, sum.getType(), inputs, sum, maps,
      op.getIteratorTypesArray(),
      [&](OpBuilder &inner, Location, ValueRange arguments) {
        Value term =
            arith::MulFOp::create(inner, loc, arguments[0], arguments[1]);
        term = arith::AddFOp::create(inner, loc, arguments[2], term);
        linalg::YieldOp::create(inner, loc, term);
      });
  op->getResult(0).replaceAllUsesWith(
      convert(builder, loc, product.getResult(0), element));
  op->erase();
}

namespace {
struct NormalizeContractions
    : qk::impl::NormalizeContractionsBase<NormalizeContractions> {
  void runOnOperation() override {
    if (failed(decompose()))
      return signalPassFailure();
    SmallVector<linalg::LinalgOp> contractions;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!op.hasPureTensorSemantics() ||
          !linalg::isaContractionOpInterface(op))
        return;
      for (Value operand : op->getOperands())
        if (!isSmallFloat(getElementTypeOrSelf(operand.getType())))
          return;
      contractions.push_back(op);
    });
    for (linalg::LinalgOp op : contractions)
      normalize(op);
  }

private:
  /// A softmax by its name has no loops of its own, but stands for some.
  LogicalResult decompose() {
    SmallVector<linalg::SoftmaxOp> whole;
    getOperation().walk([&](linalg::SoftmaxOp op) {
      if (op.hasPureTensorSemantics())
        whole.push_back(op);
    });
    for (linalg::SoftmaxOp op : whole) {
      OpBuilder builder(op);
      FailureOr<SmallVector<Value>> parts = op.decomposeOperation(builder);
      if (failed(parts))
        return op.emitError("a softmax of ")
               << op.getInputOperandType() << " can't be taken apart";
      op->replaceAllUsesWith(*parts);
      op.erase();
    }
    return success();
  }
};
} // namespace
