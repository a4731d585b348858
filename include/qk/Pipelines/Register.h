//===- Register.h - Everything qk has, for a tool ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_PIPELINES_REGISTER_H
#define QK_PIPELINES_REGISTER_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace qk {

/// Adds qk's dialects and the interfaces its passes implement for them. MLIR's
/// own dialects are the tool's business.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers every pass of qk.
void registerPasses();

} // namespace qk

#endif // QK_PIPELINES_REGISTER_H
