//===- Runnable.cpp - Whether a model can be run here ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runnable.h"

using namespace mlir;

LogicalResult qk::calibration::checkRunnable(ModuleOp module) {
  // In order of the text, where a user looks first.
  WalkResult result = module.walk<WalkOrder::PreOrder>([](Operation *op) {
    if (op->isRegistered())
      return WalkResult::advance();
    StringRef name = op->getName().getStringRef();
    op->emitError("can't run the model for calibration: nothing here compiles "
                  "'")
        << name << "', an op of dialect '"
        << op->getName().getDialectNamespace()
        << "'; export the same model to linalg or TOSA, collect statistics "
           "there (--quant-llm-write-statistics), and give them here by "
           "--calibrate=\"stats=FILE\": they are found by the layers' names";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}
