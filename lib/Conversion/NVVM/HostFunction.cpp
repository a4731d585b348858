//===- HostFunction.cpp - What launches kernels -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostFunction.h"

#include "LaunchCalls.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace qk::nvvm {
namespace {

class LauncherBuilder {
public:
  LauncherBuilder(func::FuncOp function, ArrayRef<KernelChoice> choices)
      : function(function), choices(choices), problem(choices.front().problem),
        b(function.getLoc(), function.getContext()),
        calls(function->getParentOfType<ModuleOp>(), b) {}

  void build();

private:
  Value tilesOf(Value m, Value n, Value tokens, Value channels);
  void compare(Value m, Value n);
  Value pick(Value m, function_ref<Value(const KernelChoice &)> value);

  func::FuncOp function;
  ArrayRef<KernelChoice> choices;
  const MatmulProblem &problem;
  ImplicitLocOpBuilder b;
  LaunchCalls calls;
  /// For each choice whether it is better than all before it for the same M;
  /// null for the first one.
  SmallVector<Value> isBetter;
};

/// Blocks of a grid along M and N.
Value LauncherBuilder::tilesOf(Value m, Value n, Value tokens, Value channels) {
  Value x = arith::CeilDivUIOp::create(b, m, tokens);
  return arith::MulIOp::create(b, x,
                               arith::CeilDivUIOp::create(b, n, channels));
}

/// KernelChoice::cost(), on values, where there are several choices for an M.
void LauncherBuilder::compare(Value m, Value n) {
  Value least;
  for (auto [i, choice] : llvm::enumerate(choices)) {
    bool isFirst = i == 0 || choices[i - 1].mFrom != choice.mFrom;
    bool isLast =
        i + 1 == choices.size() || choices[i + 1].mFrom != choice.mFrom;
    isBetter.push_back({});
    if (isFirst && isLast)
      continue;
    Value tiles = tilesOf(m, n, calls.i64(choice.blockTokens()),
                          calls.i64(choice.blockChannels()));
    Value rounds =
        arith::CeilDivUIOp::create(b, tiles, calls.i64(choice.splitWave()));
    Value cost = arith::MulIOp::create(b, rounds, calls.i64(choice.roundCost));
    if (!isFirst)
      isBetter.back() =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ult, cost, least);
    if (!isLast)
      least = isFirst ? cost : Value(arith::MinUIOp::create(b, cost, least));
  }
}

/// What `value` gives for the choice whose range of M holds `m`, and of several
/// for the best one.
Value LauncherBuilder::pick(Value m,
                            function_ref<Value(const KernelChoice &)> value) {
  Value result;
  for (size_t end = choices.size(); end > 0;) {
    size_t first = end - 1;
    while (isBetter[first])
      --first;
    Value inRange;
    if (result)
      inRange = arith::CmpIOp::create(b, arith::CmpIPredicate::sle, m,
                                      calls.i64(choices[first].mTo));
    Value best = value(choices[first]);
    for (size_t i = first + 1; i < end; ++i)
      best = arith::SelectOp::create(b, isBetter[i], value(choices[i]), best);
    result = result ? Value(arith::SelectOp::create(b, inRange, best, result))
                    : best;
    end = first;
  }
  return result;
}

void LauncherBuilder::build() {
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  auto arguments = entry->getArguments();
  Value x = arguments.front(), y = arguments.back();
  auto sizeOf = [&](Value matrix, int64_t dim) {
    return calls.asI64(memref::DimOp::create(b, matrix, dim));
  };
  Value m = sizeOf(y, 0), n = sizeOf(y, 1);
  compare(m, n);

  Value name =
      pick(m, [&](const KernelChoice &c) { return calls.text(c.name()); });
  calls.call("qk_cuda_begin", {calls.image(), name});
  calls.passMatrix("qk_cuda_input", x);
  // The kernel has x_scales later than the op.
  size_t next = problem.int8Activations ? 2 : 1;
  calls.passConstant(arguments[next++]);
  if (problem.hasPermutation)
    calls.passConstant(arguments[next++]);
  if (problem.bias)
    calls.passVector("qk_cuda_input", arguments[next++]);
  if (problem.int8Activations)
    calls.passMatrix("qk_cuda_input", arguments[1]);
  calls.passMatrix("qk_cuda_output", y);
  auto number = [&](int64_t (KernelChoice::*of)() const) {
    return pick(m, [&](const KernelChoice &c) { return calls.i64((c.*of)()); });
  };
  if (choices.front().hasWorkspace())
    calls.call("qk_cuda_workspace", {number(&KernelChoice::workspaceBytes)});
  for (Value size : {m, n})
    calls.passI32(size);

  // launchShape(), on values.
  if (choices.front().usesMma())
    calls.call("qk_cuda_shared", {number(&KernelChoice::dynamicSharedBytes)});
  Value one = calls.i64(1);
  Value gridX =
      arith::CeilDivUIOp::create(b, m, number(&KernelChoice::blockTokens));
  Value gridY =
      arith::CeilDivUIOp::create(b, n, number(&KernelChoice::blockChannels));
  Value z = one;
  if (llvm::any_of(choices,
                   [](const KernelChoice &c) { return c.maxSplit() > 1; })) {
    Value tiles =
        arith::MaxUIOp::create(b, arith::MulIOp::create(b, gridX, gridY), one);
    Value fit =
        arith::DivUIOp::create(b, number(&KernelChoice::splitWave), tiles);
    z = arith::MaxUIOp::create(
        b, arith::MinUIOp::create(b, fit, number(&KernelChoice::maxSplit)),
        one);
  }
  if (llvm::any_of(choices,
                   [](const KernelChoice &c) { return c.maxCluster() > 1; })) {
    Value few = arith::CmpIOp::create(b, arith::CmpIPredicate::ule, z,
                                      number(&KernelChoice::maxCluster));
    calls.call("qk_cuda_cluster", {arith::SelectOp::create(b, few, z, one)});
  }
  calls.call("qk_cuda_launch",
             {gridX, gridY, z, number(&KernelChoice::threads), one, one});
  func::ReturnOp::create(b);
}

} // namespace

void buildLauncher(func::FuncOp declaration, ArrayRef<KernelChoice> choices) {
  LauncherBuilder(declaration, choices).build();
}

void buildLauncher(func::FuncOp declaration, const QuantizerProblem &problem) {
  Block *entry = declaration.addEntryBlock();
  ImplicitLocOpBuilder b(declaration.getLoc(), declaration.getContext());
  b.setInsertionPointToStart(entry);
  LaunchCalls calls(declaration->getParentOfType<ModuleOp>(), b);
  auto arguments = entry->getArguments();
  Value codes = arguments.drop_back().back(), scales = arguments.back();
  calls.call("qk_cuda_begin", {calls.image(), calls.text(problem.name())});
  // x, or what it is computed from; factors.
  for (Value read : arguments.drop_back(2)) {
    if (cast<MemRefType>(read.getType()).getRank() == 2)
      calls.passMatrix("qk_cuda_input", read);
    else
      calls.passVector("qk_cuda_input", read);
  }
  calls.passMatrix("qk_cuda_output", codes);
  calls.passMatrix("qk_cuda_output", scales);
  Value m = calls.asI64(memref::DimOp::create(b, codes, 0)), one = calls.i64(1);
  calls.call("qk_cuda_launch",
             {m, one, one, calls.i64(problem.threads()), one, one});
  func::ReturnOp::create(b);
}

} // namespace qk::nvvm
