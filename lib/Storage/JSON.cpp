//===- JSON.cpp - JSON files that people and tools write --------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/JSON.h"
#include "HeaderJSON.h"
#include "qk/Storage/MappedFile.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace qk::storage {

/// As for headers of safetensors files.
static constexpr size_t maximalSize = 100'000'000;

/// No file that we read nests deeper than 3.
static constexpr unsigned maximalDepth = 64;

const JSONValue *JSONValue::find(StringRef key) const {
  for (const auto &[name, value] : members())
    if (name == key)
      return &value;
  return nullptr;
}

std::optional<int64_t> JSONValue::integer() const {
  int64_t value;
  if (kind != Kind::Number || StringRef(text).getAsInteger(10, value))
    return std::nullopt;
  return value;
}

std::optional<double> JSONValue::number() const {
  double value;
  if (kind != Kind::Number || StringRef(text).getAsDouble(value))
    return std::nullopt;
  return value;
}

std::string JSONValue::describe() const {
  switch (kind) {
  case Kind::Null:
    return "null";
  case Kind::Boolean:
    return boolean ? "true" : "false";
  case Kind::Number:
    return text;
  case Kind::String:
    return "the string '" + text + "'";
  case Kind::Array:
    return "an array";
  case Kind::Object:
    return "an object";
  }
  llvm_unreachable("all kinds covered");
}

static Error parseValue(JSONCursor &json, JSONValue &value, unsigned depth);

static Error parseObject(JSONCursor &json, JSONValue &value, unsigned depth) {
  value.kind = JSONValue::Kind::Object;
  StringSet<> seen;
  if (json.consume('}'))
    return Error::success();
  do {
    Expected<std::string> key = json.string();
    if (!key)
      return key.takeError();
    if (!seen.insert(*key).second)
      return json.failure("key '" + *key + "' twice");
    if (Error error = json.expect(':'))
      return error;
    value.keys.push_back(std::move(*key));
    value.elements.emplace_back();
    if (Error error = parseValue(json, value.elements.back(), depth + 1))
      return error;
  } while (json.consume(','));
  return json.expect('}');
}

static Error parseArray(JSONCursor &json, JSONValue &value, unsigned depth) {
  value.kind = JSONValue::Kind::Array;
  if (json.consume(']'))
    return Error::success();
  do {
    value.elements.emplace_back();
    if (Error error = parseValue(json, value.elements.back(), depth + 1))
      return error;
  } while (json.consume(','));
  return json.expect(']');
}

static Error parseValue(JSONCursor &json, JSONValue &value, unsigned depth) {
  if (depth > maximalDepth)
    return json.failure("nested deeper than " + Twine(maximalDepth));
  bool isString = json.nextIs('"');
  value.line = json.line();
  if (isString) {
    Expected<std::string> text = json.string();
    if (!text)
      return text.takeError();
    value.kind = JSONValue::Kind::String;
    value.text = std::move(*text);
    return Error::success();
  }
  if (json.consume('{'))
    return parseObject(json, value, depth);
  if (json.consume('['))
    return parseArray(json, value, depth);
  for (bool boolean : {false, true}) {
    if (json.consumeWord(boolean ? "true" : "false")) {
      value.kind = JSONValue::Kind::Boolean;
      value.boolean = boolean;
      return Error::success();
    }
  }
  if (json.consumeWord("null"))
    return Error::success();
  if (std::optional<StringRef> number = json.number()) {
    value.kind = JSONValue::Kind::Number;
    value.text = number->str();
    return Error::success();
  }
  return json.failure("expected a JSON value");
}

Expected<JSONValue> parseJSON(StringRef text, StringRef name) {
  JSONCursor json(text, JSONCursor::Positions::Lines);
  JSONValue value;
  Error error = parseValue(json, value, 0);
  if (!error && !json.atEnd())
    error = json.failure("text after the end of the value");
  if (error)
    return makeError(Twine(name) + ": " + toString(std::move(error)));
  return value;
}

Expected<JSONValue> readJSON(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  ArrayRef<uint8_t> bytes = file->bytes();
  if (bytes.size() > maximalSize)
    return makeError(Twine(path) + ": has " + Twine(bytes.size()) +
                     " bytes; expected at most " + Twine(maximalSize));
  return parseJSON(
      StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()),
      path);
}

} // namespace qk::storage
