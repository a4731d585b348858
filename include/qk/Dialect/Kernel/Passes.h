//===- Passes.h - Kernel passes ---------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_KERNEL_PASSES_H
#define QK_DIALECT_KERNEL_PASSES_H

#include "mlir/Pass/Pass.h"

namespace qk::kernel {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "qk/Dialect/Kernel/Passes.h.inc"

} // namespace qk::kernel

#endif // QK_DIALECT_KERNEL_PASSES_H
