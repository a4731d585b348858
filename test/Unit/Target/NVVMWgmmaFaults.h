//===- NVVMWgmmaFaults.h - Kernels on wgmma, broken ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_TARGET_NVVMWGMMAFAULTS_H
#define QK_TEST_UNIT_TARGET_NVVMWGMMAFAULTS_H

#include "../../../lib/Target/NVVM/WgmmaTable.h"
#include "NVVMCase.h"

namespace qk::test {

inline KernelChoice wgmmaChoice(const MatmulProblem &problem,
                                WgmmaConfig config) {
  KernelChoice choice;
  choice.family = KernelFamily::Wgmma;
  choice.problem = problem;
  choice.wgmma = fitWgmma(*findChip("sm_90a"), problem, config);
  return choice;
}

/// What is broken in a kernel is found.
class WgmmaFaults : public testing::Test {
protected:
  /// The error of the fixture's kernel, which `change` may break in any way.
  virtual std::string
  with(llvm::function_ref<void(mlir::gpu::GPUFuncOp)> change,
       uint64_t seed = 0) = 0;

  /// The error of one whose inline assembly `change` has changed: it gets each
  /// text, and says whether the op stays.
  std::string run(llvm::function_ref<bool(std::string &)> change,
                  uint64_t seed = 0) {
    return with(
        [&](mlir::gpu::GPUFuncOp kernel) {
          int changed = 0;
          llvm::SmallVector<mlir::LLVM::InlineAsmOp> ops;
          kernel.walk([&](mlir::LLVM::InlineAsmOp op) { ops.push_back(op); });
          for (mlir::LLVM::InlineAsmOp op : ops) {
            std::string text = op.getAsmString().str();
            std::string before = text;
            bool stays = change(text);
            if (!stays && op.getNumResults() == 0)
              op.erase();
            else
              op.setAsmString(text);
            changed += !stays || text != before;
          }
          EXPECT_GT(changed, 0);
        },
        seed);
  }

  /// The error of one whose mbarriers expect `by` more arrivals.
  std::string withBarrierCounts(int by) {
    return with([&](mlir::gpu::GPUFuncOp kernel) {
      kernel.walk([&](mlir::LLVM::InlineAsmOp op) {
        if (!has(op.getAsmString().str(), "mbarrier.init.shared"))
          return;
        mlir::OpBuilder builder(op);
        auto count =
            op.getOperands()[1].getDefiningOp<mlir::arith::ConstantIntOp>();
        op.setOperand(1, mlir::arith::ConstantIntOp::create(
                             builder, op.getLoc(), count.value() + by, 32));
      });
    });
  }

  /// The error of one that reads the rows of x as they would lie without a
  /// swizzle.
  std::string withoutSwizzle() {
    return with([&](mlir::gpu::GPUFuncOp kernel) {
      kernel.walk([&](mlir::arith::XOrIOp op) {
        // Not the parities.
        if (!op.getRhs().getDefiningOp<mlir::arith::ConstantIntOp>())
          op.getResult().replaceAllUsesWith(op.getLhs());
      });
    });
  }

  static bool has(const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
  }
  static void replace(std::string &text, const std::string &from,
                      const std::string &to) {
    if (size_t at = text.find(from); at != std::string::npos)
      text.replace(at, from.size(), to);
  }
};

} // namespace qk::test

#endif // QK_TEST_UNIT_TARGET_NVVMWGMMAFAULTS_H
