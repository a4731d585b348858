//===- Retarget.cpp - NVVM IR to code for the emulator ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Retarget.h"

#include "../PtxAsm.h"
#include "BlockRun.h"
#include "IntrinsicNames.h"

#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"

using namespace llvm;

namespace qk::nvvm {
namespace {

constexpr unsigned kSharedSpace = 3;

class Retargeter {
public:
  explicit Retargeter(Module &module)
      : module(module), context(module.getContext()),
        i32(Type::getInt32Ty(context)), i64(Type::getInt64Ty(context)),
        pointer(PointerType::get(context, 0)) {}

  Expected<RetargetedModule> run();

private:
  Error rewriteCall(CallInst &call, StringRef name);
  Error rewriteAsm(CallInst &call);
  Value *rewriteMma(CallInst &call, MmaKind kind);
  Value *rewriteLoadMatrices(CallInst &call);
  void rewriteLoadIf(CallInst &call, unsigned words);
  void rewriteOrder(Instruction &instruction);
  void defineDynamicShared();
  void checkAccess(Instruction &access);
  void addEntry(Function &kernel, RetargetedModule &result);
  Value *runtimeCall(IRBuilder<> &builder, StringRef name, Type *result,
                     ArrayRef<Value *> arguments);
  Value *number(int64_t value) { return ConstantInt::get(i32, value); }

