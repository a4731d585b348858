//===- ProfileSteps.cpp - Time each step of a forward ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProfileSteps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "qk/Runtime/Runtime.h"

using namespace mlir;
using namespace qk;

void qk::endProfileStep(double begin, ProfileStep *step) {
  if (begin < 0)
    return;
  ++step->calls;
  step->seconds += qk_profile_begin() - begin;
}

/// Whether `function` is a kernel, or an outlined loop: a step in itself.
static bool isKernel(LLVM::LLVMFuncOp function) {
  return llvm::any_of(function->getAttrs(), [](NamedAttribute attribute) {
    return attribute.getName().strref().starts_with("qk_kernel.");
  });
}

/// The group and kind of a call, or nothing where it is none of its own.
static std::optional<std::pair<ProfileStep::Group, std::string>>
stepOf(Operation &op, SymbolTable &symbols) {
  using Step = std::pair<ProfileStep::Group, std::string>;
  if (isa<LLVM::MemcpyOp>(op))
    return Step(ProfileStep::Memory, "memcpy");
  auto call = dyn_cast<LLVM::CallOp>(op);
  if (!call || !call.getCallee())
    return std::nullopt;
  StringRef name = *call.getCallee();
  auto callee = symbols.lookup<LLVM::LLVMFuncOp>(name);
  if (!callee)
    return std::nullopt;
  if (callee->hasAttr("qk_kernel.matmul"))
    return Step(ProfileStep::Quantized, name.str());
  if (callee->hasAttr("qk_kernel.quantizer"))
    return Step(ProfileStep::Quantizer, name.str());
  if (auto kind = callee->getAttrOfType<StringAttr>(loopKindAttrName))
    return Step(ProfileStep::Loop, kind.getValue().str());
  if (name.starts_with("qk_sgemm"))
    return Step(ProfileStep::Contraction, name.str());
  if (name == "malloc" || name == "free" || name == "aligned_alloc")
    return Step(ProfileStep::Memory, "allocation");
  if (name == "memrefCopy")
    return Step(ProfileStep::Memory, "copy");
  return std::nullopt;
}

std::vector<std::unique_ptr<ProfileStep>> qk::instrumentSteps(ModuleOp module) {
  std::vector<std::unique_ptr<ProfileStep>> steps;
  SymbolTable symbols(module);
  Type f64 = Float64Type::get(module.getContext()),
       i64 = IntegerType::get(module.getContext(), 64),
       pointer = LLVM::LLVMPointerType::get(module.getContext()),
       nothing = LLVM::LLVMVoidType::get(module.getContext());
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto declare = [&](StringRef name, Type result, ArrayRef<Type> arguments) {
    if (auto known = symbols.lookup<LLVM::LLVMFuncOp>(name))
      return known;
    auto function = LLVM::LLVMFuncOp::create(
        builder, module.getLoc(), name,
        LLVM::LLVMFunctionType::get(result, arguments));
    symbols.insert(function);
    return function;
  };
  LLVM::LLVMFuncOp begin = declare("qk_profile_begin", f64, {}),
                   end = declare(profileEndSymbol, nothing, {f64, pointer});
  auto counter = [&](ProfileStep::Group group, StringRef kind) {
    for (auto &step : steps)
      if (step->group == group && step->kind == kind)
        return step.get();
    steps.push_back(std::make_unique<ProfileStep>());
    steps.back()->group = group;
    steps.back()->kind = kind.str();
    return steps.back().get();
  };
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    // What a step does inside is its own.
    if (isKernel(function) || function->hasAttr(loopKindAttrName) ||
        function.getName().contains(".portable") ||
        function.getName().contains(".avx"))
      continue;
    for (Block &block : function.getBody())
      for (Operation &op : llvm::make_early_inc_range(block)) {
        auto step = stepOf(op, symbols);
        if (!step)
          continue;
        Location loc = op.getLoc();
        builder.setInsertionPoint(&op);
        Value start =
            LLVM::CallOp::create(builder, loc, begin, ValueRange()).getResult();
        auto address =
            reinterpret_cast<intptr_t>(counter(step->first, step->second));
        Value number = LLVM::ConstantOp::create(
            builder, loc, i64, builder.getI64IntegerAttr(address));
        Value place = LLVM::IntToPtrOp::create(builder, loc, pointer, number,
                                               /*dereferenceable=*/nullptr);
        builder.setInsertionPointAfter(&op);
        LLVM::CallOp::create(builder, loc, end, ValueRange{start, place});
      }
  }
  return steps;
}
