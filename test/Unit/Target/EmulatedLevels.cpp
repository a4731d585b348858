//===- EmulatedLevels.cpp - x86 levels on any machine with AVX2 -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EmulatedLevels.h"

#include "qk/Runtime/CPULevel.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

#include <algorithm>

using namespace qk;
using namespace qk::cpu;
using namespace qk::test;

namespace {

bool machineHas(Level level) {
  return qk_best_cpu_level(1 << static_cast<int32_t>(level)) >= 0;
}

/// A function for `intrinsic`. Intel's manual, VPDPBUSD: to each 32-bit lane of
/// the first operand the four products of the second's unsigned and the third's
/// signed bytes in it, modulo 2^32. Not inlined: a kernel has hundreds.
llvm::Function *byteDot(llvm::Function &intrinsic) {
  auto *function = llvm::Function::Create(
      intrinsic.getFunctionType(), llvm::GlobalValue::InternalLinkage,
      "emulated." + intrinsic.getName(), intrinsic.getParent());
  function->addFnAttr(llvm::Attribute::NoInline);
  llvm::IRBuilder<> b(
      llvm::BasicBlock::Create(intrinsic.getContext(), "", function));
  llvm::Value *sum = function->getArg(0);
  auto *type = llvm::cast<llvm::FixedVectorType>(sum->getType());
  const int lanes = static_cast<int>(type->getNumElements());
  auto *bytes = llvm::FixedVectorType::get(b.getInt8Ty(), 4 * lanes);
  auto *wide = llvm::FixedVectorType::get(b.getInt32Ty(), 4 * lanes);
  llvm::Value *products = b.CreateMul(
      b.CreateZExt(b.CreateBitCast(function->getArg(1), bytes), wide),
      b.CreateSExt(b.CreateBitCast(function->getArg(2), bytes), wide));
  for (int j = 0; j < 4; ++j) {
    std::vector<int> mask;
    for (int lane = 0; lane < lanes; ++lane)
      mask.push_back(4 * lane + j);
    sum = b.CreateAdd(sum, b.CreateShuffleVector(products, mask));
  }
  b.CreateRet(sum);
  return function;
}

/// Leaves nothing that asks for more than the machine at hand has.
void rewrite(llvm::Module &module) {
  std::vector<llvm::Function *> dots;
  for (llvm::Function &function : module) {
    function.removeFnAttr("target-features");
    function.removeFnAttr("target-cpu");
    if (function.getName().starts_with("llvm.x86.avx512.vpdpbusd."))
      dots.push_back(&function);
  }
  for (llvm::Function *dot : dots) {
    dot->replaceAllUsesWith(byteDot(*dot));
    dot->eraseFromParent();
  }
}

/// The best of those compiled for, whatever the machine has.
int32_t best(int32_t levels) {
  return 31 - __builtin_clz(static_cast<uint32_t>(levels));
}

} // namespace

std::vector<TestLevel> qk::test::testLevels() {
  std::vector<TestLevel> levels;
  for (Level level :
       {Level::Portable, Level::AVX2, Level::AVXVNNI, Level::AVX512VNNI})
    if (machineHas(level))
      levels.push_back({level, /*emulated=*/false});
    else if (machineHas(Level::AVX2))
      levels.push_back({level, /*emulated=*/true});
  return levels;
}

std::string qk::test::testName(const TestLevel &level) {
  std::string result(name(level.level));
  std::replace(result.begin(), result.end(), '-', '_');
  return level.emulated ? result + "_emulated" : result;
}

llvm::Expected<std::unique_ptr<CPUKernel>>
qk::test::compileFor(const KernelSpec &spec, const TestLevel &level) {
  CPUKernelOptions options;
  if (level.emulated) {
    options.rewrite = rewrite;
    options.chooseLevel = best;
  }
  return CPUKernel::compile(spec, {level.level}, options);
}
