//===- HeaderJSON.h - scanner for safetensors headers -----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// llvm::json keeps the last of two equal keys and recurses as deep as its input
// asks; a header from an unknown source needs neither. This scanner reads just
// the JSON that headers consist of, without recursion.
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_STORAGE_HEADERJSON_H
#define QK_LIB_STORAGE_HEADERJSON_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace qk::storage {

/// A cursor over JSON text. Every method skips blanks first and reports errors
/// with the byte position.
class JSONCursor {
public:
  explicit JSONCursor(llvm::StringRef text) : text(text) {}

  /// Consumes `c` if it is next.
  bool consume(char c);
  /// Consumes `c`, else an error.
  llvm::Error expect(char c);
  /// A string with its escapes resolved, valid UTF-8.
  llvm::Expected<std::string> string();
  /// A number that is an integer in [0, 2^63).
  llvm::Expected<int64_t> nonNegativeInteger();
  /// "[1, 2, ...]" of non-negative integers.
  llvm::Expected<std::vector<int64_t>> integers();
  bool atEnd();

private:
  void skipBlanks();
  llvm::Error failure(const llvm::Twine &what) const;
  llvm::Expected<unsigned> hexQuad();

  llvm::StringRef text;
  size_t position = 0;
};

} // namespace qk::storage

#endif // QK_LIB_STORAGE_HEADERJSON_H
