//===- RetargetHopper.cpp - Inline assembly of sm_90 ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../PtxAsm.h"
#include "BlockRun.h"
#include "Retarget.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"

using namespace llvm;

namespace qk::nvvm {
namespace {

class HopperAsm {
public:
  HopperAsm(CallInst &call, int32_t &sites)
      : call(call), sites(sites), builder(&call),
        text(cast<InlineAsm>(call.getCalledOperand())->getAsmString()) {}

  Expected<bool> rewrite();

private:
  Error unknown() const {
    return createStringError("the emulator does not know the instruction '%s'",
                             text.str().c_str());
  }
  Value *number(int64_t value) { return builder.getInt32(uint32_t(value)); }
  Value *flat(Value *address) {
    return builder.CreateAddrSpaceCast(address, builder.getPtrTy());
  }
  Value *runtimeCall(StringRef name, ArrayRef<Value *> arguments,
                     Type *result = nullptr) {
    SmallVector<Type *> types;
    for (Value *argument : arguments)
      types.push_back(argument->getType());
    return builder.CreateCall(
        call.getModule()->getOrInsertFunction(
            name, FunctionType::get(result ? result : builder.getVoidTy(),
                                    types, false)),
        arguments);
  }
  bool rewriteSimple();
  Expected<bool> rewriteWgmma();
  Error statement(StringRef one);
  Error multiply(StringRef rest);
  bool operandNumbers(StringRef list, SmallVectorImpl<unsigned> &numbers);
  /// Operand `$number`, an input.
  Value *input(unsigned number) { return call.getArgOperand(number - outputs); }

