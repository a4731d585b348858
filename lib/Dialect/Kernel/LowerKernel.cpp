//===- LowerKernel.cpp - qk_kernel ops to instructions ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/Kernel/Kernel.h"
#include "qk/Dialect/Kernel/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace qk::kernel {
#define GEN_PASS_DEF_QKKERNELLOWER
#include "qk/Dialect/Kernel/Passes.h.inc"
} // namespace qk::kernel

using namespace mlir;
using namespace qk::kernel;

namespace {

StringRef levelOf(Operation *op) {
  auto function = op->getParentOfType<FunctionOpInterface>();
  auto level =
      function ? function->getAttrOfType<StringAttr>(kLevelAttr) : StringAttr();
  return level ? level.getValue() : StringRef("portable");
}

bool isX86(StringRef level) { return level.starts_with("avx"); }
bool isNEON(StringRef level) { return level.starts_with("neon"); }

Value splat(OpBuilder &b, Location loc, VectorType type, int64_t value) {
  auto element = b.getIntegerAttr(type.getElementType(), value);
  return arith::ConstantOp::create(b, loc,
                                   DenseElementsAttr::get(type, element));
}

Value intrinsic(OpBuilder &b, Location loc, StringRef name, Type result,
                ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name),
                                       operands)
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// unpack: masks and shifts
//===----------------------------------------------------------------------===//

/// The first user of `value` if all are in the block that computes it.
Operation *firstUser(Value value) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers()) {
    if (user->getBlock() != value.getParentBlock())
      return nullptr;
    if (!first || user->isBeforeInBlock(first))
      first = user;
  }
  return first;
}

/// Bytes shifted right (left where `by` is negative) as 16-bit words, which is
/// what vector units have: bits of the neighbour come in. NEON shifts bytes.
Value shiftBytes(OpBuilder &b, Location loc, Value bytes, int64_t by,
                 bool neon) {
  auto type = cast<VectorType>(bytes.getType());
  if (by == 0)
    return bytes;
  // Odd counts of bytes have no words.
  const bool single = neon || type.getNumElements() % 2;
  auto words =
      single ? type
             : VectorType::get({type.getNumElements() / 2}, b.getI16Type());
  Value lanes =
      single ? bytes : Value(vector::BitCastOp::create(b, loc, words, bytes));
  Value amount = splat(b, loc, words, by < 0 ? -by : by);
  lanes = by < 0 ? Value(arith::ShLIOp::create(b, loc, lanes, amount))
                 : Value(arith::ShRUIOp::create(b, loc, lanes, amount));
  return single ? lanes : Value(vector::BitCastOp::create(b, loc, type, lanes));
}

Value maskBytes(OpBuilder &b, Location loc, Value bytes, int64_t mask) {
  return arith::AndIOp::create(b, loc, bytes,
                               splat(b, loc, cast<VectorType>(bytes.getType()),
                                     static_cast<int8_t>(mask)));
}

/// Field f of codes of 2 or 4 bits.
Value wholeBits(OpBuilder &b, UnpackOp op, int64_t f) {
  const int64_t bits = op.getBits(), mask = (int64_t(1) << bits) - 1;
  const bool neon = isNEON(levelOf(op));
  Value plane = op.getPlanes()[0];
  if (op.getInPlace())
    return maskBytes(b, op.getLoc(), plane, mask << (bits * f));
  Value shifted = shiftBytes(b, op.getLoc(), plane, bits * f, neon);
  // The highest field of a byte shifted by itself is alone.
  if (neon && bits * (f + 1) == 8)
    return shifted;
  return maskBytes(b, op.getLoc(), shifted, mask);
}

