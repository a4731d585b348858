//===- Kernel.h - The kernel dialect ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The internal dialect of the kernel builders: see KernelOps.td.
///
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_KERNEL_KERNEL_H
#define QK_DIALECT_KERNEL_KERNEL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "qk/Dialect/Kernel/KernelDialect.h.inc"

#define GET_OP_CLASSES
#include "qk/Dialect/Kernel/KernelOps.h.inc"

namespace qk::kernel {

/// The function attribute that holds the ISA level.
inline constexpr llvm::StringLiteral kLevelAttr = "qk_kernel.level";

} // namespace qk::kernel

#endif // QK_DIALECT_KERNEL_KERNEL_H
