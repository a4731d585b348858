//===- WeightNames.h - What the user says handles are -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_WEIGHTNAMES_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_WEIGHTNAMES_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/MapVector.h"

#include <optional>
#include <string>

namespace qk::quant_llm {

/// A JSON object from handles to tensors of the checkpoint. A handle is the key
/// of a resource, the name of a parameter, the location of a function's
/// argument, or `arg0`, `arg1`, … A value is the tensor's name, or
/// {"parameter": NAME or null, "stored": "as is" or "transposed"}, further keys
/// of which are ignored; null says that the handle is no parameter.
class WeightNames {
public:
  struct Entry {
    /// Empty for what is no parameter.
    std::string tensor;
    /// Unset where the map doesn't say.
    std::optional<bool> transposed;
  };

  /// Errors (emitted at `location`): a file that can't be read or isn't such an
  /// object, naming file and handle.
  static mlir::FailureOr<WeightNames> read(llvm::StringRef path,
                                           mlir::Location location);

  /// The entry of `handle`, or nullptr. Remembers that it was asked for.
  const Entry *find(llvm::StringRef handle);

  /// Warns of handles that were never asked for: the module has none of them.
  void warnOfUnused(mlir::Location location) const;

  llvm::StringRef path() const { return file; }

private:
  struct Known {
    Entry entry;
    bool used = false;
  };
  std::string file;
  llvm::MapVector<std::string, Known, std::map<std::string, unsigned>> entries;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_WEIGHTNAMES_H
