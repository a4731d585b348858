//===- SpecializeCPULevel.cpp - No code for other machines ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SpecializeCPULevel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/Module.h"
#include "llvm/Transforms/Utils/Local.h"

using namespace llvm;

void qk::specializeCPULevel(Module &module,
                            function_ref<int32_t(int32_t)> best) {
  Function *query = module.getFunction("qk_choose_cpu_level");
  if (!query || !query->isDeclaration())
    return;
  SetVector<Function *> callers;
  for (User *user : make_early_inc_range(query->users())) {
    auto *call = dyn_cast<CallInst>(user);
    if (!call || call->getCalledFunction() != query)
      continue;
    auto *levels = dyn_cast<ConstantInt>(call->getArgOperand(0));
    int32_t level =
        levels ? best(static_cast<int32_t>(levels->getZExtValue())) : -1;
    // None of them: the call stays and says so.
    if (level < 0)
      continue;
    callers.insert(call->getFunction());
    call->replaceAllUsesWith(ConstantInt::get(call->getType(), level));
    call->eraseFromParent();
  }
  for (Function *caller : callers) {
    for (BasicBlock &block : *caller) {
      SimplifyInstructionsInBlock(&block);
      ConstantFoldTerminator(&block, /*DeleteDeadConditions=*/true);
    }
    removeUnreachableBlocks(*caller);
  }
  // A kernel calls its tile function, and that one nothing of ours.
  for (bool changed = true; changed;) {
    changed = false;
    for (Function &function : make_early_inc_range(module)) {
      if (!function.hasLocalLinkage() || !function.use_empty())
        continue;
      function.eraseFromParent();
      changed = true;
    }
  }
}
