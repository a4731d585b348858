//===- OutlineLoops.cpp - Equal loops as one function ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"
#include "qk/Conversion/HostToLLVM/Passes.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

namespace qk {
#define GEN_PASS_DEF_OUTLINELOOPS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// Whether `op` is a loop at a function's top that only writes memory.
static bool isOutlined(Operation &op) {
  return isa<scf::ParallelOp, scf::ForOp>(op) && op.getNumResults() == 0;
}

/// A kernel is written as it is to be compiled, each function for a level of
/// instructions of its own, and exists once anyway.
static bool isKernel(func::FuncOp function) {
  return llvm::any_of(
      function->getDiscardableAttrs(), [](NamedAttribute attribute) {
        return attribute.getName().strref().starts_with("qk_kernel.");
      });
}

/// What the loop takes from outside, in the order in which it uses it.
/// Constants are not among it: they are part of what the loop does.
static SmallVector<Value> getCaptures(Operation *loop) {
  llvm::SetVector<Value> values(loop->operand_begin(), loop->operand_end());
  getUsedValuesDefinedAbove(loop->getRegions(), values);
  SmallVector<Value> captures;
  for (Value value : values)
    if (!matchPattern(value, m_Constant()))
      captures.push_back(value);
  return captures;
}

/// What a loop computes, in the order of the alphabet: functions, divisions and
/// maxima, which tell softmax from norms and activations; without any of them
/// all float operations; without those "copy".
static std::string kindOf(Operation *loop) {
  std::set<StringRef> telling, others;
  loop->walk([&](Operation *op) {
    bool isFloat =
        op->getNumResults() == 1 && isa<FloatType>(op->getResult(0).getType());
    StringRef name = op->getName().stripDialect();
    if (isa<math::MathDialect>(op->getDialect()) ||
        isa<arith::DivFOp, arith::MaximumFOp, arith::MaxNumFOp>(op))
      telling.insert(name);
    else if (isFloat && isa<arith::ArithDialect>(op->getDialect()) &&
             !isa<arith::ConstantOp>(op))
      others.insert(name);
  });
  if (telling.empty())
    telling = std::move(others);
  return telling.empty() ? "copy" : llvm::join(telling, " ");
}

/// A hash that is equal for functions that are equal but for their names and
/// locations.
static llvm::hash_code hashOf(func::FuncOp function) {
  llvm::hash_code hash =
      llvm::hash_value(function.getFunctionType().getAsOpaquePointer());
  function.getBody().walk([&](Operation *op) {
    hash =
        llvm::hash_combine(hash, OperationEquivalence::computeHash(
                                     op, OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::IgnoreLocations));
  });
  return hash;
}

static bool areEqual(func::FuncOp one, func::FuncOp other) {
  return one.getFunctionType() == other.getFunctionType() &&
         OperationEquivalence::isRegionEquivalentTo(
             &one.getBody(), &other.getBody(),
             OperationEquivalence::IgnoreLocations);
}

namespace {
struct OutlineLoops : qk::impl::OutlineLoopsBase<OutlineLoops> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<Operation *> loops;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (isKernel(function))
        continue;
      for (Block &block : function.getBody())
        for (Operation &op : block)
          if (isOutlined(op))
            loops.push_back(&op);
    }
    llvm::DenseMap<size_t, SmallVector<func::FuncOp>> known;
    for (Operation *loop : loops) {
      SmallVector<Value> captures = getCaptures(loop);
      func::FuncOp function = outline(loop, captures);
      SmallVector<func::FuncOp> &alike = known[hashOf(function)];
      auto *same = llvm::find_if(
          alike, [&](func::FuncOp other) { return areEqual(function, other); });
      if (same != alike.end()) {
        function.erase();
        function = *same;
      } else {
        function->setAttr(qk::loopKindAttrName,
                          StringAttr::get(&getContext(), kindOf(loop)));
        symbols.insert(function);
        alike.push_back(function);
      }
      OpBuilder builder(loop);
      func::CallOp::create(builder, loop->getLoc(), function, captures);
      loop->erase();
    }
  }

private:
  /// A private function, not yet in the module, that does what the loop does.
  static func::FuncOp outline(Operation *loop, ArrayRef<Value> captures) {
    OpBuilder builder(loop->getContext());
    Location loc = loop->getLoc();
    auto parent = loop->getParentOfType<func::FuncOp>();
    auto function = func::FuncOp::create(
        loc, (parent.getName() + ".loop").str(),
        builder.getFunctionType(ValueRange(captures).getTypes(), {}));
    function.setPrivate();
    // Inlined again, every layer would have its own.
    function->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
    function->setAttr(
        "llvm.linkage",
        LLVM::LinkageAttr::get(builder.getContext(), LLVM::Linkage::Internal));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToStart(body);
    IRMapping mapping;
    mapping.map(captures, body->getArguments());
    // In the order of use, which the order in the parent need not be.
    auto take = [&](Value value) {
      Operation *constant = value.getDefiningOp();
      if (!mapping.contains(value) && constant &&
          matchPattern(constant, m_Constant()))
        builder.clone(*constant, mapping);
    };
    llvm::SetVector<Value> above(loop->operand_begin(), loop->operand_end());
    getUsedValuesDefinedAbove(loop->getRegions(), above);
    llvm::for_each(above, take);
    builder.clone(*loop, mapping);
    func::ReturnOp::create(builder, loc);
    return function;
  }
};
} // namespace
