//===- Hopper.cpp - Instructions of sm_90 -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Hopper.h"

using namespace mlir;

namespace qk::nvvm {

LLVM::InlineAsmOp HopperEmitter::inlineAsm(StringRef text,
                                           StringRef constraints,
                                           TypeRange results,
                                           ValueRange operands) {
  return LLVM::InlineAsmOp::create(
      e, results, operands, text, constraints, /*has_side_effects=*/true,
      /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
      LLVM::AsmDialectAttr::get(e.getContext(), LLVM::AsmDialect::AD_ATT),
      ArrayAttr());
}

//===----------------------------------------------------------------------===//
// mbarriers and copies
//===----------------------------------------------------------------------===//

void HopperEmitter::initBarrier(Value barrier, int64_t arrivals) {
  inlineAsm(kMbarrierInitAsm, "r,r,~{memory}", {}, {barrier, e.i32(arrivals)});
}

void HopperEmitter::fenceBarriers() {
  inlineAsm(kMbarrierInitFenceAsm, "~{memory}", {}, {});
}

void HopperEmitter::arrive(Value barrier) {
  inlineAsm(kMbarrierArriveAsm, "r,~{memory}", {}, barrier);
}

void HopperEmitter::arriveAfterCopies(Value barrier) {
  inlineAsm(kMbarrierCopiesAsm, "r,~{memory}", {}, barrier);
}

void HopperEmitter::arriveExpecting(Value barrier, Value bytes) {
  inlineAsm(kMbarrierExpectAsm, "r,r,~{memory}", {}, {barrier, bytes});
}

void HopperEmitter::wait(Value barrier, Value parity) {
  inlineAsm(kMbarrierWaitAsm, "r,r,~{memory}", {}, {barrier, parity});
}

void HopperEmitter::bulkCopy(Value to, Value from, Value bytes, Value barrier) {
  inlineAsm(kBulkCopyAsm, "r,l,r,r,~{memory}", {}, {to, from, bytes, barrier});
}

void HopperEmitter::fenceProxy() {
  inlineAsm(kProxyFenceAsm, "~{memory}", {}, {});
}

void HopperEmitter::moreRegisters(int64_t count) {
  inlineAsm(kMoreRegistersAsm + std::to_string(count) + ";", "~{memory}", {},
            {});
}

void HopperEmitter::fewerRegisters(int64_t count) {
  inlineAsm(kFewerRegistersAsm + std::to_string(count) + ";", "~{memory}", {},
            {});
}

void HopperEmitter::namedBarrier(int number, int64_t threads) {
  inlineAsm(kNamedBarrierAsm + std::to_string(number) + ", " +
                std::to_string(threads) + ";",
            "~{memory}", {}, {});
}

void HopperEmitter::clusterBarrier() {
  inlineAsm(kClusterBarrierAsm, "~{memory}", {}, {});
}

void HopperEmitter::storeToBlock(Value address, Value rank,
                                 ArrayRef<Value> four) {
  Value there =
      inlineAsm(kMapSharedAsm, "=r,r,r", e.getI32Type(), {address, rank})
          .getRes();
  inlineAsm(kStoreClusterAsm, "r,f,f,f,f,~{memory}", {},
            {there, four[0], four[1], four[2], four[3]});
}

Value HopperEmitter::threadIdAgain() {
  return inlineAsm(kThreadIdAsm, "=r", e.getI32Type(), {}).getRes();
}

//===----------------------------------------------------------------------===//
// wgmma
//===----------------------------------------------------------------------===//

Value HopperEmitter::descriptor(Value address) {
  // PTX ISA, "Matrix descriptor": bits 0-13 the address, 16-29 the leading
  // dimension's stride (not used here: 1), 32-45 from eight rows to the next
  // eight, all in units of 16 bytes; 62-63: swizzled by 128 bytes.
  constexpr int64_t fixed =
      int64_t(1) << 62 | int64_t(1024 / 16) << 32 | int64_t(1) << 16;
  Value place = LLVM::PtrToIntOp::create(e, e.getI32Type(), address);
  Value low = e.bitAnd(e.shr(place, 4), e.i32(0x3fff));
  return e.bitOr(e.wide(low), e.i64(fixed));
}

Value HopperEmitter::advance(Value descriptor, int64_t bytes) {
  return bytes ? e.add(descriptor, e.i64(bytes / 16)) : descriptor;
}

/// "{$first,…}" of `count` operands.
static std::string operandList(int first, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i)
    text += (i ? ",$" : "$") + std::to_string(first + i);
  return text + "}";
}

