//===- NestWriter.cpp - Loops of a linalg operation on buffers ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NestWriter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

using namespace mlir;
using namespace qk;

/// The extent of a buffer's dimension where a value for it exists, so that
/// equal extents are equal values.
static OpFoldResult knownExtent(OpBuilder &builder, Value buffer, int64_t dim) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  if (auto alloc = buffer.getDefiningOp<memref::AllocOp>())
    return alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)];
  if (auto expand = buffer.getDefiningOp<memref::ExpandShapeOp>())
    return expand.getMixedOutputShape()[dim];
  return {};
}

bool NestWriter::carriesResults() const {
  return !kinds.empty() && kinds.back() == utils::IteratorType::reduction;
}

bool NestWriter::carriesResultsOnce() const {
  auto *first = llvm::find(kinds, utils::IteratorType::reduction);
  return first != kinds.end() &&
         std::all_of(first, kinds.end(), [](utils::IteratorType kind) {
           return kind == utils::IteratorType::reduction;
         });
}

/// How many outer loops may run in parallel: all leading parallel ones, but
/// one loop stays inside for the vectorizer.
unsigned NestWriter::parallelDepth() const {
  unsigned leading = 0;
  while (leading < kinds.size() &&
         kinds[leading] == utils::IteratorType::parallel)
    ++leading;
  return leading == kinds.size() && leading > 0 ? leading - 1 : leading;
}

/// The extents of all loops, made at the builder's insertion point.
SmallVector<OpFoldResult> NestWriter::extents() {
  SmallVector<OpFoldResult> result(kinds.size());
  // Values that exist first, whichever operand has them.
  for (bool create : {false, true})
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(&operand);
      for (auto [position, expr] : llvm::enumerate(map.getResults())) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        if (!dim || result[dim.getPosition()])
          continue;
        OpFoldResult &extent = result[dim.getPosition()];
        extent = knownExtent(builder, operand.get(), position);
        if (!extent && create)
          extent =
              builder.createOrFold<memref::DimOp>(loc, operand.get(), position);
      }
    }
  return result;
}

/// For operations with a single inner loop that share it: what comes before
/// the loop (gives the values it carries), in it, and after it.
SmallVector<Value> NestWriter::begin(ArrayRef<Value> outer) {
  ivs.assign(outer.begin(), outer.end());
  firstCarried = carriesResults() ? outer.size() : kinds.size();
  loadAvailable();
  SmallVector<Value> carried;
  if (carriesResults())
    for (OpOperand &init : op.getDpsInitsMutable())
      carried.push_back(initialValue ? initialValue : load(init));
  return carried;
}
SmallVector<Value> NestWriter::iterate(Value iv, ArrayRef<Value> carried) {
  ivs.push_back(iv);
  loadAvailable();
  SmallVector<Value> results(carried);
  if (!carriesResults()) {
    for (OpOperand &init : op.getDpsInitsMutable())
      results.push_back(op.payloadUsesValueFromOperand(&init) ? load(init)
                                                              : Value());
    store(writeBody(results));
    results.clear();
  } else {
    results = writeBody(carried);
  }
  ivs.pop_back();
  return results;
}
void NestWriter::finish(ArrayRef<Value> carried) {
  if (carriesResults())
    store(carried);
}

/// Writes the loops from `outer.size()` inwards.
void NestWriter::write(ArrayRef<Value> outer, ArrayRef<OpFoldResult> extents) {
  ivs.assign(outer.begin(), outer.end());
  loadAvailable();
  // From here inwards only reductions: results live in registers.
  firstCarried = kinds.size();
  while (firstCarried > outer.size() &&
         kinds[firstCarried - 1] == utils::IteratorType::reduction)
    --firstCarried;
  writeLoop(outer.size(), extents);
}

void NestWriter::writeLoop(unsigned depth, ArrayRef<OpFoldResult> extents) {
  if (depth == firstCarried) {
    SmallVector<Value> results;
    for (OpOperand &init : op.getDpsInitsMutable())
      results.push_back(initialValue ? initialValue
                        : op.payloadUsesValueFromOperand(&init) ||
                                depth < kinds.size()
                            ? load(init)
                            : Value());
    store(writeCarried(depth, extents, results));
    return;
  }
  scf::ForOp each = forOp(extents[depth], {});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(each.getBody());
  ivs.push_back(each.getInductionVar());
  loadAvailable();
  writeLoop(depth + 1, extents);
  ivs.pop_back();
}

/// Loads the inputs that the loops so far determine: further in, a store
/// could be to the same place for all that LLVM knows, and they (and what is
/// computed from them) would be loaded again and again.
void NestWriter::loadAvailable() {
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (loaded.contains(input) || !op.payloadUsesValueFromOperand(input))
      continue;
    bool available =
        ivs.size() == kinds.size() ||
        llvm::all_of(op.getMatchingIndexingMap(input).getResults(),
                     [&](AffineExpr expr) {
                       auto dim = dyn_cast<AffineDimExpr>(expr);
                       return isa<AffineConstantExpr>(expr) ||
                              (dim && dim.getPosition() < ivs.size());
                     });
    if (available)
      loaded[input] = load(*input);
  }
}

