//===- FoldScales.cpp - Moves scales into what makes a value --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scaling/LayerGroups.h"

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace qk::quant_llm;

namespace qk::quant_llm {
#define GEN_PASS_DEF_FOLDSCALESPASS
#include "qk/Dialect/QuantLLM/Transforms/Passes.h.inc"
} // namespace qk::quant_llm

/// Divisions of what the model computes, by their factors.
static llvm::MapVector<Value, SmallVector<ScaleColumnsOp>>
collectDivisions(ModuleOp module) {
  llvm::MapVector<Value, SmallVector<ScaleColumnsOp>> divisions;
  module.walk([&](ScaleColumnsOp op) {
    if (op.getInverse() && op.getOffset().isZero() &&
        !isRecipeValue(op.getInput()) && isRecipeValue(op.getFactors()))
      divisions[op.getFactors()].push_back(op);
  });
  return divisions;
}

/// The names of the layers that read the divided values.
static std::vector<std::string> getLayers(ArrayRef<ScaleColumnsOp> divisions) {
  std::vector<std::string> names;
  SmallVector<Operation *> worklist;
  auto add = [&](Value value) {
    llvm::append_range(worklist, value.getUsers());
  };
  for (ScaleColumnsOp op : divisions)
    add(op.getResult());
  std::reverse(worklist.begin(), worklist.end());
  while (!worklist.empty()) {
    Operation *user = worklist.pop_back_val();
    std::string name;
    if (auto linear = dyn_cast<LinearOp>(user))
      name = linear.getLayer();
    else if (auto matmul = dyn_cast<MatmulOp>(user))
      name = matmul.getLayer();
    else if (isa<QuantizeOp, ScaleColumnsOp>(user))
      add(user->getResult(0));
    if (!name.empty() && !llvm::is_contained(names, name))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Whether the factors are equal wherever the plan needs it.
static bool areShared(Value factors, const FoldPlan &plan) {
  if (plan.shared.empty())
    return true;
  Operation *op = factors.getDefiningOp();
  auto shared =
      op ? op->getAttrOfType<DenseI64ArrayAttr>("shared") : DenseI64ArrayAttr();
  if (!shared)
    return false;
  return llvm::all_of(plan.shared, [&](ChannelDigit digit) {
    for (int64_t i = 0; i + 1 < shared.size(); i += 2)
      if (digit == ChannelDigit{shared[i], shared[i + 1]})
        return true;
    return false;
  });
}

namespace {
struct FoldScales : public qk::quant_llm::impl::FoldScalesPassBase<FoldScales> {
  using FoldScalesPassBase::FoldScalesPassBase;

  void runOnOperation() override {
    for (auto &[factors, divisions] : collectDivisions(getOperation()))
      if (failed(fold(factors, divisions)))
        return signalPassFailure();
  }

private:
  /// Where only `quantize` reads the divided values: it divides.
  static bool mergeIntoQuantize(Value factors,
                                ArrayRef<ScaleColumnsOp> divisions) {
    for (ScaleColumnsOp op : divisions)
      for (Operation *user : op.getResult().getUsers()) {
        auto quantize = dyn_cast<QuantizeOp>(user);
        if (!quantize || quantize.getFactors())
          return false;
      }
    for (ScaleColumnsOp op : divisions)
      for (Operation *user :
           llvm::make_early_inc_range(op.getResult().getUsers())) {
        auto quantize = cast<QuantizeOp>(user);
        hoistBefore(factors, quantize);
        quantize.getXMutable().assign(op.getInput());
        quantize.getFactorsMutable().assign(factors);
      }
    return true;
  }

  LogicalResult fold(Value factors, ArrayRef<ScaleColumnsOp> divisions) {
    std::vector<std::string> layers = getLayers(divisions);
    std::string names = "'" + llvm::join(layers, "', '") + "'";
    ScaleColumnsOp first = divisions.front();
    SmallVector<OpOperand *> uses;
    for (ScaleColumnsOp op : divisions)
      uses.push_back(&op.getInputMutable());
    int64_t channels = cast<RankedTensorType>(factors.getType()).getDimSize(0);
    FoldFinding finding = planFold(uses, channels);
    if (finding.plan && !areShared(factors, *finding.plan)) {
      finding.plan.reset();
      finding.reason =
          "channels that come from one producer's have factors of their own";
      finding.location = first.getLoc();
    }
    if (!finding.plan) {
      bool merged = mergeIntoQuantize(factors, divisions);
      InFlightDiagnostic remark = emitRemark(first.getLoc());
      remark << "the scale of the input of " << names
             << (merged ? " is applied as it is quantised: "
                        : " stays an op that runs: ")
             << finding.reason;
      if (finding.location)
        remark.attachNote(*finding.location) << "here";
      if (merged)
        for (ScaleColumnsOp op : divisions)
          op.erase();
      return success();
    }
    auto folded = applyFold(*finding.plan, factors, layers.front());
    if (failed(folded))
      return failure();
    if (!quiet)
      first.emitRemark() << "the scale of the input of " << names
                         << " is folded into " << llvm::join(*folded, ", ");
    for (ScaleColumnsOp op : divisions) {
      op.getResult().replaceAllUsesWith(op.getInput());
      op.erase();
    }
    return success();
  }
};
} // namespace
