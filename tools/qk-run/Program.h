//===- Program.h - A module from a file, ready to run -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_TOOLS_QK_RUN_PROGRAM_H
#define QK_TOOLS_QK_RUN_PROGRAM_H

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "qk/Execution/Executable.h"

namespace qk {

/// A compiled module and what it needs to live.
struct Program {
  std::string path;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<Executable> executable;
  const Entry *entry = nullptr;
};

struct ProgramOptions {
  std::string entry;
  std::vector<std::string> weights;
  /// JSON: which tensors of the one file of `weights` handles and arguments
  /// are; or empty.
  std::string weightNames;
  unsigned optimization = 3;
  /// Where `weights` may be meant for another module, a lowered one that needs
  /// none is no surprise.
  bool warnOfUnusedWeights = true;
  /// Count what each step takes.
  bool profile = false;
};

/// Reads `path` ("-": standard input), lowers it (TOSA too) unless it is
/// lowered already, compiles it and finds its entry. Diagnostics of parsing and
/// lowering go to stderr.
llvm::Expected<Program> loadProgram(llvm::StringRef path,
                                    const ProgramOptions &options);

} // namespace qk

#endif // QK_TOOLS_QK_RUN_PROGRAM_H
