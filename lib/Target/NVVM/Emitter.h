//===- Emitter.h - Short names for the ops of a kernel ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What kernel builders write often, so that they read like their algorithm.
/// Integers are i32 unless a name says otherwise; addresses are byte offsets
/// (i64) from pointers to global memory.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_EMITTER_H
#define QK_LIB_TARGET_NVVM_EMITTER_H

#include "PtxAsm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringExtras.h"

namespace qk::nvvm {

struct Emitter : mlir::ImplicitLocOpBuilder {
  using Value = mlir::Value;
  using Type = mlir::Type;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  // Constants.
  Value i32(int64_t value) {
    return mlir::arith::ConstantIntOp::create(*this, value, 32);
  }
  Value i64(int64_t value) {
    return mlir::arith::ConstantIntOp::create(*this, value, 64);
  }
  Value f32(float value) {
    return mlir::arith::ConstantFloatOp::create(*this, getF32Type(),
                                                llvm::APFloat(value));
  }

  // Arithmetic on values of one type.
  Value add(Value a, Value b) {
    return mlir::arith::AddIOp::create(*this, a, b);
  }
  Value sub(Value a, Value b) {
    return mlir::arith::SubIOp::create(*this, a, b);
  }
  Value mul(Value a, Value b) {
    return mlir::arith::MulIOp::create(*this, a, b);
  }
  Value divu(Value a, Value b) {
    return mlir::arith::DivUIOp::create(*this, a, b);
  }
  Value remu(Value a, Value b) {
    return mlir::arith::RemUIOp::create(*this, a, b);
  }
  Value minu(Value a, Value b) {
    return mlir::arith::MinUIOp::create(*this, a, b);
  }
  Value bitAnd(Value a, Value b) {
    return mlir::arith::AndIOp::create(*this, a, b);
  }
  Value bitOr(Value a, Value b) {
    return mlir::arith::OrIOp::create(*this, a, b);
  }
  Value bitXor(Value a, Value b) {
    return mlir::arith::XOrIOp::create(*this, a, b);
  }
  Value shl(Value a, int bits) {
    return bits ? mlir::arith::ShLIOp::create(*this, a, i32(bits)) : a;
  }
  Value shr(Value a, int bits) {
    return bits ? mlir::arith::ShRUIOp::create(*this, a, i32(bits)) : a;
  }
  /// (a & mask) | bits in one instruction: left alone, ptxas makes two of it,
  /// as an instruction has room for one constant only.
  Value maskOr(Value a, int64_t mask, int64_t bits) {
    return lop3(a, i32(mask), i32(bits), (0xf0 & 0xcc) | 0xaa);
  }
  /// Bit by bit, what `table` says: its bit 4a + 2b + c.
  Value lop3(Value a, Value b, Value c, int table) {
    std::string text =
        std::string(kLop3Asm) + "0x" + llvm::utohexstr(table) + ";";
    return inlineAsm(text, "=r,r,r,r", getI32Type(), {a, b, c});
  }
  /// An instruction of PtxAsm.h without effects beyond its result.
  Value inlineAsm(llvm::StringRef text, llvm::StringRef constraints, Type type,
                  mlir::ValueRange operands) {
    return mlir::LLVM::InlineAsmOp::create(
               *this, mlir::TypeRange{type}, operands, text, constraints,
               /*has_side_effects=*/false, /*is_align_stack=*/false,
               mlir::LLVM::tailcallkind::TailCallKind::None,
               mlir::LLVM::AsmDialectAttr::get(getContext(),
                                               mlir::LLVM::AsmDialect::AD_ATT),
               mlir::ArrayAttr())
        .getRes();
  }
  Value ltu(Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, mlir::arith::CmpIPredicate::ult,
                                       a, b);
  }
  Value equal(Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, mlir::arith::CmpIPredicate::eq, a,
                                       b);
  }
  Value select(Value condition, Value yes, Value no) {
    return mlir::arith::SelectOp::create(*this, condition, yes, no);
  }
  /// i32 → i64; the values are never negative.
  Value wide(Value a) {
    return mlir::arith::ExtUIOp::create(*this, getI64Type(), a);
  }
  /// a / size rounded up.
  Value ceilDiv(Value a, int64_t size) {
    return size == 1 ? a : divu(add(a, i32(size - 1)), i32(size));
  }

  // Floats.
  Value addf(Value a, Value b) {
    return mlir::arith::AddFOp::create(*this, a, b);
  }
  Value subf(Value a, Value b) {
    return mlir::arith::SubFOp::create(*this, a, b);
  }
  Value mulf(Value a, Value b) {
    return mlir::arith::MulFOp::create(*this, a, b);
  }
  Value fma(Value a, Value b, Value c) {
    return mlir::LLVM::FMAOp::create(*this, a.getType(), a, b, c);
  }
  Value bitcast(Type type, Value a) {
    return mlir::arith::BitcastOp::create(*this, type, a);
  }
  /// Any float type to and from f32.
  Value toF32(Value a) {
    return a.getType().isF32()
               ? a
               : Value(mlir::arith::ExtFOp::create(*this, getF32Type(), a));
  }
  Value fromF32(Type type, Value a) {
    return type.isF32() ? a
                        : Value(mlir::arith::TruncFOp::create(*this, type, a));
  }

  // Global memory.
  Value at(Value pointer, Value byteOffset) {
    return mlir::LLVM::GEPOp::create(
        *this, pointer.getType(), getI8Type(), pointer,
        mlir::ArrayRef<mlir::LLVM::GEPArg>{byteOffset});
  }
  /// A load of memory that nobody writes while the kernel runs.
  Value loadConst(Type type, Value pointer, int64_t alignment) {
    return mlir::LLVM::LoadOp::create(*this, type, pointer, alignment,
                                      /*isVolatile=*/false,
                                      /*isNonTemporal=*/false,
                                      /*isInvariant=*/true);
  }
  /// 16 bytes (four words), or 4, of such memory that is read once, where
  /// `condition` holds; anything elsewhere.
  mlir::SmallVector<Value> loadVectorIf(Value condition, Value pointer) {
    Type word = getI32Type();
    Value loaded = streamingLoad(kLoadVectorIfAsm, "=r,=r,=r,=r,l,r",
                                 mlir::LLVM::LLVMStructType::getLiteral(
                                     getContext(), {word, word, word, word}),
                                 condition, pointer);
    mlir::SmallVector<Value> words;
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(mlir::LLVM::ExtractValueOp::create(*this, loaded, i));
    return words;
  }
  Value loadWordIf(Value condition, Value pointer) {
    return streamingLoad(kLoadWordIfAsm, "=r,l,r", getI32Type(), condition,
                         pointer);
  }
  Value streamingLoad(const char *text, const char *constraints, Type type,
                      Value condition, Value pointer) {
    Value flag = mlir::arith::ExtUIOp::create(*this, getI32Type(), condition);
    return inlineAsm(text, constraints, type, {pointer, flag});
  }
  void storeGlobal(Value value, Value pointer, int64_t alignment) {
    mlir::LLVM::StoreOp::create(*this, value, pointer, alignment);
  }

  /// Orders the thread's accesses, and those it knows of by a barrier, before
  /// what it does later, for the whole GPU.
  void fence() {
    mlir::LLVM::FenceOp::create(*this, mlir::LLVM::AtomicOrdering::acq_rel,
                                kDeviceScope);
  }
  /// What was there before.
  Value atomicAdd(Value pointer, Value value) {
    return mlir::LLVM::AtomicRMWOp::create(
        *this, mlir::LLVM::AtomicBinOp::add, pointer, value,
        mlir::LLVM::AtomicOrdering::monotonic, kDeviceScope, 4);
  }
  static constexpr const char *kDeviceScope = "device";

  // The grid.
  Value asI32(Value index) {
    return mlir::arith::IndexCastOp::create(*this, getI32Type(), index);
  }
  Value threadId() {
    return asI32(mlir::gpu::ThreadIdOp::create(*this, mlir::gpu::Dimension::x));
  }
  Value blockId(mlir::gpu::Dimension dim) {
    return asI32(mlir::gpu::BlockIdOp::create(*this, dim));
  }
  Value gridDim(mlir::gpu::Dimension dim) {
    return asI32(mlir::gpu::GridDimOp::create(*this, dim));
  }
  void barrier() { mlir::gpu::BarrierOp::create(*this); }
  void warpBarrier() { mlir::NVVM::SyncWarpOp::create(*this, i32(-1)); }

  /// for (i = from; i < to; i += step) state = body(i, state)
  template <typename Body>
  mlir::SmallVector<Value> loop(Value from, Value to, Value step,
                                mlir::ValueRange state, Body body) {
    auto op = mlir::scf::ForOp::create(*this, from, to, step, state);
    mlir::OpBuilder::InsertionGuard guard(*this);
    // Without state the builder has made the terminator already.
    setInsertionPointToStart(op.getBody());
    mlir::SmallVector<Value> next = body(
        op.getInductionVar(), mlir::SmallVector<Value>(op.getRegionIterArgs()));
    if (!state.empty())
      mlir::scf::YieldOp::create(*this, next);
    return op.getResults();
  }
  /// if (condition) body()
  template <typename Body> void when(Value condition, Body body) {
    auto op = mlir::scf::IfOp::create(*this, condition, /*else=*/false);
    mlir::OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(op.thenBlock());
    body();
  }
  /// if (condition) yes() else no()
  template <typename Yes, typename No>
  void either(Value condition, Yes yes, No no) {
    auto op = mlir::scf::IfOp::create(*this, condition, /*else=*/true);
    mlir::OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(op.thenBlock());
    yes();
    setInsertionPointToStart(op.elseBlock());
    no();
  }
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_EMITTER_H
