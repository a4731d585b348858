//===- SinkParameters.cpp - Weights that are passed to helpers ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace qk::quant_llm;

std::optional<SmallVector<func::CallOp>>
qk::quant_llm::findCalls(ModuleOp module, StringRef name) {
  SmallVector<func::CallOp> calls;
  WalkResult others = module.walk([&](Operation *op) {
    if (auto call = dyn_cast<func::CallOp>(op)) {
      if (call.getCallee() == name)
        calls.push_back(call);
      return WalkResult::advance();
    }
    // Properties of dialects that aren't linked are attributes too.
    bool refers = false;
    op->getAttrDictionary().walk([&](SymbolRefAttr symbol) {
      refers |= symbol.getRootReference() == name;
    });
    return refers ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (others.wasInterrupted())
    return std::nullopt;
  return calls;
}

/// The parameter of a file that `value` is, as it is or transposed, converted
/// or reshaped: the ops, that of `value` first. Empty where it is none.
static SmallVector<Operation *> getParameterChain(Value value) {
  SmallVector<Operation *> chain;
  while (Operation *op = value.getDefiningOp()) {
    chain.push_back(op);
    if (auto parameter = dyn_cast<ParameterOp>(op))
      return parameter.getValueAttr() ? SmallVector<Operation *>() : chain;
    if (!isa<TransposeOp, arith::ExtFOp, arith::TruncFOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp>(op))
      break;
    value = op->getOperand(0);
  }
  return {};
}

namespace {

class Sinker {
public:
  explicit Sinker(ModuleOp module) : module(module), symbols(module) {}
  void run();

private:
  /// The call's callee, if it can be given parameters.
  func::FuncOp getCallee(func::CallOp call);
  void sink(func::CallOp call);

  ModuleOp module;
  SymbolTable symbols;
  /// Copies, by the callee's name and what each argument was replaced by.
  llvm::StringMap<func::FuncOp> copies;
};

} // namespace

func::FuncOp Sinker::getCallee(func::CallOp call) {
  auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isExternal() || !callee.isPrivate())
    return {};
  // A function that calls itself would be copied without end.
  WalkResult recursion = callee.walk([&](func::CallOp inner) {
    return inner.getCallee() == callee.getName() ? WalkResult::interrupt()
                                                 : WalkResult::advance();
  });
  return recursion.wasInterrupted() ? func::FuncOp() : callee;
}

void Sinker::sink(func::CallOp call) {
  func::FuncOp callee = getCallee(call);
  if (!callee)
    return;
  llvm::BitVector sunk(call.getNumOperands());
  SmallVector<SmallVector<Operation *>> chains(call.getNumOperands());
  std::string key = callee.getName().str();
  for (auto [index, operand] : llvm::enumerate(call.getOperands())) {
    chains[index] = getParameterChain(operand);
    if (chains[index].empty())
      continue;
    sunk.set(index);
    llvm::raw_string_ostream stream(key);
    stream << '\0' << index;
    for (Operation *op : chains[index])
      stream << '\0' << op->getName() << op->getAttrDictionary()
             << op->getResultTypes();
  }
  if (sunk.none())
    return;

  func::FuncOp &copy = copies[key];
  if (!copy) {
    copy = callee.clone();
    symbols.insert(copy, std::next(Block::iterator(callee)));
    Block &entry = copy.getBody().front();
    OpBuilder builder(module.getContext());
    for (unsigned index : sunk.set_bits()) {
      builder.setInsertionPointToStart(&entry);
      IRMapping mapping;
      Operation *last = nullptr;
      for (Operation *op : llvm::reverse(chains[index]))
        last = builder.clone(*op, mapping);
      entry.getArgument(index).replaceAllUsesWith(last->getResult(0));
    }
    (void)copy.eraseArguments(sunk);
  }
  call.setCallee(copy.getName());
  call->eraseOperands(sunk);
  // Two arguments may have been one parameter.
  llvm::SetVector<Operation *> dead;
  for (const SmallVector<Operation *> &chain : chains)
    dead.insert(chain.begin(), chain.end());
  for (bool changed = true; changed;) {
    changed = dead.remove_if([](Operation *op) {
      if (!op->use_empty())
        return false;
      op->erase();
      return true;
    });
  }
  auto calls = findCalls(module, callee.getName());
  if (calls && calls->empty())
    symbols.erase(callee);
}

void Sinker::run() {
  // Calls inside a copy may pass its parameters on.
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPublic())
      functions.push_back(function);
  llvm::StringSet<> seen;
  while (!functions.empty()) {
    func::FuncOp function = functions.pop_back_val();
    SmallVector<func::CallOp> calls;
    function.walk([&](func::CallOp call) { calls.push_back(call); });
    for (func::CallOp call : calls) {
      sink(call);
      if (seen.insert(call.getCallee()).second)
        if (auto callee = symbols.lookup<func::FuncOp>(call.getCallee()))
          functions.push_back(callee);
    }
  }
}

LogicalResult qk::quant_llm::sinkParameters(ModuleOp module) {
  Sinker(module).run();
  return success();
}
