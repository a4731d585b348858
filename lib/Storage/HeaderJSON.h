//===- HeaderJSON.h - scanner for safetensors headers -----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// llvm::json keeps the last of two equal keys and recurses as deep as its input
// asks; a header from an unknown source needs neither. This scanner reads just
// the JSON that headers consist of, without recursion. JSON.h builds on it.
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_STORAGE_HEADERJSON_H
#define QK_LIB_STORAGE_HEADERJSON_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace qk::storage {

/// A cursor over JSON text. Every method skips blanks first and reports errors
/// with the position.
class JSONCursor {
public:
  /// How errors give the position.
  enum class Positions {
    /// "header is not valid at byte 7": of a header, which has no lines.
    Bytes,
    /// "line 2, column 3": of a file that people write.
    Lines
  };
  explicit JSONCursor(llvm::StringRef text,
                      Positions positions = Positions::Bytes)
      : text(text), positions(positions) {}

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
  /// The spelling of a number as JSON has them ("-1.5e3"), or nothing where
  /// what is next is none.
  std::optional<llvm::StringRef> number();
  /// Consumes `word` (true, false, null) if it is next.
  bool consumeWord(llvm::StringRef word);
  /// Whether `c` is next, without consuming it.
  bool nextIs(char c);
  bool atEnd();
  /// An error at the present position.
  llvm::Error failure(const llvm::Twine &what) const;
  /// The line of the present position, from 1.
  size_t line() const;

private:
  void skipBlanks();
  llvm::Expected<unsigned> hexQuad();

  llvm::StringRef text;
  Positions positions;
  size_t position = 0;
  /// Of a position that line() was asked at before: it is asked at every value.
  mutable size_t countedTo = 0, countedLine = 1;
};

} // namespace qk::storage

#endif // QK_LIB_STORAGE_HEADERJSON_H
