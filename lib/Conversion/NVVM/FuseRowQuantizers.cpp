//===- FuseRowQuantizers.cpp - Norms into quantisers ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Packing/RowShapes.h"
#include "QuantizerSpec.h"
#include "RowFusion.h"

#include "qk/Conversion/NVVM/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringMap.h"

namespace qk {
#define GEN_PASS_DEF_FUSEROWQUANTIZERS
#include "qk/Conversion/NVVM/Passes.h.inc"
} // namespace qk

using namespace mlir;
using namespace qk;
using namespace qk::nvvm;
using namespace qk::quant_llm;

namespace {

struct FuseRowQuantizers : qk::impl::FuseRowQuantizersBase<FuseRowQuantizers> {
  using FuseRowQuantizersBase::FuseRowQuantizersBase;

  void runOnOperation() override {
    byText.clear();
    // A size asked of an intermediate result is no use of it.
    RewritePatternSet sizes(&getContext());
    memref::populateResolveRankedShapedTypeResultDimsPatterns(sizes);
    if (failed(applyPatternsGreedily(getOperation(), std::move(sizes))))
      return signalPassFailure();
    SmallVector<QuantizeOp> quantizers;
    getOperation().walk([&](QuantizeOp op) {
      if (declared(op))
        quantizers.push_back(op);
    });
    for (QuantizeOp op : quantizers)
      if (failed(fuse(op)))
        return signalPassFailure();
  }

private:
  /// The function that launches the plain quantiser.
  func::FuncOp declared(QuantizeOp op) {
    auto symbol =
        op->getAttrOfType<FlatSymbolRefAttr>(QuantLLMDialect::kKernelAttr);
    auto function =
        symbol ? getOperation().lookupSymbol<func::FuncOp>(symbol.getAttr())
               : func::FuncOp();
    return function && function->hasAttr(kQuantizerAttr) ? function
                                                         : func::FuncOp();
  }

  LogicalResult fuse(QuantizeOp op);
  std::string programName(const RowFusion &fusion);
  Value sourceBuffer(OpBuilder &b, Location loc,
                     const RowFusion::Source &source, MemRefType wanted);

  /// Names of programs by their text, which equal programs share.
  llvm::StringMap<std::string> byText;
};

/// All elements of `value`, a tensor or a scalar, in one dimension.
Value flatten(OpBuilder &b, Location loc, Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return tensor::FromElementsOp::create(b, loc, ValueRange{value});
  if (type.getRank() == 1)
    return value;
  if (type.getRank() == 0)
    return tensor::ExpandShapeOp::create(
        b, loc, RankedTensorType::get({1}, type.getElementType()), value,
        ArrayRef<ReassociationIndices>{});
  auto all = llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()));
  return tensor::CollapseShapeOp::create(b, loc, value,
                                         ArrayRef<ReassociationIndices>{all});
}

/// `tensor` with its last dimension of more than one element behind one of
/// rows.
Value toRowsOf(OpBuilder &b, Location loc, Value tensor) {
  // Behind it there may be dimensions of size one.
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t last = type.getRank() - 1;
  while (type.getDimSize(last) == 1)
    --last;
  if (last != type.getRank() - 1) {
    SmallVector<ReassociationIndices> groups;
    for (int64_t dim = 0; dim < last; ++dim)
      groups.push_back({dim});
    groups.push_back(
        llvm::to_vector<2>(llvm::seq<int64_t>(last, type.getRank())));
    tensor = tensor::CollapseShapeOp::create(b, loc, tensor, groups);
  }
  return toRows(b, loc, tensor);
}

/// Whether elements of a row will follow each other in memory: not those that a
/// slice takes every second of (gate and up by turns, gpt-oss).
bool hasDenseRows(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      int64_t whole = slice.getSourceType().getShape().back();
      bool isColumn = isOneInteger(slice.getMixedSizes().back()) && whole != 1;
      if (isColumn || !llvm::all_of(slice.getMixedStrides(), isOneInteger))
        return false;
      tensor = slice.getSource();
    } else if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                   tensor::CastOp>(op)) {
      tensor = op->getOperand(0);
    } else if (auto loop = dyn_cast<DestinationStyleOpInterface>(op)) {
      // It may be computed where the slice lies.
      tensor = loop.getTiedOpOperand(cast<OpResult>(tensor))->get();
    } else {
      return true;
    }
  }
  return true;
}

