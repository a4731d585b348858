//===- SegmentPlan.h - Where a function is cut ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A function is run in parts, so that a layer is rounded before what reads its
/// result runs. Layers that read one tensor are a group; the function is cut
/// where each group's tensor has been computed. What is alive at a cut is kept
/// for every sample. A cut is left out, and the groups on both sides of it
/// become one step, where
/// - a value is alive that can't be kept,
/// - it keeps far more alive than the cut before or after it.
/// Where a recipe of an earlier layer needs statistics of a later one (scales
/// folded into the rows of the layer before), those are taken twice: before the
/// earlier layer is rounded, and, for the later layer's own rounding, after.
/// A layer that reads several tensors (one weight used in several blocks) would
/// have to be rounded before the last of them is known: it is in no step, but
/// rounded before all of them, for what the float model feeds it.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_SEGMENTPLAN_H
#define QK_LIB_CALIBRATION_SEGMENTPLAN_H

#include "FunctionFlow.h"

#include <string>
#include <utility>
#include <vector>

namespace qk::calibration {

struct SegmentPlan {
  struct Group {
    std::vector<std::string> layers;
    /// What they read, or what the module observes for them; null where the
    /// function that runs has none of them.
    mlir::Value input;
    int64_t k = 0;
    /// What the result of one of `layers` is added to (a residual stream), of
    /// `channels` columns, where its error is asked for and is known at the
    /// cut: kept there with the input. Null elsewhere.
    mlir::Value stream;
    int64_t channels = 0;
    /// The step in which it is rounded.
    size_t step = 0;
  };
  /// From one cut to the next.
  struct Step {
    std::vector<size_t> groups;
    /// Of later steps, whose statistics recipes of this step's layers need.
    std::vector<size_t> early;
    /// The number of the last op before the cut; -1: none.
    int64_t position = -1;
    /// What is kept at the cut, in the order of definition.
    llvm::SmallVector<mlir::Value> live;
    /// Conditions to check on the way to the next cut (cf.assert).
    llvm::SmallVector<mlir::Operation *> assertions;
  };

  mlir::func::FuncOp function;
  FunctionFlow flow;
  /// In the order of data flow; those that do not run last.
  std::vector<Group> groups;
  std::vector<Step> steps;
  /// Layers that read several tensors, then others whose statistics their
  /// recipes name; in no group.
  std::vector<std::string> first;

  /// One line a step: its layers and what is kept for them.
  void print(llvm::raw_ostream &stream) const;
};

/// Layers of which a recipe of the first needs a statistic of the second.
using StatisticUses = std::vector<std::pair<std::string, std::string>>;

/// Plans the run of `function`, in `copy`, for the statistics of `layers`, of
/// which those in `rounded` change; of those in `residuals` the stream that
/// their result is added to is kept, too. `unknownSize` is what sizes that are
/// not known may be, to tell what a cut keeps. Errors: those of FunctionFlow; a
/// layer that the module lacks; no rounded layer but such as read several
/// tensors (at the first's second op).
mlir::FailureOr<SegmentPlan> planSegments(ModelCopy &copy,
                                          mlir::func::FuncOp function,
                                          llvm::ArrayRef<std::string> layers,
                                          const llvm::StringSet<> &rounded,
                                          const llvm::StringSet<> &residuals,
                                          const StatisticUses &uses,
                                          double unknownSize);

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_SEGMENTPLAN_H
