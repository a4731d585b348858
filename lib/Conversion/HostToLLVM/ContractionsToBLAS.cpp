//===- ContractionsToBLAS.cpp - f32 contractions as runtime calls ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_CONTRACTIONSTOBLAS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// The runtime's product, and the one for modules whose sums have an order.
static constexpr llvm::StringLiteral gemmName = "qk_sgemm_batch";
static constexpr llvm::StringLiteral orderedGemmName = "qk_sgemm_ordered_batch";

namespace {

enum Role { A = 0, B = 1, C = 2 };

/// One loop, or several merged into one: its extent and how far each operand
/// moves per step (zero for an operand that doesn't have it).
struct Extent {
  Value size;
  std::array<Value, 3> stride;
  /// First and last loop dimension that were merged into it.
  unsigned outer, inner;
};

/// Reads a contraction on f32 buffers and writes the call for it.
class CallWriter {
public:
  CallWriter(RewriterBase &rewriter, linalg::LinalgOp op,
             linalg::ContractionDimensions dims)
      : rewriter(rewriter), op(op), dims(std::move(dims)), loc(op.getLoc()) {}

  /// Success if the call was written; else the op is as it was.
  LogicalResult write(func::FuncOp gemm);

private:
  bool readOperands();
  std::optional<unsigned> position(unsigned dim, Role role) const;
  bool mayMerge(const Extent &outer, const Extent &inner) const;
  SmallVector<Extent> extentsOf(ArrayRef<unsigned> loops);
  Extent extentOf(unsigned dim);
  Extent unit();
  bool hasUnitStrideInC(const Extent &extent) const;
  Operation *zeroFill() const;
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(rewriter, loc, value);
  }
  Value toI64(Value value) {
    return arith::IndexCastOp::create(rewriter, loc, rewriter.getI64Type(),
                                      value);
  }

  RewriterBase &rewriter;
  linalg::LinalgOp op;
  linalg::ContractionDimensions dims;
  Location loc;

  std::array<Value, 3> buffers;
  std::array<MemRefType, 3> types;
  std::array<AffineMap, 3> maps;
  std::array<SmallVector<int64_t>, 3> staticStrides;
  std::array<SmallVector<Value>, 3> strides;
};

} // namespace

bool CallWriter::readOperands() {
  SmallVector<Value> values = {op.getDpsInputs()[0], op.getDpsInputs()[1],
                               op.getDpsInits()[0]};
  for (Role role : {A, B, C}) {
    types[role] = dyn_cast<MemRefType>(values[role].getType());
    if (!types[role] || !types[role].getElementType().isF32())
      return false;
    int64_t offset;
    if (failed(types[role].getStridesAndOffset(staticStrides[role], offset)))
      return false;
    buffers[role] = values[role];
    maps[role] = op.getIndexingMapsArray()[role];
    if (!maps[role].isProjectedPermutation())
      return false;
  }
  return true;
}

std::optional<unsigned> CallWriter::position(unsigned dim, Role role) const {
  for (auto [where, expr] : llvm::enumerate(maps[role].getResults()))
    if (cast<AffineDimExpr>(expr).getPosition() == dim)
      return where;
  return std::nullopt;
}

Extent CallWriter::extentOf(unsigned dim) {
  Extent extent = {Value(), {}, dim, dim};
  for (Role role : {A, B, C}) {
    std::optional<unsigned> where = position(dim, role);
    extent.stride[role] = where ? strides[role][*where] : index(0);
    if (where && !extent.size)
      extent.size = memref::DimOp::create(rewriter, loc, buffers[role], *where);
  }
  return extent;
}

/// Whether `outer` steps exactly over all of `inner` in every operand.
bool CallWriter::mayMerge(const Extent &outer, const Extent &inner) const {
  for (Role role : {A, B, C}) {
    std::optional<unsigned> o = position(outer.inner, role),
                            i = position(inner.outer, role);
    if (o.has_value() != i.has_value())
      return false;
    if (!o)
      continue;
    if (types[role].getLayout().isIdentity() && *i == *o + 1)
      continue;
    int64_t size = types[role].getDimSize(*i);
    int64_t outerStride = staticStrides[role][*o],
            innerStride = staticStrides[role][*i];
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(outerStride) ||
        ShapedType::isDynamic(innerStride) || outerStride != size * innerStride)
      return false;
  }
  return true;
}