  CallInst &call;
  int32_t &sites;
  IRBuilder<> builder;
  StringRef text;
  unsigned outputs = 0;
  Value *sums = nullptr;
};

/// One instruction, by its whole text or the start of it.
bool HopperAsm::rewriteSimple() {
  auto argument = [&](unsigned i) { return call.getArgOperand(i); };
  auto count = [&](const char *prefix) -> std::optional<int64_t> {
    StringRef rest = text;
    int64_t value;
    if (!rest.consume_front(prefix) || !rest.consume_back(";") ||
        rest.getAsInteger(10, value))
      return std::nullopt;
    return value;
  };
  if (text == kMbarrierInitAsm)
    runtimeCall("qk_emu_mbarrier_init", {flat(argument(0)), argument(1)});
  else if (text == kMbarrierInitFenceAsm)
    runtimeCall("qk_emu_mbarrier_init_fence", {});
  else if (text == kMbarrierArriveAsm)
    runtimeCall("qk_emu_mbarrier_arrive", {flat(argument(0)), number(0)});
  else if (text == kMbarrierCopiesAsm)
    runtimeCall("qk_emu_mbarrier_copies", {flat(argument(0))});
  else if (text == kMbarrierExpectAsm)
    runtimeCall("qk_emu_mbarrier_arrive", {flat(argument(0)), argument(1)});
  else if (text == kMbarrierWaitAsm)
    runtimeCall("qk_emu_mbarrier_wait", {flat(argument(0)), argument(1)});
  else if (text == kBulkCopyAsm)
    runtimeCall("qk_emu_copy_bulk", {flat(argument(0)), flat(argument(1)),
                                     argument(2), flat(argument(3))});
  else if (text == kClusterBarrierAsm)
    runtimeCall("qk_emu_cluster_barrier", {number(sites++)});
  else if (text == kMapSharedAsm)
    call.replaceAllUsesWith(runtimeCall("qk_emu_map_shared",
                                        {flat(argument(0)), argument(1)},
                                        builder.getInt32Ty()));
  else if (text == kStoreClusterAsm) {
    SmallVector<Value *> arguments{argument(0)};
    for (unsigned i = 1; i <= 4; ++i)
      arguments.push_back(
          builder.CreateBitCast(argument(i), builder.getInt32Ty()));
    runtimeCall("qk_emu_store_to_block", arguments);
  } else if (text == kProxyFenceAsm)
    runtimeCall("qk_emu_proxy_fence", {});
  else if (auto registers = count(kMoreRegistersAsm))
    runtimeCall("qk_emu_set_registers", {number(*registers)});
  else if (auto registers = count(kFewerRegistersAsm))
    runtimeCall("qk_emu_set_registers", {number(*registers)});
  else if (StringRef rest = text; rest.consume_front(kNamedBarrierAsm)) {
    int barrier, threads;
    if (rest.consumeInteger(10, barrier) || !rest.consume_front(", ") ||
        rest.consumeInteger(10, threads) || rest != ";")
      return false;
    runtimeCall("qk_emu_named_barrier",
                {number(barrier), number(threads), number(sites++)});
  } else
    return false;
  return true;
}

/// "{$3,$4,…}".
bool HopperAsm::operandNumbers(StringRef list,
                               SmallVectorImpl<unsigned> &numbers) {
  if (!list.consume_front("{") || !list.consume_back("}"))
    return false;
  SmallVector<StringRef> parts;
  list.split(parts, ',');
  for (StringRef part : parts) {
    unsigned value;
    if (!part.consume_front("$") || part.getAsInteger(10, value))
      return false;
    numbers.push_back(value);
  }
  return true;
}

/// After kWgmmaAsm.
Error HopperAsm::multiply(StringRef rest) {
  unsigned columns = 0;
  if (rest.consumeInteger(10, columns))
    return unknown();
  MmaKind kind;
  StringRef end = ", 1, 1, 0";
  if (rest.consume_front("k16.f32.f16.f16 ")) {
    kind = MmaKind::F16;
  } else if (rest.consume_front("k16.f32.bf16.bf16 ")) {
    kind = MmaKind::BF16;
  } else if (rest.consume_front("k32.s32.s8.s8 ")) {
    kind = MmaKind::S8;
    end = "";
  } else if (rest.consume_front("k32.f32.e4m3.e4m3 ")) {
    kind = MmaKind::E4M3;
    end = ", 1, 1";
  } else {
    return unknown();
  }
  size_t sumsEnd = rest.find('}') + 1;
  SmallVector<unsigned> results, registers;
  if (!operandNumbers(rest.take_front(sumsEnd), results))
    return unknown();
  rest = rest.drop_front(sumsEnd);
  size_t registersEnd = rest.find('}') + 1;
  unsigned descriptor = 0, keepsSums = 0;
  if (!rest.consume_front(", ") ||
      !operandNumbers(rest.take_front(registersEnd - 2), registers) ||
      !(rest = rest.drop_front(registersEnd - 2)).consume_front(", $") ||
      rest.consumeInteger(10, descriptor) || !rest.consume_front(", ") ||
      rest.consumeInteger(10, keepsSums) || rest != end)
    return unknown();
  if (columns % 8 || results.size() != columns / 2 || registers.size() != 4 ||
      results.size() != outputs)
    return unknown();
  for (unsigned i = 0; i < outputs; ++i)
    if (results[i] != i)
      return unknown();
  IRBuilder<> entry(&*call.getFunction()->getEntryBlock().begin());
  Value *a = entry.CreateAlloca(ArrayType::get(builder.getInt32Ty(), 4));
  for (unsigned i = 0; i < 4; ++i)
    builder.CreateStore(input(registers[i]),
                        builder.CreateConstGEP1_32(builder.getInt32Ty(), a, i));
  runtimeCall("qk_emu_wgmma",
              {number(int64_t(kind)), number(columns), number(!keepsSums), a,
               input(descriptor), sums, number(sites++)});
  return Error::success();
}

Error HopperAsm::statement(StringRef one) {
  int32_t pending = 0;
  if (one == kWgmmaFenceAsm)
    runtimeCall("qk_emu_wgmma_fence", {});
  else if (one == kWgmmaCommitAsm)
    runtimeCall("qk_emu_wgmma_commit", {});
  else if (StringRef rest = one;
           rest.consume_front(kWgmmaWaitAsm) && !rest.getAsInteger(10, pending))
    runtimeCall("qk_emu_wgmma_wait", {number(pending), sums, number(outputs)});
  else if (StringRef rest = one; rest.consume_front(kWgmmaAsm))
    return multiply(rest);
  else
    return unknown();
  return Error::success();
}

/// Statements of wgmma. Results are sums; the inputs that they start from, if
/// any, are the last ones.
Expected<bool> HopperAsm::rewriteWgmma() {
  if (!text.starts_with("wgmma."))
    return false;
  Type *i32 = builder.getInt32Ty();
  auto *type = dyn_cast<StructType>(call.getType());
  outputs = type ? type->getNumElements() : 0;
  IRBuilder<> entry(&*call.getFunction()->getEntryBlock().begin());
  sums = entry.CreateAlloca(ArrayType::get(i32, std::max(outputs, 1u)));
  auto place = [&](unsigned i) {
    return builder.CreateConstGEP1_32(i32, sums, i);
  };
  bool tied =
      outputs &&
      StringRef(cast<InlineAsm>(call.getCalledOperand())->getConstraintString())
          .contains(",0,");
  for (unsigned i = 0; i < outputs; ++i) {
    Value *from = number(0);
    if (tied)
      from = builder.CreateBitCast(
          call.getArgOperand(call.arg_size() - outputs + i), i32);
    builder.CreateStore(from, place(i));
  }
  SmallVector<StringRef> statements;
  text.split(statements, ';', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (StringRef one : statements)
    if (Error error = statement(one))
      return std::move(error);
  if (outputs) {
    Value *all = PoisonValue::get(type);
    for (unsigned i = 0; i < outputs; ++i)
      all = builder.CreateInsertValue(
          all, builder.CreateLoad(type->getElementType(i), place(i)), i);
    call.replaceAllUsesWith(all);
  }
  return true;
}

Expected<bool> HopperAsm::rewrite() {
  if (text == kThreadIdAsm) {
    Value *which = number(int64_t(Special::TidX));
    FunctionCallee special = call.getModule()->getOrInsertFunction(
        "qk_emu_special",
        FunctionType::get(builder.getInt32Ty(), {which->getType()}, false));
    call.replaceAllUsesWith(builder.CreateCall(special, which));
    call.eraseFromParent();
    return true;
  }
  if (!rewriteSimple()) {
    Expected<bool> done = rewriteWgmma();
    if (!done || !*done)
      return done;
  }
  call.eraseFromParent();
  return true;
}

} // namespace

bool ordersByMbarriers(const CallInst &call) {
  return cast<InlineAsm>(call.getCalledOperand())->getAsmString() ==
         kMbarrierInitAsm;
}

Expected<bool> rewriteHopperAsm(CallInst &call, int32_t &sites) {
  return HopperAsm(call, sites).rewrite();
}

} // namespace qk::nvvm
