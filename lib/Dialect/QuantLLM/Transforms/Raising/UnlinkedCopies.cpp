//===- UnlinkedCopies.cpp - A function for each weight --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "UnlinkedViews.h"

#include "Constants.h"
#include "Functions.h"
#include "UnlinkedOps.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace qk::quant_llm;

/// What a call passes: which constant or part of one, in which order of
/// dimensions; null for what is none.
static Attribute getPassedKey(Value value) {
  UnlinkedView view = viewOfUnlinked(value, /*parts=*/true);
  if (!view.isConstant)
    return {};
  Builder builder(value.getContext());
  SmallVector<Attribute> dims;
  for (const ShownDims &shown : view.dims)
    dims.push_back(builder.getDenseI64ArrayAttr(shown));
  return builder.getArrayAttr({getConstantKey(view.root),
                               builder.getArrayAttr(dims),
                               builder.getI64IntegerAttr(view.offset),
                               builder.getDenseI64ArrayAttr(view.shape)});
}

/// Has each constant passed for `argument` go to a function of its own. Whether
/// anything changed.
static bool specialise(BlockArgument argument, SymbolTable &symbols,
                       unsigned depth) {
  std::optional<Function> function = getFunctionOf(argument);
  if (!function || depth == kMaxDepth)
    return false;
  llvm::MapVector<Attribute, SmallVector<Operation *>> groups;
  for (Operation *call : getCalls(*function)) {
    Value passed = call->getOperand(argument.getArgNumber());
    Attribute key = getPassedKey(passed);
    if (!key) {
      // The caller's own argument may be several constants.
      auto outer = dyn_cast<BlockArgument>(viewOfUnlinked(passed).root);
      return outer && outer.getOwner() != argument.getOwner() &&
             specialise(outer, symbols, depth + 1);
    }
    groups[key].push_back(call);
  }
  if (groups.size() < 2)
    return false;
  for (auto &[key, calls] : llvm::drop_begin(groups)) {
    Operation *copy = function->op->clone();
    // Gives it a name that is free.
    StringAttr name =
        symbols.insert(copy, std::next(Block::iterator(function->op)));
    for (Operation *call : calls)
      call->setAttr("callee", FlatSymbolRefAttr::get(name));
  }
  return true;
}

void qk::quant_llm::specialiseCalls(ModuleOp module) {
  // Each copy is made for a call, and each call is of one copy in the end.
  SymbolTable symbols(module);
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<BlockArgument> arguments;
    module.walk([&](Operation *op) {
      if (getUnlinkedKind(op) != UnlinkedKind::Contraction)
        return;
      for (Value operand : op->getOperands())
        if (auto argument =
                dyn_cast<BlockArgument>(viewOfUnlinked(operand).root))
          if (!llvm::is_contained(arguments, argument))
            arguments.push_back(argument);
    });
    for (BlockArgument argument : arguments)
      changed |= specialise(argument, symbols, 0);
  }
}
