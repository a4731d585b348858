//===- ModuleInput.h - Modules as other tools write them --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What stands between a file from some exporter and the parser of this MLIR:
/// text that newer versions print differently is rewritten, and what can't be
/// read right is refused, naming the exporter and the way out.
///
//===----------------------------------------------------------------------===//

#ifndef QK_INPUT_MODULEINPUT_H
#define QK_INPUT_MODULEINPUT_H

#include "mlir/IR/DialectRegistry.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace qk {

/// Checks the bytes of a module's file against what this build reads, given the
/// dialects in `registry`, and returns a buffer to parse: `input` itself, or a
/// copy in which boolean literals of LLVM 23 and later (one byte an element)
/// are in this version's form (one bit), on the same lines and columns.
///
/// Refused, with an error in `errors` that names the place, the exporter and
/// the way out, and a null result:
/// - text in the custom syntax of a dialect that is not linked;
/// - bytecode of a newer LLVM;
/// - bytecode in which ops of a dialect that is not linked store their
///   properties in that dialect's own form (they would be lost in silence);
/// - portable StableHLO artefacts (dialect `vhlo`), and the containers that
///   jax.export and other frameworks write around modules.
std::unique_ptr<llvm::MemoryBuffer>
prepareModuleInput(std::unique_ptr<llvm::MemoryBuffer> input,
                   const mlir::DialectRegistry &registry,
                   llvm::raw_ostream &errors = llvm::errs());

} // namespace qk

#endif // QK_INPUT_MODULEINPUT_H
