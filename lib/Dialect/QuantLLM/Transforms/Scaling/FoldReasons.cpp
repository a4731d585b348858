//===- FoldReasons.cpp - Why a value can't be divided ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FoldPlanner.h"

#include "../Raising/UnlinkedOps.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace qk::quant_llm;

static constexpr llvm::StringLiteral kNotLinear =
    ", for f(s*x) is not s*f(x) there";

/// Whether an op computes such a function of each element, of dialects that are
/// linked or not: torch.aten.gelu, stablehlo.logistic, onnx.Erf.
static bool isNonlinear(Operation *op) {
  if (isa_and_present<math::MathDialect>(op->getDialect()))
    return !isa<math::AbsFOp, math::FmaOp>(op);
  StringRef name =
      op->isRegistered() ? op->getName().getStringRef() : getUnlinkedName(op);
  name.consume_back(".default");
  return llvm::StringSwitch<bool>(name.substr(name.rfind('.') + 1).lower())
      .Cases({"gelu", "erf", "tanh", "sigmoid", "logistic", "silu"}, true)
      .Cases({"exp", "exponential", "softplus", "elu", "mish"}, true)
      .Cases({"hardswish", "hardsigmoid", "fastgelu", "quickgelu"}, true)
      .Default(false);
}

/// `op`, or one in its body.
static Operation *findNonlinear(Operation *op) {
  Operation *found = nullptr;
  op->walk([&](Operation *inner) {
    if (!isNonlinear(inner))
      return WalkResult::advance();
    found = inner;
    return WalkResult::interrupt();
  });
  return found;
}

/// Whether each element of the op's results depends on few of its operands'.
static bool isElementwise(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.getNumParallelLoops() == linalgOp.getNumLoops();
  return !isa<LinearOp, MatmulOp>(op) && getContractedSides(op).empty();
}

LogicalResult FoldPlanner::failThrough(Operation *op) {
  return failThrough(op, op->getLoc());
}

LogicalResult FoldPlanner::failThrough(Operation *op, Location location) {
  std::string why =
      ("division does not go through '" + op->getName().getStringRef() + "'")
          .str();
  return fail(location, isNonlinear(op) ? why + kNotLinear.str() : why);
}

LogicalResult FoldPlanner::failForReader(Operation *reader) {
  // An activation that multiplies what it reads, x * erf(x): its steps read x.
  constexpr size_t kMost = 16;
  llvm::SmallVector<std::pair<Operation *, Operation *>> way = {
      {reader, nullptr}};
  llvm::DenseSet<Operation *> seen;
  while (!way.empty() && seen.size() < kMost) {
    auto [op, nonlinear] = way.pop_back_val();
    if (!seen.insert(op).second || !isElementwise(op))
      continue;
    if (!nonlinear)
      nonlinear = findNonlinear(op);
    for (Value result : op->getResults()) {
      if (nonlinear && state.divided.contains(result))
        return failThrough(nonlinear, reader->getLoc());
      for (Operation *user : result.getUsers())
        way.emplace_back(user, nonlinear);
    }
  }
  return fail(reader->getLoc(),
              "'" + reader->getName().getStringRef() + "' reads it too");
}