/// `count` results, one or a struct of them.
static SmallVector<Value> unpack(Emitter &e, Value result, int count) {
  SmallVector<Value> values;
  for (int i = 0; i < count; ++i)
    values.push_back(LLVM::ExtractValueOp::create(e, result, i));
  return values;
}

static Type sumsType(Emitter &e, Type type, int count) {
  return LLVM::LLVMStructType::getLiteral(e.getContext(),
                                          SmallVector<Type>(count, type));
}

SmallVector<Value> HopperEmitter::multiply(ArrayRef<Value> sums, int tokens,
                                           ArrayRef<Value> a, ArrayRef<Value> b,
                                           StringRef type) {
  constexpr int registers = 4;
  int count = tokens / 2, steps = int(b.size());
  int firstA = count, firstB = count + registers * steps;
  bool isInteger = type == "s8";
  bool isByte = isInteger || type == "e4m3";
  std::string shape = (isByte ? "k32." : "k16.") +
                      std::string(isInteger ? "s32." : "f32.") + type.str() +
                      "." + type.str() + " ";
  // Signs of A and B, and whether B is transposed, where there is a choice.
  const char *factors = isInteger ? ";" : isByte ? ", 1, 1;" : ", 1, 1, 0;";
  // Registers that were written are fenced in the same text, so that nothing
  // comes in between.
  std::string text = std::string(kWgmmaFenceAsm) + ";";
  for (int step = 0; step < steps; ++step)
    text += std::string(kWgmmaAsm) + std::to_string(tokens) + shape +
            operandList(0, count) + ", " +
            operandList(firstA + registers * step, registers) + ", $" +
            std::to_string(firstB + step) + ", " +
            (sums.empty() && step == 0 ? "0" : "1") + factors;
  text += std::string(kWgmmaCommitAsm) + ";";

  SmallVector<std::string> constraints(count, isInteger ? "=r" : "=f");
  constraints.append(registers * steps, "r");
  constraints.append(steps, "l");
  SmallVector<Value> operands(a);
  llvm::append_range(operands, b);
  for (size_t i = 0; i < sums.size(); ++i)
    constraints.push_back(std::to_string(i));
  llvm::append_range(operands, sums);
  constraints.push_back("~{memory}");
  auto op = inlineAsm(
      text, llvm::join(constraints, ","),
      sumsType(e, isInteger ? Type(e.getI32Type()) : e.getF32Type(), count),
      operands);
  return unpack(e, op.getRes(), count);
}

SmallVector<Value> HopperEmitter::waitProducts(int pending,
                                               ArrayRef<Value> products) {
  int count = int(products.size());
  Type type = products.front().getType();
  SmallVector<std::string> constraints(count, type.isF32() ? "=f" : "=r");
  for (int i = 0; i < count; ++i)
    constraints.push_back(std::to_string(i));
  constraints.push_back("~{memory}");
  auto op = inlineAsm(kWgmmaWaitAsm + std::to_string(pending) + ";",
                      llvm::join(constraints, ","), sumsType(e, type, count),
                      products);
  return unpack(e, op.getRes(), count);
}

void HopperEmitter::waitBatches(int pending) {
  inlineAsm(kWgmmaWaitAsm + std::to_string(pending) + ";", "~{memory}", {}, {});
}

} // namespace qk::nvvm
