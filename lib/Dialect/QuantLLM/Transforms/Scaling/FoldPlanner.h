//===- FoldPlanner.h - One attempt to divide a value ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_FOLDPLANNER_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_FOLDPLANNER_H

#include "ScaleFolding.h"
#include "TensorOps.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace qk::quant_llm {

/// One attempt to divide a value. What is divided is followed backwards; what
/// reads it otherwise is looked at in the end.
class FoldPlanner {
public:
  /// With `slots` a slice along a dimension without channels divides only that
  /// part (of a dimension that holds query, key and value); otherwise all of
  /// it (of tokens).
  FoldPlanner(int64_t channels, bool slots)
      : channels(channels), slots(slots) {}

  FoldFinding plan(llvm::ArrayRef<mlir::OpOperand *> uses);

private:
  using ChannelRef = const ChannelMap &;
  /// What is undone when a way turns out to lead nowhere.
  struct State {
    FoldPlan plan;
    llvm::DenseMap<mlir::Value, ChannelMap> divided;
    llvm::SmallVector<mlir::Value> order;
    llvm::DenseSet<mlir::OpOperand *> consumed;
  };

  // PlanFold.cpp
  mlir::LogicalResult divide(mlir::Value value, ChannelRef map,
                             double offset = 0);
  mlir::LogicalResult divideOperand(mlir::OpOperand &operand, ChannelRef map,
                                    double offset = 0);
  mlir::LogicalResult divideLinear(mlir::Operation *op, ChannelRef map);
  mlir::LogicalResult divideSlice(const TensorSlice &slice, mlir::Operation *op,
                                  ChannelRef map, double offset);
  mlir::LogicalResult share(llvm::ArrayRef<ChannelDigit> digits,
                            mlir::Operation *op);
  mlir::LogicalResult checkUses(size_t first);
  /// Whether `use` is a slice of other channels than those of `value`.
  bool readsOthers(mlir::Value value, mlir::OpOperand &use) const;
  mlir::LogicalResult fail(mlir::Location location, const llvm::Twine &why) {
    reason = why.str();
    where = location;
    return mlir::failure();
  }
  /// Tries each, from where things are now, until one leads somewhere; fails
  /// with the first one's reason.
  mlir::LogicalResult
  divideOneOf(llvm::ArrayRef<llvm::function_ref<mlir::LogicalResult()>> sides);

  // FoldReasons.cpp
  /// Division does not go through `op`, which is at `location`.
  mlir::LogicalResult failThrough(mlir::Operation *op);
  mlir::LogicalResult failThrough(mlir::Operation *op, mlir::Location location);
  /// `reader` reads what was to be divided.
  mlir::LogicalResult failForReader(mlir::Operation *reader);

  // PlanElements.cpp: linalg ops.
  mlir::LogicalResult divideLinalg(mlir::linalg::LinalgOp op, ChannelRef map,
                                   double offset);
  mlir::LogicalResult divideContraction(mlir::linalg::LinalgOp op,
                                        ChannelRef map);
  mlir::LogicalResult divideScalar(mlir::linalg::LinalgOp op,
                                   mlir::OpOperand &use, ChannelRef loops,
                                   double offset = 0);
  mlir::LogicalResult divideProduct(mlir::linalg::LinalgOp op,
                                    mlir::OpOperand &a, mlir::OpOperand &b,
                                    ChannelRef loops);
  mlir::LogicalResult divideSum(mlir::linalg::LinalgOp op, mlir::Operation *sum,
                                ChannelRef loops, double offset);

  // PlanTensors.cpp: ops on whole tensors.
  mlir::LogicalResult divideTensorOp(mlir::Operation *op, ChannelRef map,
                                     double offset);
  mlir::LogicalResult divideTensorSum(mlir::Operation *op, ChannelRef map,
                                      double offset);
  mlir::LogicalResult divideTensorProduct(mlir::Operation *op, ChannelRef map);
  mlir::LogicalResult divideConcatenation(mlir::Operation *op, ChannelRef map);
  mlir::LogicalResult divideTensorContraction(mlir::Operation *op,
                                              ChannelRef map);
  mlir::LogicalResult divideRepeated(mlir::OpOperand &operand, ChannelRef map,
                                     double offset = 0);
  mlir::LogicalResult divideAccess(const ElementAccess &access,
                                   double offset = 0);

  int64_t channels;
  bool slots;
  State state;
  std::string reason;
  std::optional<mlir::Location> where;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_SCALING_FOLDPLANNER_H
