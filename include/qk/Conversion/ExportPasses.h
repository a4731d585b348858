//===- ExportPasses.h - Modules for other compilers -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_EXPORTPASSES_H
#define QK_CONVERSION_EXPORTPASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace qk {

#define GEN_PASS_DECL
#include "qk/Conversion/ExportPasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "qk/Conversion/ExportPasses.h.inc"

} // namespace qk

#endif // QK_CONVERSION_EXPORTPASSES_H
