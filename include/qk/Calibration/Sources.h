//===- Sources.h - Where a module's statistics come from --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CALIBRATION_SOURCES_H
#define QK_CALIBRATION_SOURCES_H

#include "qk/Dialect/QuantLLM/Transforms/Evaluate.h"

#include <memory>

namespace qk::calibration {

/// The source that the module attribute `quant_llm.calibration` names: a
/// statistics file, or a run of the model on samples, in one piece or (where
/// asked for, or a recipe needs a cross moment) block by block. Null where the
/// module names none. Errors are emitted at the module.
mlir::FailureOr<std::unique_ptr<quant_llm::StatisticsSource>>
createStatisticsSource(mlir::ModuleOp module);

} // namespace qk::calibration

#endif // QK_CALIBRATION_SOURCES_H
