//===- ObjectFile.h - LLVM dialect to object code ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_OBJECTFILE_H
#define QK_EXECUTION_OBJECTFILE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <string>

namespace qk::execution {

enum class ObjectKind { Object, Assembly, LLVM };

/// Translates `module` (LLVM dialect), optimises it at -O3 and compiles it for
/// the target triple (empty: this machine's), position-independent, for the
/// baseline processor: functions carry what they need beyond that. Errors: a
/// triple that LLVM doesn't know, a module that doesn't translate.
llvm::Expected<llvm::SmallVector<char, 0>>
compileToObject(mlir::ModuleOp module, const std::string &triple,
                ObjectKind kind);

} // namespace qk::execution

#endif // QK_EXECUTION_OBJECTFILE_H
