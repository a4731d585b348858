//===- Text.cpp - Text that other versions print --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Text.h"

#include "llvm/ADT/StringExtras.h"

#include <vector>

using namespace qk;
using llvm::StringRef;

/// Elements of the i1 tensor or vector type at the front of `text`, dimensions
/// all static; nothing for other types.
static std::optional<uint64_t> booleanElements(StringRef text) {
  if (!text.consume_front("tensor<") && !text.consume_front("vector<"))
    return std::nullopt;
  uint64_t elements = 1;
  while (!text.consume_front("i1")) {
    uint64_t extent;
    if (text.consumeInteger(10, extent) || !text.consume_front("x") ||
        (extent != 0 && elements > (uint64_t(1) << 40) / extent))
      return std::nullopt;
    elements *= extent;
  }
  // `>`, or an encoding.
  if (!text.starts_with(">") && !text.starts_with(","))
    return std::nullopt;
  return elements;
}

/// The digits of a bit an element from those of a byte an element; nothing
/// where a byte is neither 0 nor 1.
static std::optional<std::string> packBits(StringRef digits) {
  std::string packed;
  for (size_t i = 0; i < digits.size(); i += 16) {
    unsigned bits = 0;
    StringRef bytes = digits.substr(i, 16);
    for (size_t bit = 0; 2 * bit < bytes.size(); ++bit) {
      StringRef byte = bytes.substr(2 * bit, 2);
      if (byte[0] != '0' || (byte[1] != '0' && byte[1] != '1'))
        return std::nullopt;
      bits |= (byte[1] - '0') << bit;
    }
    packed += llvm::hexdigit(bits >> 4);
    packed += llvm::hexdigit(bits & 15);
  }
  return packed;
}

std::optional<std::string> qk::packBooleanLiterals(StringRef text) {
  static constexpr StringRef open = "dense<\"0x";
  std::optional<std::string> result;
  size_t position = 0;
  while ((position = text.find(open, position)) != StringRef::npos) {
    size_t start = position + open.size();
    size_t quote = text.find('"', start);
    if (quote == StringRef::npos)
      break;
    position = quote;
    StringRef digits = text.slice(start, quote);
    StringRef after = text.substr(quote + 1);
    if (!after.consume_front(">") || !after.consume_front(" : "))
      continue;
    std::optional<uint64_t> elements = booleanElements(after);
    // One element, or a splat, is the same in both forms.
    if (!elements || *elements < 2 || digits.size() != 2 * *elements)
      continue;
    std::optional<std::string> packed = packBits(digits);
    if (!packed)
      continue;
    if (!result)
      result = text.str();
    // The blanks go between the string and the `>`.
    std::string literal = *packed + "\"";
    literal.append(digits.size() - packed->size(), ' ');
    result->replace(start, literal.size(), literal);
  }
  return result;
}

/// The dotted name that an operation in custom syntax begins with, results
/// before it skipped: `%0 = `, `%1:2, %3 = `.
static StringRef leadingName(StringRef line) {
  StringRef rest = line.ltrim();
  if (rest.starts_with("%")) {
    // Results hold no quote and no bracket.
    size_t equals = rest.find_first_of("=\"(<{");
    if (equals == StringRef::npos || rest[equals] != '=')
      return {};
    rest = rest.substr(equals + 1).ltrim();
  }
  StringRef name = rest.take_while([](char c) {
    return llvm::isAlnum(c) || c == '_' || c == '.' || c == '$';
  });
  if (name.empty() || !llvm::isAlpha(name[0]) || !name.contains('.') ||
      name.ends_with("."))
    return {};
  // `tf.entry = …` and `key: "0x…"` are entries of dictionaries.
  StringRef after = rest.substr(name.size()).ltrim();
  if (after.starts_with("=") || after.starts_with(":"))
    return {};
  return name;
}

bool qk::mayHoldForeignCustomOp(StringRef text,
                                llvm::function_ref<bool(StringRef)> isLinked) {
  while (!text.empty()) {
    auto [line, rest] = text.split('\n');
    text = rest;
    if (line.starts_with("{-#"))
      return false;
    StringRef name = leadingName(line);
    if (!name.empty() && !isLinked(name.split('.').first))
      return true;
  }
  return false;
}