/// Field f of codes of 3 bits: two bits of one plane, one of another.
Value threeBits(OpBuilder &b, UnpackOp op, int64_t f) {
  Location loc = op.getLoc();
  const bool neon = isNEON(levelOf(op));
  Value low = shiftBytes(b, loc, op.getPlanes()[f / 4], 2 * (f % 4), neon);
  if (neon) {
    // The high bit and what is above it are inserted above bits 0 and 1.
    auto type = cast<VectorType>(low.getType());
    Value above = shiftBytes(b, loc, op.getPlanes()[2], f, neon);
    if (type.getNumElements() == 16) {
      Value two = arith::ConstantIntOp::create(b, loc, 2, 32);
      Value both =
          intrinsic(b, loc, "llvm.aarch64.neon.vsli", type, {low, above, two});
      return f == 7 ? both : maskBytes(b, loc, both, 7);
    }
  }
  Value high = shiftBytes(b, loc, op.getPlanes()[2], f - 2, neon);
  // Bits 0 and 1 of low, the others of high: one instruction of three inputs
  // where there is one.
  Value differ = arith::XOrIOp::create(b, loc, low, high);
  differ = maskBytes(b, loc, differ, 3);
  return maskBytes(b, loc, arith::XOrIOp::create(b, loc, differ, high), 7);
}

