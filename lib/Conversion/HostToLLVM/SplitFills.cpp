//===- SplitFills.cpp - Each user of a fill gets its own ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Conversion/HostToLLVM/Passes.h"

namespace qk {
#define GEN_PASS_DEF_SPLITFILLS
#include "qk/Conversion/HostToLLVM/Passes.h.inc"
} // namespace qk

using namespace mlir;

/// Whether the operation sets every element to one value.
static bool isFill(linalg::LinalgOp op) {
  if (isa<linalg::FillOp>(op))
    return true;
  return isa<linalg::GenericOp>(op) && op.getNumDpsInputs() == 0 &&
         op.getNumDpsInits() == 1 &&
         op.getNumLoops() == op.getNumParallelLoops() &&
         llvm::hasSingleElement(*op.getBlock()) &&
         op.getBlock()->getTerminator()->getOperand(0).getParentRegion() !=
             op.getBlock()->getParent();
}

namespace {
struct SplitFills : qk::impl::SplitFillsBase<SplitFills> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> fills;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.hasPureTensorSemantics() && isFill(op) && !op->hasOneUse())
        fills.push_back(op);
    });
    for (linalg::LinalgOp fill : fills) {
      for (OpOperand &use :
           llvm::make_early_inc_range(fill->getResult(0).getUses())) {
        auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
        if (!user || !user.isDpsInit(&use) || fill->hasOneUse())
          continue;
        OpBuilder builder(user);
        IRMapping mapping;
        if (auto empty = fill.getDpsInits()[0].getDefiningOp<tensor::EmptyOp>())
          mapping.map(empty.getResult(), builder.clone(*empty)->getResult(0));
        use.set(builder.clone(*fill, mapping)->getResult(0));
      }
    }
  }
};
} // namespace
