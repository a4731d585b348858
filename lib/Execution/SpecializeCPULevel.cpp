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

void qk::specializeCPULevel(Module &module, int32_t level) {
  Function *query = module.getFunction("qk_cpu_level");
  if (!query || !query->isDeclaration())
    return;
  SetVector<Function *> callers;
  for (User *user : make_early_inc_range(query->users())) {
    auto *call = dyn_cast<CallInst>(user);
    if (!call || call->getCalledFunction() != query)
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