struct LowerUnpack : OpRewritePattern<UnpackOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UnpackOp op,
                                PatternRewriter &rewriter) const override {
    int64_t bits = op.getBits();
    if (bits == 8) {
      rewriter.replaceOp(op, op.getPlanes());
      return success();
    }
    SmallVector<Value> fields;
    for (auto [f, result] : llvm::enumerate(op.getFields())) {
      // Where it is first used: fields that wait take registers.
      OpBuilder::InsertionGuard guard(rewriter);
      if (Operation *user = firstUser(result))
        rewriter.setInsertionPoint(user);
      auto field = static_cast<int64_t>(f);
      fields.push_back(bits == 3 ? threeBits(rewriter, op, field)
                                 : wholeBits(rewriter, op, field));
    }
    rewriter.replaceOp(op, fields);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// dot
//===----------------------------------------------------------------------===//

/// Any target: each byte of a 32-bit lane is widened where it is. `lhs` and
/// `rhs` are of i32, four bytes each.
Value portableDot(OpBuilder &b, Location loc, Value acc, Value lhs, Value rhs,
                  bool lhsSigned) {
  auto type = cast<VectorType>(acc.getType());
  auto signedByte = [&](Value words, int64_t j) -> Value {
    if (j != 3)
      words =
          arith::ShLIOp::create(b, loc, words, splat(b, loc, type, 24 - 8 * j));
    return arith::ShRSIOp::create(b, loc, words, splat(b, loc, type, 24));
  };
  auto unsignedByte = [&](Value words, int64_t j) -> Value {
    if (j != 0)
      words = arith::ShRUIOp::create(b, loc, words, splat(b, loc, type, 8 * j));
    if (j == 3)
      return words;
    return arith::AndIOp::create(b, loc, words, splat(b, loc, type, 255));
  };
  for (int64_t j = 0; j < 4; ++j) {
    Value lj = lhsSigned ? signedByte(lhs, j) : unsignedByte(lhs, j);
    Value product = arith::MulIOp::create(b, loc, lj, signedByte(rhs, j));
    acc = arith::AddIOp::create(b, loc, acc, product);
  }
  return acc;
}

struct LowerDot : OpRewritePattern<DotOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DotOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    StringRef level = levelOf(op);
    auto type = cast<VectorType>(op.getAcc().getType());
    int64_t lanes = type.getNumElements();
    auto portable = [&] {
      auto words = [&](Value bytes) -> Value {
        return vector::BitCastOp::create(rewriter, loc, type, bytes);
      };
      return portableDot(rewriter, loc, op.getAcc(), words(op.getLhs()),
                         words(op.getRhs()), op.getLhsSigned());
    };
    Value result;
    if (op.getLhsSigned())
      result = isNEON(level) && lanes == 4
                   ? intrinsic(rewriter, loc, "llvm.aarch64.neon.sdot", type,
                               op.getOperands())
                   : portable();
    else if (level == "neon-i8mm" && lanes == 4)
      result = intrinsic(rewriter, loc, "llvm.aarch64.neon.usdot", type,
                         op.getOperands());
    else if (level == "avx512-vnni" && lanes == 16)
      result = intrinsic(rewriter, loc, "llvm.x86.avx512.vpdpbusd.512", type,
                         op.getOperands());
    else if ((level == "avx512-vnni" || level == "avx-vnni") && lanes == 8)
      result = intrinsic(rewriter, loc, "llvm.x86.avx512.vpdpbusd.256", type,
                         op.getOperands());
    else
      result = portable();
    rewriter.replaceOp(op, result);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// dot_blocks
//===----------------------------------------------------------------------===//

struct LowerDotBlocks : OpRewritePattern<DotBlocksOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DotBlocksOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getAcc().getType());
    if (levelOf(op) == "neon-i8mm" && type.getNumElements() == 4) {
      rewriter.replaceOp(op,
                         intrinsic(rewriter, loc, "llvm.aarch64.neon.usmmla",
                                   type, op.getOperands()));
      return success();
    }
    // A word of a row is four of its eight bytes: lane [i][j] of a block takes
    // words 2i and 2i+1 of lhs and 2j and 2j+1 of rhs.
    Value lhs = vector::BitCastOp::create(rewriter, loc, type, op.getLhs());
    Value rhs = vector::BitCastOp::create(rewriter, loc, type, op.getRhs());
    Value sum = op.getAcc();
    for (int64_t half = 0; half < 2; ++half) {
      SmallVector<int64_t> left, right;
      for (int64_t lane = 0; lane < type.getNumElements(); ++lane) {
        int64_t block = lane / 4 * 4;
        left.push_back(block + lane % 4 / 2 * 2 + half);
        right.push_back(block + lane % 2 * 2 + half);
      }
      sum =
          portableDot(rewriter, loc, sum,
                      vector::ShuffleOp::create(rewriter, loc, lhs, lhs, left),
                      vector::ShuffleOp::create(rewriter, loc, rhs, rhs, right),
                      /*lhsSigned=*/false);
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// dot_wide, dot_pairs, add_pairs
//===----------------------------------------------------------------------===//

/// Element `j` of every pair of `type`'s half-width elements, widened where it
/// is: bits [0, half) or [half, 2*half) of a lane.
Value widenHalf(OpBuilder &b, Location loc, Value pairs, VectorType type,
                int64_t j, bool isSigned) {
  int64_t half = type.getElementTypeBitWidth() / 2;
  Value lanes = vector::BitCastOp::create(b, loc, type, pairs);
  Value shift = splat(b, loc, type, half);
  if (!isSigned)
    return j == 1 ? Value(arith::ShRUIOp::create(b, loc, lanes, shift))
                  : Value(arith::AndIOp::create(
                        b, loc, lanes,
                        splat(b, loc, type, (int64_t(1) << half) - 1)));
  if (j == 0)
    lanes = arith::ShLIOp::create(b, loc, lanes, shift);
  return arith::ShRSIOp::create(b, loc, lanes, shift);
}

/// `value`, of which LLVM knows nothing more: no instruction. Adds on either
/// side of it keep their order. Where they could be made a tree, as is good for
/// short chains, more sums would live than there are registers.
Value opaque(OpBuilder &b, Location loc, Value value) {
  return LLVM::InlineAsmOp::create(
             b, loc, value.getType(), value, /*asm_string=*/"",
             /*constraints=*/"=x,0", /*has_side_effects=*/false,
             /*is_align_stack=*/false, LLVM::TailCallKind::None,
             LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

/// A mask, a shift, and two products of pairs. vpmaddubsw on bytes would
/// saturate where a code is above 127 (2 · 255 · 127 > 32767).
struct LowerDotWide : OpRewritePattern<DotWideOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DotWideOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getAcc().getType());
    auto pairs = cast<VectorType>(op.getEven().getType());
    Value codes =
        vector::BitCastOp::create(rewriter, loc, pairs, op.getCodes());
    Value sum = op.getAcc();
    for (bool odd : {false, true}) {
      Value bytes =
          odd ? Value(arith::ShRUIOp::create(rewriter, loc, codes,
                                             splat(rewriter, loc, pairs, 8)))
              : Value(arith::AndIOp::create(rewriter, loc, codes,
                                            splat(rewriter, loc, pairs, 255)));
      Value x = odd ? op.getOdd() : op.getEven();
      if (isX86(levelOf(op)) && type.getNumElements() == 8) {
        Value both = intrinsic(rewriter, loc, "llvm.x86.avx2.pmadd.wd", type,
                               {bytes, x});
        sum = arith::AddIOp::create(rewriter, loc, sum, both);
        continue;
      }
      for (int64_t j = 0; j < 2; ++j) {
        Value product = arith::MulIOp::create(
            rewriter, loc, widenHalf(rewriter, loc, bytes, type, j, false),
            widenHalf(rewriter, loc, x, type, j, true));
        sum = arith::AddIOp::create(rewriter, loc, sum, product);
      }
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

struct LowerDotPairs : OpRewritePattern<DotPairsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DotPairsOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getAcc().getType());
    Value sum = op.getAcc();
    if (isX86(levelOf(op)) && type.getNumElements() == 16) {
      Value products = intrinsic(rewriter, loc, "llvm.x86.avx2.pmadd.ub.sw",
                                 type, {op.getLhs(), op.getRhs()});
      sum = arith::AddIOp::create(rewriter, loc, opaque(rewriter, loc, sum),
                                  products);
    } else {
      for (int64_t j = 0; j < 2; ++j) {
        Value u = widenHalf(rewriter, loc, op.getLhs(), type, j, false);
        Value s = widenHalf(rewriter, loc, op.getRhs(), type, j, true);
        Value product = arith::MulIOp::create(rewriter, loc, u, s);
        sum = arith::AddIOp::create(rewriter, loc, sum, product);
      }
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

struct LowerAddPairs : OpRewritePattern<AddPairsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddPairsOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<VectorType>(op.getAcc().getType());
    Value sum = op.getAcc();
    const auto factor = static_cast<int16_t>(op.getFactor());
    if (isX86(levelOf(op)) && type.getNumElements() == 8) {
      auto pairs = cast<VectorType>(op.getPairs().getType());
      Value both =
          intrinsic(rewriter, loc, "llvm.x86.avx2.pmadd.wd", type,
                    {op.getPairs(), splat(rewriter, loc, pairs, factor)});
      sum = arith::AddIOp::create(rewriter, loc, sum, both);
    } else {
      for (int64_t j = 0; j < 2; ++j) {
        Value one = widenHalf(rewriter, loc, op.getPairs(), type, j, true);
        if (factor != 1)
          one = arith::MulIOp::create(rewriter, loc, one,
                                      splat(rewriter, loc, type, factor));
        sum = arith::AddIOp::create(rewriter, loc, sum, one);
      }
    }
    rewriter.replaceOp(op, sum);
    return success();
  }
};

struct LowerKernel : qk::kernel::impl::QKKernelLowerBase<LowerKernel> {
  void runOnOperation() override {
    WalkResult known = getOperation()->walk([](FunctionOpInterface function) {
      auto level = function->getAttrOfType<StringAttr>(kLevelAttr);
      if (!level ||
          llvm::is_contained({"portable", "avx2", "avx-vnni", "avx512-vnni",
                              "neon-dotprod", "neon-i8mm"},
                             level.getValue()))
        return WalkResult::advance();
      function->emitError("unknown ISA level '")
          << level.getValue()
          << "', expected portable, avx2, avx-vnni, avx512-vnni, neon-dotprod "
             "or neon-i8mm";
      return WalkResult::interrupt();
    });
    if (known.wasInterrupted())
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerUnpack, LowerDot, LowerDotBlocks, LowerDotWide,
                 LowerDotPairs, LowerAddPairs>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};

} // namespace