SmallVector<Value> NestWriter::writeCarried(unsigned depth,
                                            ArrayRef<OpFoldResult> extents,
                                            ArrayRef<Value> results) {
  if (depth == kinds.size())
    return writeBody(results);
  scf::ForOp each = forOp(extents[depth], results);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(each.getBody());
  ivs.push_back(each.getInductionVar());
  loadAvailable();
  SmallVector<Value> carried(each.getRegionIterArgs());
  carried = writeCarried(depth + 1, extents, carried);
  ivs.pop_back();
  scf::YieldOp::create(builder, loc, carried);
  return SmallVector<Value>(each.getResults());
}

scf::ForOp NestWriter::forOp(OpFoldResult extent, ValueRange carried) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value end = getValueOrCreateConstantIndexOp(builder, loc, extent);
  return scf::ForOp::create(builder, loc, zero, end, one, carried);
}

SmallVector<Value> NestWriter::indicesOf(OpOperand &operand) {
  SmallVector<Value> indices;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      indices.push_back(ivs[dim.getPosition()]);
    else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      indices.push_back(
          arith::ConstantIndexOp::create(builder, loc, constant.getValue()));
    else
      indices.push_back(affine::AffineApplyOp::create(
          builder, loc, AffineMap::get(map.getNumDims(), 0, expr), ivs));
  }
  return indices;
}

void NestWriter::store(ArrayRef<Value> results) {
  for (auto [init, result] : llvm::zip_equal(op.getDpsInitsMutable(), results))
    memref::StoreOp::create(builder, loc, result, init.get(), indicesOf(init));
}

Value NestWriter::load(OpOperand &operand) {
  if (!isa<MemRefType>(operand.get().getType()))
    return operand.get();
  return memref::LoadOp::create(builder, loc, operand.get(),
                                indicesOf(operand));
}

/// One iteration; takes and gives the values of the results.
SmallVector<Value> NestWriter::writeBody(ArrayRef<Value> results) {
  Block *body = op.getBlock();
  IRMapping mapping;
  for (auto [input, value] : loaded)
    mapping.map(op.getMatchingBlockArgument(input), value);
  for (auto [init, result] : llvm::zip_equal(op.getDpsInitsMutable(), results))
    if (result)
      mapping.map(op.getMatchingBlockArgument(&init), result);
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      mapping.map(index.getResult(), ivs[index.getDim()]);
      continue;
    }
    Operation *copy = builder.clone(inner, mapping);
    SmallVector<linalg::IndexOp> nested;
    copy->walk([&](linalg::IndexOp index) { nested.push_back(index); });
    for (linalg::IndexOp index : nested) {
      index.replaceAllUsesWith(ivs[index.getDim()]);
      index.erase();
    }
    if (firstCarried < kinds.size())
      allowReordering(inner, *copy);
  }
  return llvm::map_to_vector(
      body->getTerminator()->getOperands(),
      [&](Value yielded) { return mapping.lookupOrDefault(yielded); });
}

/// Whether so few terms are summed that they may as well be summed in order.
static bool isShortSum(linalg::LinalgOp op) {
  constexpr int64_t kTerms = 64;
  int64_t terms = 1;
  for (auto [kind, size] :
       llvm::zip_equal(op.getIteratorTypesArray(), op.getStaticLoopRanges()))
    if (kind == utils::IteratorType::reduction)
      terms = ShapedType::isDynamic(size) || size > kTerms ? kTerms + 1
                                                           : terms * size;
  return terms <= kTerms;
}

/// Marks the addition of a sum: without it no float reduction is vectorized.
void NestWriter::allowReordering(Operation &inner, Operation &copy) {
  if (!isa<arith::AddFOp, arith::MulFOp>(inner) || isShortSum(op) ||
      op->getParentOfType<ModuleOp>()->hasAttr(plainArithmeticAttrName))
    return;
  bool combines = llvm::any_of(inner.getOperands(), [&](Value operand) {
    auto argument = dyn_cast<BlockArgument>(operand);
    return argument && argument.getOwner() == op.getBlock() &&
           argument.getArgNumber() >= op.getNumDpsInputs();
  });
  auto flags = dyn_cast<arith::ArithFastMathInterface>(copy);
  if (!combines || !flags)
    return;
  copy.setAttr(flags.getFastMathAttrName(),
               arith::FastMathFlagsAttr::get(
                   op.getContext(), flags.getFastMathFlagsAttr().getValue() |
                                        arith::FastMathFlags::reassoc));
}
