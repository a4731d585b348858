//===- HeaderJSON.cpp - scanner for safetensors headers ---------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "HeaderJSON.h"
#include "qk/Storage/DataType.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace qk::storage {

void JSONCursor::skipBlanks() {
  while (position < text.size() &&
         StringRef(" \t\n\r").contains(text[position]))
    ++position;
}

size_t JSONCursor::line() const {
  countedLine += text.slice(countedTo, position).count('\n');
  countedTo = position;
  return countedLine;
}

Error JSONCursor::failure(const Twine &what) const {
  if (positions == Positions::Lines) {
    StringRef before = text.take_front(position);
    size_t column = position - (before.rfind('\n') + 1) + 1;
    return makeError("line " + Twine(line()) + ", column " + Twine(column) +
                     ": " + what);
  }
  return makeError("header is not valid at byte " + Twine(position) + ": " +
                   what);
}

bool JSONCursor::consume(char c) {
  skipBlanks();
  if (position >= text.size() || text[position] != c)
    return false;
  ++position;
  return true;
}

Error JSONCursor::expect(char c) {
  if (consume(c))
    return Error::success();
  if (position >= text.size())
    return failure("expected '" + Twine(c) + "', got the end");
  char got = text[position];
  return failure("expected '" + Twine(c) + "', got " +
                 (isPrint(got) ? "'" + std::string(1, got) + "'"
                               : "byte " + utostr(uint8_t(got))));
}

bool JSONCursor::nextIs(char c) {
  skipBlanks();
  return position < text.size() && text[position] == c;
}

bool JSONCursor::consumeWord(StringRef word) {
  skipBlanks();
  if (!text.substr(position).starts_with(word))
    return false;
  position += word.size();
  return true;
}

std::optional<StringRef> JSONCursor::number() {
  skipBlanks();
  StringRef rest = text.substr(position), start = rest;
  auto digits = [&] {
    size_t before = rest.size();
    rest = rest.drop_while(isDigit);
    return rest.size() != before;
  };
  rest.consume_front("-");
  bool leadingZero = rest.starts_with("0");
  size_t before = rest.size();
  if (!digits() || (leadingZero && before - rest.size() > 1))
    return std::nullopt;
  if (rest.consume_front(".") && !digits())
    return std::nullopt;
  if (rest.consume_front("e") || rest.consume_front("E")) {
    if (!rest.consume_front("-"))
      rest.consume_front("+");
    if (!digits())
      return std::nullopt;
  }
  StringRef spelling = start.drop_back(rest.size());
  position += spelling.size();
  return spelling;
}

bool JSONCursor::atEnd() {
  skipBlanks();
  return position == text.size();
}

Expected<unsigned> JSONCursor::hexQuad() {
  unsigned value = 0;
  StringRef digits = text.substr(position, 4);
  if (digits.size() != 4 || !all_of(digits, isHexDigit) ||
      digits.getAsInteger(16, value))
    return failure("expected four hexadecimal digits after \\u");
  position += 4;
  return value;
}

Expected<std::string> JSONCursor::string() {
  if (Error error = expect('"'))
    return std::move(error);
  std::string value;
  while (true) {
    if (position >= text.size())
      return failure("string without end");
    char c = text[position++];
    if (c == '"')
      break;
    if (static_cast<unsigned char>(c) < 0x20)
      return failure("control character in a string");
    if (c != '\\') {
      value += c;
      continue;
    }
    if (position >= text.size())
      return failure("string without end");
    char escape = text[position++];
    static constexpr StringLiteral from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
    if (size_t which = from.find(escape); which != StringRef::npos) {
      value += to[which];
      continue;
    }
    if (escape != 'u')
      return failure("unknown escape in a string");
    Expected<unsigned> unit = hexQuad();
    if (!unit)
      return unit.takeError();
    unsigned code = *unit;
    if (code >= 0xD800 && code < 0xDC00 &&
        text.substr(position).starts_with("\\u")) {
      position += 2;
      Expected<unsigned> low = hexQuad();
      if (!low)
        return low.takeError();
      if (*low < 0xDC00 || *low >= 0xE000)
        return failure("lone surrogate in a string");
      code = 0x10000 + ((code - 0xD800) << 10) + (*low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000)
      return failure("lone surrogate in a string");
    char buffer[4], *end = buffer;
    ConvertCodePointToUTF8(code, end);
    value.append(buffer, end);
  }
  if (!json::isUTF8(value))
    return failure("string is not UTF-8");
  return value;
}

Expected<int64_t> JSONCursor::nonNegativeInteger() {
  skipBlanks();
  StringRef digits = text.substr(position).take_while(isDigit);
  if (digits.empty())
    return failure("expected a non-negative integer");
  int64_t value;
  if (digits.getAsInteger(10, value))
    return failure("integer " + digits.take_front(40) + " exceeds 63 bits");
  position += digits.size();
  if (position < text.size() && StringRef(".eE").contains(text[position]))
    return failure("expected an integer, got a fraction");
  return value;
}

Expected<std::vector<int64_t>> JSONCursor::integers() {
  std::vector<int64_t> values;
  if (Error error = expect('['))
    return std::move(error);
  if (consume(']'))
    return values;
  do {
    Expected<int64_t> value = nonNegativeInteger();
    if (!value)
      return value.takeError();
    values.push_back(*value);
  } while (consume(','));
  if (Error error = expect(']'))
    return std::move(error);
  return values;
}

} // namespace qk::storage
