//===- Functions.cpp - Functions of any dialect ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Functions.h"

#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace qk::quant_llm;

static std::optional<Function> asFunction(Operation *op) {
  if (auto function = dyn_cast<FunctionOpInterface>(op)) {
    if (function.isExternal())
      return std::nullopt;
    return Function{op, function.getName(), &function.getFunctionBody()};
  }
  if (op->isRegistered() || op->getNumRegions() != 1 ||
      op->getRegion(0).empty() || !op->hasAttr("function_type"))
    return std::nullopt;
  auto name = op->getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
  if (!name)
    return std::nullopt;
  return Function{op, name.getValue(), &op->getRegion(0)};
}

SmallVector<Function> qk::quant_llm::findFunctions(ModuleOp module) {
  SmallVector<Function> functions;
  module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    std::optional<Function> function = asFunction(op);
    if (!function)
      return WalkResult::advance();
    functions.push_back(*function);
    return WalkResult::skip();
  });
  return functions;
}

std::optional<Function> qk::quant_llm::findParentFunction(Operation *op) {
  for (; op; op = op->getParentOp())
    if (std::optional<Function> function = asFunction(op))
      return function;
  return std::nullopt;
}

std::optional<Function> qk::quant_llm::getFunctionOf(BlockArgument argument) {
  Operation *op = argument.getOwner()->getParentOp();
  std::optional<Function> function = findParentFunction(op);
  if (!function || function->op != op ||
      argument.getOwner() != &function->entry())
    return std::nullopt;
  return function;
}

SmallVector<Operation *> qk::quant_llm::getCalls(const Function &function) {
  auto visibility = function.op->getAttrOfType<StringAttr>("sym_visibility");
  auto module = function.op->getParentOfType<ModuleOp>();
  if (!visibility || visibility.getValue() != "private" || !module)
    return {};
  SmallVector<Operation *> calls;
  bool known = true;
  module.walk([&](Operation *user) {
    auto callee = user->getAttrOfType<FlatSymbolRefAttr>("callee");
    if (callee && callee.getValue() == function.name) {
      calls.push_back(user);
      known &= user->getNumOperands() == function.entry().getNumArguments();
      return;
    }
    user->getAttrDictionary().walk([&](SymbolRefAttr reference) {
      known &= reference.getLeafReference() != function.name;
    });
  });
  return known ? calls : SmallVector<Operation *>();
}

SmallVector<Value> qk::quant_llm::getPassedValues(BlockArgument argument) {
  SmallVector<Value> values;
  if (std::optional<Function> function = getFunctionOf(argument))
    for (Operation *call : getCalls(*function))
      values.push_back(call->getOperand(argument.getArgNumber()));
  return values;
}
