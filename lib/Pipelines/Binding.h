//===- Binding.h - Parameters that no method raised -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_PIPELINES_BINDING_H
#define QK_LIB_PIPELINES_BINDING_H

#include "qk/Dialect/QuantLLM/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"

namespace qk {

/// Weights of layers that no method raised are parameters too: files are
/// mapped, and relative paths are seen from the module.
inline void addBinding(mlir::OpPassManager &manager,
                       llvm::ArrayRef<std::string> weights) {
  quant_llm::BindParametersPassOptions bind;
  if (weights.size() == 1)
    bind.weights = weights.front();
  manager.addPass(quant_llm::createBindParametersPass(bind));
}

} // namespace qk

#endif // QK_LIB_PIPELINES_BINDING_H