/// The dimensions of one kind, neighbours merged, without those of size one.
SmallVector<Extent> CallWriter::extentsOf(ArrayRef<unsigned> loops) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<Extent> extents;
  for (unsigned dim : loops) {
    if (ranges[dim] == 1)
      continue;
    Extent next = extentOf(dim);
    if (!extents.empty() && mayMerge(extents.back(), next)) {
      next.size =
          arith::MulIOp::create(rewriter, loc, extents.back().size, next.size);
      next.outer = extents.back().outer;
      extents.back() = next;
    } else {
      extents.push_back(next);
    }
  }
  return extents;
}

Extent CallWriter::unit() {
  return {index(1), {index(0), index(0), index(0)}, 0, 0};
}

bool CallWriter::hasUnitStrideInC(const Extent &extent) const {
  std::optional<unsigned> where = position(extent.inner, C);
  return where && staticStrides[C][*where] == 1;
}

static Value rootOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

static bool isZeroFill(linalg::LinalgOp fill) {
  if (fill.getNumDpsInits() != 1 ||
      fill.getNumLoops() != fill.getNumParallelLoops())
    return false;
  Value yielded = fill.getBlock()->getTerminator()->getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(yielded))
    if (argument.getOwner() == fill.getBlock())
      yielded = fill->getOperand(argument.getArgNumber());
  return matchPattern(yielded, m_AnyZeroFloat());
}

/// The fill with zero that C holds when the contraction starts, if that is all
/// that happened to C.
Operation *CallWriter::zeroFill() const {
  Value root = rootOf(buffers[C]);
  if (!root.getDefiningOp<memref::AllocOp>())
    return nullptr;
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    // Bodies use buffers that are not among the operands.
    bool touches = before
                       ->walk([&](Operation *inner) {
                         for (Value operand : inner->getOperands())
                           if (isa<BaseMemRefType>(operand.getType()) &&
                               rootOf(operand) == root)
                             return WalkResult::interrupt();
                         return WalkResult::advance();
                       })
                       .wasInterrupted();
    if (!touches || isa<ViewLikeOpInterface, memref::DimOp>(before))
      continue;
    auto fill = dyn_cast<linalg::LinalgOp>(before);
    bool whole = fill && fill.getNumDpsInits() == 1 &&
                 fill.getDpsInits()[0] == buffers[C] && isZeroFill(fill);
    return whole ? before : nullptr;
  }
  return nullptr;
}

