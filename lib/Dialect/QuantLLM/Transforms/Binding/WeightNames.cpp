//===- WeightNames.cpp - What the user says handles are -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightNames.h"

#include "qk/Storage/JSON.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using storage::JSONValue;

FailureOr<WeightNames> WeightNames::read(StringRef path, Location location) {
  auto json = storage::readJSON(path);
  if (!json)
    return emitError(location) << "can't read the weight names: "
                               << llvm::toString(json.takeError());
  if (!json->isObject())
    return emitError(location) << path
                               << ": expected an object from handles to names "
                                  "of tensors, got "
                               << json->describe();
  WeightNames names;
  names.file = path.str();
  for (const auto &[handle, value] : json->members()) {
    auto fail = [&](StringRef expected, const JSONValue &got) {
      return emitError(location)
             << path << ":" << got.line << ": handle '" << handle
             << "': expected " << expected << ", got " << got.describe();
    };
    Known &known = names.entries[handle];
    const JSONValue *parameter = &value;
    if (value.isObject()) {
      parameter = value.find("parameter");
      if (!parameter)
        return fail("an object with the key \"parameter\"", value);
      if (const JSONValue *stored = value.find("stored")) {
        StringRef text = stored->text;
        if (!stored->isString() || (text != "as is" && text != "transposed" &&
                                    text != "not a parameter"))
          return fail("\"stored\" to be 'as is' or 'transposed'", *stored);
        if (text != "not a parameter")
          known.entry.transposed = text == "transposed";
      }
    }
    if (parameter->kind == JSONValue::Kind::Null)
      continue;
    if (!parameter->isString() || parameter->text.empty())
      return fail("the name of a tensor", *parameter);
    known.entry.tensor = parameter->text;
  }
  return names;
}

const WeightNames::Entry *WeightNames::find(StringRef handle) {
  auto found = entries.find(handle.str());
  if (found == entries.end())
    return nullptr;
  found->second.used = true;
  return &found->second.entry;
}

void WeightNames::warnOfUnused(Location location) const {
  StringRef first;
  size_t unused = 0;
  for (const auto &[handle, known] : entries) {
    if (known.used || known.entry.tensor.empty())
      continue;
    if (unused++ == 0)
      first = handle;
  }
  if (unused)
    emitWarning(location) << file << ": " << unused << " of " << entries.size()
                          << " handles are not in the module, the first is '"
                          << first << "'";
}
