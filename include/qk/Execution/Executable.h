//===- Executable.h - A lowered module, compiled in memory ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Compiles a module in the LLVM dialect for this machine, binds the symbols
/// of `quant_llm.externals` to mapped files and to attributes' data, and calls
/// its entries on tensors.
///
//===----------------------------------------------------------------------===//

#ifndef QK_EXECUTION_EXECUTABLE_H
#define QK_EXECUTION_EXECUTABLE_H

#include "mlir/IR/BuiltinOps.h"
#include "qk/Execution/SampleFile.h"
#include "qk/Execution/Tensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <vector>

namespace mlir {
class DialectRegistry;
class ExecutionEngine;
} // namespace mlir

namespace qk {

/// A tensor in an entry's signature; negative sizes are dynamic.
struct TensorSpec {
  storage::DataType type;
  std::vector<int64_t> shape;
  std::string describe() const { return storage::describe(type, shape); }
};

/// A public function of the module as callers see it.
struct Entry {
  std::string name;
  std::vector<TensorSpec> arguments, results;
  /// The arguments' own names where the module has some, else empty.
  std::vector<std::string> argumentNames;

  /// The arguments as SampleFile::open takes them.
  std::vector<execution::SampleArgument> sampleArguments() const;
};

/// A sample's arguments as a call takes them. The sample's file must outlive
/// them.
std::vector<Tensor> tensorsOf(const execution::Sample &sample);

struct ExecutableOptions {
  /// 0 compiles fast, 3 is for real.
  unsigned optimization = 3;
  /// Relative paths in `quant_llm.externals` are taken from the folder of this
  /// file; empty: the working folder.
  std::string moduleFile;
  /// Count what each step of a forward takes: see Executable::profile().
  bool profile = false;
};

/// What calls of one kind took on the thread that runs the model, since
/// Executable::clearProfile().
struct ProfileStep {
  enum Group { Quantized, Quantizer, Contraction, Loop, Memory };
  Group group;
  /// A kernel's name, what a loop computes, or the runtime's function.
  std::string kind;
  int64_t calls = 0;
  double seconds = 0;
};

/// Not thread-safe: the runtime has process-wide state. The module's context
/// must outlive the executable (weights may lie in attributes).
class Executable {
public:
  /// Registers what translating modules to LLVM IR needs. Call on the registry
  /// of every context whose modules are given to compile().
  static void registerTranslations(mlir::DialectRegistry &registry);

  /// Errors: ops that are not in the LLVM dialect (named), no entries,
  /// signatures with other than ranked tensors, an external that is missing,
  /// too short, or without an entry in `quant_llm.externals`, an unknown
  /// symbol.
  static llvm::Expected<std::unique_ptr<Executable>>
  compile(mlir::ModuleOp module, const ExecutableOptions &options = {});
  ~Executable();

  llvm::ArrayRef<Entry> entries() const { return allEntries; }
  /// The entry of that name; "" is the only one there is. Errors list what
  /// there is.
  llvm::Expected<const Entry *> entry(llvm::StringRef name) const;

  /// With ExecutableOptions::profile: the steps of all calls since the last
  /// clearProfile(), by kind; what is in none of them are the module's own
  /// instructions (sizes, calls, checks).
  llvm::ArrayRef<std::unique_ptr<ProfileStep>> profile() const { return steps; }
  void clearProfile();

  /// Runs an entry. Errors: number, types and shapes of the arguments (expected
  /// and got), failed assertions of the model.
  llvm::Expected<std::vector<Tensor>> call(const Entry &entry,
                                           llvm::ArrayRef<Tensor> arguments);

private:
  Executable();
  llvm::Error readEntries(mlir::ModuleOp module);
  llvm::Error bindExternals(mlir::ModuleOp module,
                            const ExecutableOptions &options);
  llvm::Error bindExternal(mlir::ModuleOp module, mlir::DictionaryAttr entry,
                           const ExecutableOptions &options);

  std::vector<Entry> allEntries;
  /// Generated code holds their addresses.
  std::vector<std::unique_ptr<ProfileStep>> steps;
  std::unique_ptr<mlir::ExecutionEngine> engine;
  /// Address of each external, and what keeps it alive.
  llvm::StringMap<const void *> externals;
  std::vector<std::shared_ptr<const void>> owners;
  llvm::StringMap<std::shared_ptr<const void>> files;
};

/// Checks one argument against its type; `what` names it in the error.
llvm::Error checkArgument(const TensorSpec &expected, const Tensor &got,
                          const llvm::Twine &what);

} // namespace qk

#endif // QK_EXECUTION_EXECUTABLE_H