  Module &module;
  LLVMContext &context;
  Type *i32, *i64, *pointer;
  int32_t sites = 0;
  SmallPtrSet<Function *, 8> byClock;
};

Value *Retargeter::runtimeCall(IRBuilder<> &builder, StringRef name,
                               Type *result, ArrayRef<Value *> arguments) {
  SmallVector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  FunctionCallee callee = module.getOrInsertFunction(
      name, FunctionType::get(result, types, /*isVarArg=*/false));
  return builder.CreateCall(callee, arguments);
}

static Error unknownIntrinsic(StringRef name) {
  return createStringError("the emulator does not know 'llvm.nvvm.%s'",
                           name.str().c_str());
}

/// Registers go through the stack, as 32-bit words.
Value *Retargeter::rewriteMma(CallInst &call, MmaKind kind) {
  constexpr unsigned operandCount = 10, resultCount = 4;
  IRBuilder<> entry(&*call.getFunction()->getEntryBlock().begin());
  Value *operands = entry.CreateAlloca(ArrayType::get(i32, operandCount));
  Value *results = entry.CreateAlloca(ArrayType::get(i32, resultCount));
  IRBuilder<> builder(&call);
  for (unsigned i = 0; i < operandCount; ++i)
    builder.CreateStore(builder.CreateBitCast(call.getArgOperand(i), i32),
                        builder.CreateConstGEP1_32(i32, operands, i));
  runtimeCall(builder, "qk_emu_mma", Type::getVoidTy(context),
              {number(int64_t(kind)), operands, results, number(sites++)});
  Value *all = PoisonValue::get(call.getType());
  auto *type = cast<StructType>(call.getType());
  for (unsigned i = 0; i < resultCount; ++i)
    all = builder.CreateInsertValue(
        all,
        builder.CreateLoad(type->getElementType(i),
                           builder.CreateConstGEP1_32(i32, results, i)),
        i);
  return all;
}

/// ldmatrix of four matrices.
Value *Retargeter::rewriteLoadMatrices(CallInst &call) {
  constexpr unsigned count = 4;
  IRBuilder<> entry(&*call.getFunction()->getEntryBlock().begin());
  Value *results = entry.CreateAlloca(ArrayType::get(i32, count));
  IRBuilder<> builder(&call);
  runtimeCall(builder, "qk_emu_load_matrices", Type::getVoidTy(context),
              {builder.CreateAddrSpaceCast(call.getArgOperand(0), pointer),
               results, number(sites++)});
  Value *all = PoisonValue::get(call.getType());
  for (unsigned i = 0; i < count; ++i)
    all = builder.CreateInsertValue(
        all,
        builder.CreateLoad(i32, builder.CreateConstGEP1_32(i32, results, i)),
        i);
  return all;
}

/// `name`: the intrinsic's, without `llvm.nvvm.`.
Error Retargeter::rewriteCall(CallInst &call, StringRef name) {
  IRBuilder<> builder(&call);
  Type *nothing = Type::getVoidTy(context);
  Value *result = nullptr;
  if (StringRef rest = name; rest.consume_front("read.ptx.sreg.")) {
    std::optional<Special> which = specialRegister(rest);
    if (!which)
      return createStringError("the emulator does not know the register "
                               "'%s'",
                               rest.str().c_str());
    result =
        runtimeCall(builder, "qk_emu_special", i32, {number(int64_t(*which))});
  } else if (name == "barrier.cta.sync.aligned.all") {
    runtimeCall(builder, "qk_emu_barrier", nothing,
                {call.getArgOperand(0), number(sites++)});
  } else if (name == "barrier0") {
    runtimeCall(builder, "qk_emu_barrier", nothing,
                {number(0), number(sites++)});
  } else if (name == "bar.warp.sync") {
    runtimeCall(builder, "qk_emu_warp_barrier", nothing,
                {call.getArgOperand(0), number(sites++)});
  } else if (StringRef rest = name;
             rest.consume_front("shfl.sync.") && shuffleMode(rest)) {
    Value *value = builder.CreateBitCast(call.getArgOperand(1), i32);
    result = runtimeCall(builder, "qk_emu_shuffle", i32,
                         {number(int64_t(*shuffleMode(rest))),
                          call.getArgOperand(0), value, call.getArgOperand(2),
                          call.getArgOperand(3), number(sites++)});
    result = builder.CreateBitCast(result, call.getType());
  } else if (StringRef rest = name;
             rest.consume_front("mma.") && mmaKind(rest)) {
    result = rewriteMma(call, *mmaKind(rest));
  } else if (name == "ldmatrix.sync.aligned.m8n8.x4.b16.p3" ||
             name == "ldmatrix.sync.aligned.m8n8.x4.b16") {
    result = rewriteLoadMatrices(call);
  } else if (StringRef rest = name;
             rest.consume_front("cp.async.c") &&
             rest.consume_front(rest.starts_with("g") ? "g" : "a") &&
             rest.consume_front(".shared.global.")) {
    bool sized = rest.consume_back(".s");
    int bytes = 0;
    if (rest.getAsInteger(10, bytes))
      return unknownIntrinsic(name);
    auto flat = [&](unsigned i) {
      return builder.CreateAddrSpaceCast(call.getArgOperand(i), pointer);
    };
    runtimeCall(builder, "qk_emu_copy_async", nothing,
                {flat(0), flat(1), number(bytes),
                 sized ? call.getArgOperand(2) : number(bytes)});
  } else if (name == "cp.async.commit.group") {
    runtimeCall(builder, "qk_emu_commit_copies", nothing, {});
  } else if (name == "cp.async.wait.group") {
    runtimeCall(builder, "qk_emu_wait_copies", nothing,
                {call.getArgOperand(0)});
  } else if (name == "cp.async.wait.all") {
    runtimeCall(builder, "qk_emu_commit_copies", nothing, {});
    runtimeCall(builder, "qk_emu_wait_copies", nothing, {number(0)});
  } else {
    return unknownIntrinsic(name);
  }
  if (result)
    call.replaceAllUsesWith(result);
  call.eraseFromParent();
  return Error::success();
}

/// A predicated load: `words` words at operand 0 if operand 1 is not 0.
void Retargeter::rewriteLoadIf(CallInst &call, unsigned words) {
  IRBuilder<> entry(&*call.getFunction()->getEntryBlock().begin());
  Value *memory = entry.CreateAlloca(ArrayType::get(i32, words));
  IRBuilder<> builder(&call);
  Value *flat = builder.CreateAddrSpaceCast(call.getArgOperand(0), pointer);
  runtimeCall(builder, "qk_emu_load_if", Type::getVoidTy(context),
              {call.getArgOperand(1), flat,
               ConstantInt::get(i64, int64_t(words) * 4), memory});
  Value *result;
  if (words == 1) {
    result = builder.CreateLoad(i32, memory);
  } else {
    result = PoisonValue::get(call.getType());
    for (unsigned i = 0; i < words; ++i)
      result = builder.CreateInsertValue(
          result,
          builder.CreateLoad(i32, builder.CreateConstGEP1_32(i32, memory, i)),
          i);
  }
  call.replaceAllUsesWith(result);
  call.eraseFromParent();
}

/// Inline assembly, by its text.
Error Retargeter::rewriteAsm(CallInst &call) {
  StringRef text = cast<InlineAsm>(call.getCalledOperand())->getAsmString();
  if (text == kLoadVectorIfAsm || text == kLoadWordIfAsm) {
    rewriteLoadIf(call, text == kLoadVectorIfAsm ? 4 : 1);
    return Error::success();
  }
  if (text == kMmaE4M3Asm) {
    call.replaceAllUsesWith(rewriteMma(call, MmaKind::E4M3));
    call.eraseFromParent();
    return Error::success();
  }
  if (text == kConvertE4M3Asm) {
    IRBuilder<> builder(&call);
    call.replaceAllUsesWith(
        runtimeCall(builder, "qk_emu_convert_e4m3", call.getType(),
                    {call.getArgOperand(0), call.getArgOperand(1)}));
    call.eraseFromParent();
    return Error::success();
  }
  if (Expected<bool> done = rewriteHopperAsm(call, sites); !done || *done)
    return done ? Error::success() : done.takeError();
  StringRef rest = text;
  unsigned table = 0;
  if (!rest.consume_front(kLop3Asm) || !rest.consume_back(";") ||
      rest.getAsInteger(0, table))
    return createStringError("the emulator does not know the instruction '%s'",
                             text.str().c_str());
  // The sum of the table's products.
  IRBuilder<> builder(&call);
  Value *result = number(0);
  for (unsigned row = 0; row < 8; ++row) {
    if (!(table >> row & 1))
      continue;
    Value *product = number(-1);
    for (unsigned i = 0; i < 3; ++i) {
      Value *operand = call.getArgOperand(i);
      if (!(row >> (2 - i) & 1))
        operand = builder.CreateNot(operand);
      product = builder.CreateAnd(product, operand);
    }
    result = builder.CreateOr(result, product);
  }
  call.replaceAllUsesWith(result);
  call.eraseFromParent();
  return Error::success();
}

void Retargeter::checkAccess(Instruction &access) {
  Value *address = getLoadStorePointerOperand(&access);
  // A thread's own variables can't go wrong in these ways.
  if (isa<AllocaInst>(getUnderlyingObject(address)))
    return;
  IRBuilder<> builder(&access);
  const DataLayout &layout = module.getDataLayout();
  Type *type = getLoadStoreType(&access);
  Value *flat = builder.CreateAddrSpaceCast(address, pointer);
  runtimeCall(builder, "qk_emu_access", Type::getVoidTy(context),
              {flat, ConstantInt::get(i64, layout.getTypeStoreSize(type)),
               ConstantInt::get(i64, getLoadStoreAlignment(&access).value()),
               number(isa<StoreInst>(access))});
}

/// A fence or an atomic operation.
void Retargeter::rewriteOrder(Instruction &instruction) {
  IRBuilder<> builder(&instruction);
  Type *nothing = Type::getVoidTy(context);
  if (isa<FenceInst>(instruction)) {
    runtimeCall(builder, "qk_emu_fence", nothing, {});
    return;
  }
  auto &atomic = cast<AtomicRMWInst>(instruction);
  Value *flat =
      builder.CreateAddrSpaceCast(atomic.getPointerOperand(), pointer);
  int64_t bytes = module.getDataLayout().getTypeStoreSize(atomic.getType());
  runtimeCall(builder, "qk_emu_atomic", nothing,
              {flat, ConstantInt::get(i64, bytes)});
}

void Retargeter::addEntry(Function &kernel, RetargetedModule &result) {
  std::string name = "qk_emu_entry." + kernel.getName().str();
  auto *entry = Function::Create(
      FunctionType::get(Type::getVoidTy(context), {pointer}, false),
      GlobalValue::ExternalLinkage, name, module);
  IRBuilder<> builder(BasicBlock::Create(context, "", entry));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *slot = builder.CreateLoad(
        pointer, builder.CreateConstGEP1_32(pointer, entry->getArg(0),
                                            argument.getArgNo()));
    arguments.push_back(builder.CreateLoad(argument.getType(), slot));
  }
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
  result.kernels.push_back({kernel.getName().str(), name,
                            unsigned(kernel.arg_size()),
                            byClock.contains(&kernel)});
}

/// Shared memory that is declared only is as large as it may get: the launch
/// says how much of it there is.
void Retargeter::defineDynamicShared() {
  SmallVector<GlobalVariable *> declared;
  for (GlobalVariable &variable : module.globals())
    if (variable.getAddressSpace() == kSharedSpace && variable.isDeclaration())
      declared.push_back(&variable);
  for (GlobalVariable *variable : declared) {
    auto *type = ArrayType::get(Type::getInt8Ty(context), kDynamicSharedLimit);
    auto *memory = new GlobalVariable(
        module, type, /*isConstant=*/false, GlobalValue::ExternalLinkage,
        Constant::getNullValue(type), "", nullptr, GlobalValue::NotThreadLocal,
        kSharedSpace);
    memory->setAlignment(variable->getAlign());
    memory->takeName(variable);
    variable->replaceAllUsesWith(memory);
    variable->eraseFromParent();
  }
}

Expected<RetargetedModule> Retargeter::run() {
  RetargetedModule result;
  defineDynamicShared();
  for (GlobalVariable &variable : module.globals()) {
    if (variable.getAddressSpace() != kSharedSpace)
      continue;
    // Not initialised on a GPU; here it needs a definition.
    variable.setInitializer(Constant::getNullValue(variable.getValueType()));
    variable.setLinkage(GlobalValue::ExternalLinkage);
    variable.setDSOLocal(true);
    result.shared.push_back(
        {variable.getName().str(),
         module.getDataLayout().getTypeAllocSize(variable.getValueType())});
  }

  SmallVector<Function *> kernels;
  for (Function &function : module) {
    if (function.isDeclaration())
      continue;
    if (function.getCallingConv() == CallingConv::PTX_Kernel)
      kernels.push_back(&function);
    function.setCallingConv(CallingConv::C);
    function.setAttributes(AttributeList());
    SmallVector<Instruction *> accesses, orders;
    SmallVector<CallInst *> calls;
    for (Instruction &instruction : instructions(function)) {
      if (isa<LoadInst, StoreInst>(instruction))
        accesses.push_back(&instruction);
      if (isa<FenceInst, AtomicRMWInst>(instruction))
        orders.push_back(&instruction);
      if (auto *call = dyn_cast<CallInst>(&instruction)) {
        Function *callee = call->getCalledFunction();
        if (call->isInlineAsm() ||
            (callee && callee->getName().starts_with("llvm.nvvm.")))
          calls.push_back(call);
      }
    }
    for (Instruction *access : accesses)
      checkAccess(*access);
    for (Instruction *order : orders)
      rewriteOrder(*order);
    for (CallInst *call : calls) {
      if (call->isInlineAsm()) {
        if (ordersByMbarriers(*call))
          byClock.insert(&function);
        if (Error error = rewriteAsm(*call))
          return std::move(error);
        continue;
      }
      StringRef name = call->getCalledFunction()->getName();
      if (Error error =
              rewriteCall(*call, name.drop_front(strlen("llvm.nvvm."))))
        return std::move(error);
    }
  }
  for (Function *kernel : kernels)
    addEntry(*kernel, result);
  return result;
}

} // namespace

Expected<RetargetedModule> retarget(Module &module) {
  return Retargeter(module).run();
}

} // namespace qk::nvvm
