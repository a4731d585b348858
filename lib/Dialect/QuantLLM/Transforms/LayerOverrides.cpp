//===- LayerOverrides.cpp - What differs from layer to layer --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerOverrides.h"

#include "qk/Dialect/QuantLLM/Transforms/LayerFilter.h"
#include "qk/Storage/Checkpoint.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using storage::JSONValue;

/// What may be set, with the kind of its value.
namespace {
struct Setting {
  StringLiteral name;
  StringLiteral expected;
  /// Sets it; false for a value of another kind.
  bool (*set)(LayerMethod &method, const JSONValue &value);
};
} // namespace

template <auto Member>
static bool setInteger(LayerMethod &method, const JSONValue &value) {
  std::optional<int64_t> number = value.integer();
  if (number)
    method.*Member = *number;
  return number.has_value();
}

template <auto Member>
static bool setBoolean(LayerMethod &method, const JSONValue &value) {
  if (value.kind != JSONValue::Kind::Boolean)
    return false;
  method.*Member = value.boolean;
  return true;
}

template <auto Member>
static bool setString(LayerMethod &method, const JSONValue &value) {
  if (!value.isString())
    return false;
  method.*Member = value.text;
  return true;
}

template <auto Member>
static bool setNumber(LayerMethod &method, const JSONValue &value) {
  std::optional<double> number = value.number();
  if (number)
    method.*Member = *number;
  return number.has_value();
}

static bool setRetarget(LayerMethod &method, const JSONValue &value) {
  method.retargetOptional = false;
  return setNumber<&LayerMethod::retarget>(method, value);
}

static bool setMethod(LayerMethod &method, const JSONValue &value) {
  if (!value.isString() || (value.text != "rtn" && value.text != "gptq"))
    return false;
  method.method = value.text == "rtn" ? LayerMethod::Method::Rtn
                                      : LayerMethod::Method::Gptq;
  return true;
}

static constexpr Setting kSettings[] = {
    {"method", "'rtn' or 'gptq'", setMethod},
    {"bits", "an integer", setInteger<&LayerMethod::bits>},
    {"group-size", "an integer", setInteger<&LayerMethod::groupSize>},
    {"symmetric", "true or false", setBoolean<&LayerMethod::symmetric>},
    {"format", "a string", setString<&LayerMethod::format>},
    {"scale-type", "a string", setString<&LayerMethod::scaleType>},
    {"scale-search", "a string", setString<&LayerMethod::scaleSearch>},
    {"order", "a string", setString<&LayerMethod::order>},
    {"static-groups", "true or false", setBoolean<&LayerMethod::staticGroups>},
    {"damping", "a number", setNumber<&LayerMethod::damping>},
    {"block-size", "an integer", setInteger<&LayerMethod::blockSize>},
    {"sweeps", "an integer", setInteger<&LayerMethod::sweeps>},
    {"rescales", "an integer", setInteger<&LayerMethod::rescales>},
    {"retarget", "a number", setRetarget},
};

static const Setting *findSetting(StringRef name) {
  const Setting *found = llvm::find_if(
      kSettings, [&](const Setting &setting) { return setting.name == name; });
  return found == std::end(kSettings) ? nullptr : found;
}

FailureOr<LayerOverrides> LayerOverrides::read(StringRef path,
                                               Location location) {
  LayerOverrides overrides;
  overrides.file = path.str();
  auto json = storage::readJSON(path);
  if (!json)
    return emitError(location)
           << "can't read overrides: " << llvm::toString(json.takeError());
  if (!json->isObject())
    return emitError(location)
           << path
           << ": expected an object from globs of layer names to objects of "
              "options, got "
           << json->describe();
  overrides.json = std::move(*json);
  for (const auto &[key, value] : overrides.json.members()) {
    StringRef text = key;
    const JSONValue &settings = value;
    auto fail = [&](const JSONValue &where) -> InFlightDiagnostic {
      return emitError(location)
             << path << ":" << where.line << ": layers '" << text << "': ";
    };
    llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(text);
    if (!glob)
      return fail(settings) << llvm::toString(glob.takeError());
    if (!settings.isObject())
      return fail(settings)
             << "expected an object of options, got " << settings.describe();
    LayerMethod scratch;
    for (const auto &[key, value] : settings.members()) {
      const Setting *setting = findSetting(key);
      if (!setting) {
        SmallVector<StringRef> names;
        for (const Setting &known : kSettings)
          names.push_back(known.name);
        InFlightDiagnostic diagnostic = fail(value);
        diagnostic << "unknown option '" << key << "', expected one of "
                   << llvm::join(names, ", ");
        StringRef nearest = storage::nearestName(key, names);
        if (!nearest.empty())
          diagnostic << "; the nearest is '" << nearest << "'";
        return diagnostic;
      }
      if (!setting->set(scratch, value))
        return fail(value) << "expected " << key << " to be "
                           << setting->expected << ", got " << value.describe();
    }
    overrides.entries.push_back({text, std::move(*glob), &settings});
  }
  return overrides;
}

FailureOr<LayerMethod>
LayerOverrides::apply(StringRef layer, LayerMethod method, Location location) {
  const Entry *last = nullptr;
  for (Entry &entry : entries) {
    if (!entry.glob.match(layer))
      continue;
    entry.matched = true;
    last = &entry;
    // Rounding to nearest has no Hessian to weigh by; a search it still makes.
    const JSONValue *kind = entry.settings->find("method");
    if (kind && kind->isString() && kind->text == "rtn" &&
        method.scaleSearch == "weighted")
      method.scaleSearch = "mse";
    for (const auto &[key, value] : entry.settings->members())
      findSetting(key)->set(method, value);
    // What an effort set is for static groups alone.
    if (!method.staticGroups && !entry.settings->find("rescales"))
      method.rescales = 0;
  }
  if (!last)
    return method;
  // Values are checked together: the codes of 8 bits depend on `symmetric`.
  auto fail = [&]() -> InFlightDiagnostic {
    return emitError(location) << file << ":" << last->settings->line
                               << ": layer '" << layer << "': ";
  };
  if (failed(method.getScheme(location.getContext(), fail)) ||
      failed(method.getOrder(fail)))
    return failure();
  return method;
}

LogicalResult LayerOverrides::checkAllMatched(ArrayRef<std::string> layers,
                                              Location location) const {
  for (const Entry &entry : entries)
    if (!entry.matched)
      return emitUnmatched(location,
                           file + ":" + std::to_string(entry.settings->line) +
                               ": layers",
                           entry.text, layers);
  return success();
}
