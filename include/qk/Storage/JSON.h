//===- JSON.h - JSON files that people and tools write ----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//
//
// A reader for weight indices, name maps and overrides. Unlike llvm::json it
// keeps the order of keys, refuses a key given twice, bounds the depth, and
// says in which line it stopped.
//
//===----------------------------------------------------------------------===//

#ifndef QK_STORAGE_JSON_H
#define QK_STORAGE_JSON_H

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace qk::storage {

/// A JSON value.
struct JSONValue {
  enum class Kind { Null, Boolean, Number, String, Array, Object };

  Kind kind = Kind::Null;
  bool boolean = false;
  /// A string, or a number as it is spelt.
  std::string text;
  /// Of an array, or the values of an object in the order of the file.
  std::vector<JSONValue> elements;
  /// Of an object: the unique keys of `elements`.
  std::vector<std::string> keys;
  /// Where it begins, from 1.
  size_t line = 0;

  /// The member of an object, or nullptr.
  const JSONValue *find(llvm::StringRef key) const;

  bool isObject() const { return kind == Kind::Object; }
  bool isString() const { return kind == Kind::String; }

  /// Keys and values of an object.
  auto members() const { return llvm::zip_equal(keys, elements); }

  /// The number, if it is an integer that fits.
  std::optional<int64_t> integer() const;
  std::optional<double> number() const;

  /// "an object", "the string 'x'": for messages.
  std::string describe() const;
};

/// Reads a whole file. Errors start with the path: it can't be read, is larger
/// than 100 MB, isn't JSON or isn't UTF-8, has a key twice in one object, or is
/// nested deeper than 64.
llvm::Expected<JSONValue> readJSON(llvm::StringRef path);

/// The same of text; `name` stands for the path.
llvm::Expected<JSONValue> parseJSON(llvm::StringRef text, llvm::StringRef name);

} // namespace qk::storage

#endif // QK_STORAGE_JSON_H
