//===- ModelConfig.cpp - A model's config.json ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelConfig.h"

#include "qk/Storage/DataType.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using storage::JSONValue;
using Kind = JSONValue::Kind;

static constexpr StringLiteral kKey = "quantization_config";

Expected<std::optional<JSONValue>>
qk::formats::readModelConfig(StringRef folder) {
  SmallString<256> path(folder);
  sys::path::append(path, "config.json");
  if (!sys::fs::exists(path))
    return std::optional<JSONValue>();
  Expected<JSONValue> config = storage::readJSON(path);
  if (!config)
    return config.takeError();
  if (!config->isObject())
    return storage::makeError(path + ": expected an object, got " +
                              config->describe());
  return std::optional(std::move(*config));
}

bool qk::formats::hasHead(const JSONValue &config) {
  const JSONValue *architectures = config.find("architectures");
  if (!architectures || architectures->kind != Kind::Array)
    return false;
  return any_of(architectures->elements, [](const JSONValue &name) {
    return name.isString() && (StringRef(name.text).contains("ForCausalLM") ||
                               StringRef(name.text).contains("LMHead"));
  });
}

static void print(const JSONValue &value, raw_ostream &os, unsigned indent) {
  auto line = [&](unsigned by) {
    os << '\n';
    os.indent(by);
  };
  ListSeparator comma(",");
  switch (value.kind) {
  case Kind::Null:
    os << "null";
    return;
  case Kind::Boolean:
    os << (value.boolean ? "true" : "false");
    return;
  case Kind::Number:
    os << value.text;
    return;
  case Kind::String:
    os << json::Value(value.text);
    return;
  case Kind::Array:
    os << '[';
    for (const JSONValue &element : value.elements) {
      os << StringRef(comma);
      line(indent + 2);
      print(element, os, indent + 2);
    }
    if (!value.elements.empty())
      line(indent);
    os << ']';
    return;
  case Kind::Object:
    os << '{';
    for (const auto &[key, element] : value.members()) {
      os << StringRef(comma);
      line(indent + 2);
      os << json::Value(key) << ": ";
      print(element, os, indent + 2);
    }
    if (!value.elements.empty())
      line(indent);
    os << '}';
    return;
  }
}

std::string
qk::formats::writeModelConfig(const std::optional<JSONValue> &config,
                              StringRef quantizationConfig) {
  std::string text;
  raw_string_ostream os(text);
  os << "{\n";
  if (config)
    for (const auto &[key, value] : config->members()) {
      if (key == kKey)
        continue;
      os << "  " << json::Value(key) << ": ";
      print(value, os, 2);
      os << ",\n";
    }
  os << "  \"" << kKey << "\": " << quantizationConfig << "\n}\n";
  return text;
}