/// `tensor` as a kernel's argument of type `wanted`, which is read.
Value readBuffer(OpBuilder &b, Location loc, Value tensor, MemRefType wanted) {
  auto type = cast<RankedTensorType>(tensor.getType());
  auto exact = MemRefType::get(type.getShape(), type.getElementType(),
                               wanted.getLayout());
  Value buffer = bufferization::ToBufferOp::create(b, loc, exact, tensor,
                                                   /*read_only=*/true);
  return exact == wanted ? buffer
                         : memref::CastOp::create(b, loc, wanted, buffer);
}

Value FuseRowQuantizers::sourceBuffer(OpBuilder &b, Location loc,
                                      const RowFusion::Source &source,
                                      MemRefType wanted) {
  Value rows = source.where != RowSource::Row ? flatten(b, loc, source.value)
                                              : toRowsOf(b, loc, source.value);
  return readBuffer(b, loc, rows, wanted);
}

/// How many rows there are, of a source if one knows.
Value rowsOf(OpBuilder &b, Location loc, ArrayRef<RowFusion::Source> sources,
             ArrayRef<Value> buffers, Value x) {
  for (auto [source, buffer] : llvm::zip(sources, buffers))
    if (source.where == RowSource::Row || source.where == RowSource::Token)
      return memref::DimOp::create(b, loc, buffer, 0);
  return tensor::DimOp::create(b, loc, x, 0);
}

/// The name of `fusion`'s program, which is built unless an equal one is there.
std::string FuseRowQuantizers::programName(const RowFusion &fusion) {
  std::string name;
  for (size_t i = byText.size();
       name.empty() || getOperation().lookupSymbol(name); ++i)
    name = "rows" + std::to_string(i);
  func::FuncOp program = fusion.buildProgram(getOperation(), name);
  program.setName("rows");
  std::string text;
  llvm::raw_string_ostream(text) << program;
  program.setName(name);
  auto [entry, isNew] = byText.try_emplace(text, name);
  if (!isNew)
    program.erase();
  return entry->second;
}

LogicalResult FuseRowQuantizers::fuse(QuantizeOp op) {
  func::FuncOp plain = declared(op);
  std::optional<QuantizerProblem> problem = quantizerOf(plain);
  RowFusion fusion(op, op.getX());
  if (!problem || problem->program || !fusion.isUseful())
    return success();
  // A copy of them would cost more than what is saved.
  for (const RowFusion::Source &source : fusion.sources())
    if (source.where == RowSource::Row && !hasDenseRows(source.value))
      return success();
  std::string name = programName(fusion);
  problem->program =
      rowProgramInfo(getOperation().lookupSymbol<func::FuncOp>(name),
                     problem->k, problem->type);
  if (!problem->program)
    return op.emitError("the operations that compute x make no program of a "
                        "row (@")
           << name << "); lower with model=host and report this";
  func::FuncOp launcher = declareQuantizer(getOperation(), *problem);

  OpBuilder b(op);
  Location loc = op.getLoc();
  SmallVector<Value> arguments;
  auto typeOfNext = [&] {
    return cast<MemRefType>(launcher.getArgumentTypes()[arguments.size()]);
  };
  for (const RowFusion::Source &source : fusion.sources())
    arguments.push_back(sourceBuffer(b, loc, source, typeOfNext()));
  if (op.getFactors())
    arguments.push_back(readBuffer(b, loc, op.getFactors(), typeOfNext()));
  SmallVector<Value> sizes;
  auto codesType = cast<RankedTensorType>(op.getCodes().getType());
  if (codesType.isDynamicDim(0))
    sizes.push_back(rowsOf(b, loc, fusion.sources(), arguments, op.getX()));
  SmallVector<Value> results;
  for (Value result : {op.getCodes(), op.getScales()}) {
    auto type = cast<RankedTensorType>(result.getType());
    auto memref = MemRefType::get(type.getShape(), type.getElementType());
    results.push_back(memref::AllocOp::create(b, loc, memref, sizes));
    arguments.push_back(
        memref::CastOp::create(b, loc, typeOfNext(), results.back()));
  }
  func::CallOp::create(b, loc, launcher, arguments);
  for (auto [result, buffer] : llvm::zip_equal(op->getResults(), results))
    result.replaceAllUsesWith(bufferization::ToTensorOp::create(
        b, loc, result.getType(), buffer, /*restrict=*/true,
        /*writable=*/true));
  op.erase();
  fusion.eraseFused();
  if (SymbolTable::symbolKnownUseEmpty(plain, getOperation()))
    plain.erase();
  return success();
}

} // namespace