LogicalResult CallWriter::write(func::FuncOp gemm) {
  if (!readOperands() || rootOf(buffers[A]) == rootOf(buffers[C]) ||
      rootOf(buffers[B]) == rootOf(buffers[C]))
    return failure();
  Operation *fill = zeroFill();
  rewriter.setInsertionPoint(op);
  std::array<Value, 3> address;
  for (Role role : {A, B, C}) {
    auto metadata =
        memref::ExtractStridedMetadataOp::create(rewriter, loc, buffers[role]);
    for (auto [known, value] :
         llvm::zip_equal(staticStrides[role], metadata.getStrides()))
      strides[role].push_back(ShapedType::isDynamic(known) ? Value(value)
                                                           : index(known));
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(rewriter, loc,
                                                                buffers[role]);
    Value bytes = arith::MulIOp::create(rewriter, loc, metadata.getOffset(),
                                        index(sizeof(float)));
    address[role] = arith::AddIOp::create(rewriter, loc, base, bytes);
  }
  SmallVector<Extent> batch = extentsOf(dims.batch), m = extentsOf(dims.m),
                      n = extentsOf(dims.n), k = extentsOf(dims.k);

  // The call writes rows of C with unit stride. If the rows of C are what the
  // contraction calls columns, C' = B'A' is meant.
  auto takeUnit = [&](SmallVector<Extent> &from) -> std::optional<Extent> {
    for (auto it = from.begin(); it != from.end(); ++it)
      if (hasUnitStrideInC(*it)) {
        Extent found = *it;
        from.erase(it);
        return found;
      }
    return std::nullopt;
  };
  Role left = A, right = B;
  std::optional<Extent> columns = takeUnit(n);
  if (!columns && n.empty())
    columns = unit();
  if (!columns) {
    columns = takeUnit(m);
    if (!columns && m.empty())
      columns = unit();
    if (!columns)
      return failure();
    std::swap(m, n);
    std::swap(left, right);
  }
  auto takeLast = [&](SmallVector<Extent> &from) {
    return from.empty() ? unit() : from.pop_back_val();
  };
  Extent rows = takeLast(m);
  Extent sum = takeLast(k);
  // A dimension that is left over in m or n can be the call's batch.
  Extent outer = !batch.empty() ? batch.pop_back_val()
                 : !m.empty()   ? m.pop_back_val()
                                : takeLast(n);

  Value zero = index(0), one = index(1);
  Type f32 = rewriter.getF32Type();
  Value beta = arith::ConstantOp::create(
      rewriter, loc, rewriter.getF32FloatAttr(fill ? 0.0f : 1.0f));
  Value betaOne =
      arith::ConstantOp::create(rewriter, loc, rewriter.getF32FloatAttr(1.0f));
  auto loop = [&](const Extent &extent, bool isReduction) {
    auto each = scf::ForOp::create(rewriter, loc, zero, extent.size, one);
    rewriter.setInsertionPointToStart(each.getBody());
    Value iv = each.getInductionVar();
    for (Role role : {A, B, C}) {
      Value step =
          arith::MulIOp::create(rewriter, loc, iv, extent.stride[role]);
      step = arith::MulIOp::create(rewriter, loc, step, index(sizeof(float)));
      address[role] = arith::AddIOp::create(rewriter, loc, address[role], step);
    }
    if (isReduction && fill) {
      Value first = arith::CmpIOp::create(rewriter, loc,
                                          arith::CmpIPredicate::eq, iv, zero);
      beta = arith::SelectOp::create(rewriter, loc, f32, first, beta, betaOne);
    }
  };
  for (SmallVector<Extent> *rest : {&batch, &m, &n})
    for (const Extent &extent : *rest)
      loop(extent, false);
  for (const Extent &extent : k)
    loop(extent, true);

  auto pointer = LLVM::LLVMPointerType::get(rewriter.getContext());
  auto asPointer = [&](Value value) -> Value {
    return LLVM::IntToPtrOp::create(rewriter, loc, pointer, toI64(value));
  };
  SmallVector<Value> arguments = {
      toI64(outer.size),         toI64(rows.size),
      toI64(columns->size),      toI64(sum.size),
      asPointer(address[left]),  toI64(outer.stride[left]),
      toI64(rows.stride[left]),  toI64(sum.stride[left]),
      asPointer(address[right]), toI64(outer.stride[right]),
      toI64(sum.stride[right]),  toI64(columns->stride[right]),
      asPointer(address[C]),     toI64(outer.stride[C]),
      toI64(rows.stride[C]),     beta};
  func::CallOp::create(rewriter, loc, gemm, arguments);
  if (fill)
    rewriter.eraseOp(fill);
  rewriter.eraseOp(op);
  return success();
}

static func::FuncOp declareGemm(ModuleOp module) {
  StringRef name =
      module->hasAttr(qk::plainArithmeticAttrName) ? orderedGemmName : gemmName;
  if (auto present = module.lookupSymbol<func::FuncOp>(name))
    return present;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  Type i64 = builder.getI64Type(), f32 = builder.getF32Type();
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  auto type =
      builder.getFunctionType({i64, i64, i64, i64, pointer, i64, i64, i64,
                               pointer, i64, i64, i64, pointer, i64, i64, f32},
                              {});
  auto gemm = func::FuncOp::create(builder, module.getLoc(), name, type);
  gemm.setPrivate();
  return gemm;
}

namespace {
struct ContractionsToBLAS
    : qk::impl::ContractionsToBLASBase<ContractionsToBLAS> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> contractions;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureBufferSemantics() && linalg::isaContractionOpInterface(op))
        contractions.push_back(op);
    });
    if (contractions.empty())
      return;
    IRRewriter rewriter(&getContext());
    func::FuncOp gemm = declareGemm(getOperation());
    for (linalg::LinalgOp op : contractions) {
      FailureOr<linalg::ContractionDimensions> dims =
          linalg::inferContractionDims(op);
      // What can't be a call stays and becomes loops.
      if (succeeded(dims))
        (void)CallWriter(rewriter, op, *dims).write(gemm);
    }
    if (SymbolTable::symbolKnownUseEmpty(gemm, getOperation()))
      gemm.erase();
  }
};
} // namespace
