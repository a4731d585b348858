//===- BytecodeHeader.h - What bytecode says of itself ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_INPUT_BYTECODEHEADER_H
#define QK_LIB_INPUT_BYTECODEHEADER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace qk {

/// The front of a bytecode file, read without creating anything in a context.
struct BytecodeHeader {
  /// An operation name that the file uses.
  struct OpName {
    std::string dialect;
    std::string name; ///< Less the dialect.
    /// Written by a tool that knew the op, which from bytecode version 5 on
    /// stores its properties in the op's own form.
    bool wasRegistered;
  };

  uint64_t version = 0;
  /// As the writer calls itself: `MLIR24.0.0git`, `StableHLO_v1.13.7`.
  std::string producer;
  std::vector<std::string> dialects;
  std::vector<OpName> ops;
};

/// Whether `bytes` begin as bytecode does.
bool isBytecode(llvm::StringRef bytes);

/// Reads the header, the string section and the dialect section of `bytes`
/// (format: mlir.llvm.org/docs/BytecodeFormat). Errors: truncated or malformed
/// sections.
llvm::Expected<BytecodeHeader> readBytecodeHeader(llvm::StringRef bytes);

} // namespace qk

#endif // QK_LIB_INPUT_BYTECODEHEADER_H
