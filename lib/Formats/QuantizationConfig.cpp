//===- QuantizationConfig.cpp - What a config says of weights -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/QuantizedCheckpoint.h"

#include "qk/Storage/JSON.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Regex.h"

#include <algorithm>

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using storage::JSONValue;
using storage::makeError;
using Kind = JSONValue::Kind;

namespace {
/// Reads one config; the file's name begins every message.
class Parser {
public:
  explicit Parser(StringRef name) : name(name) {}

  Error parse(const JSONValue &config, QuantizationConfig &result);

private:
  Error fail(const Twine &what) const { return makeError(name + ": " + what); }
  Error wrong(StringRef key, StringRef expected, const JSONValue &got) const {
    return fail("line " + Twine(got.line) + ": expected \"" + key +
                "\" to be " + expected + ", got " + got.describe());
  }
  Error bits(const JSONValue &config, ArrayRef<StringRef> keys,
             ArrayRef<int64_t> allowed, int &result) const;
  Error group(const JSONValue &config, ArrayRef<StringRef> keys,
              int64_t &result) const;
  Error boolean(const JSONValue &config, StringRef key, bool &result) const;
  Error text(const JSONValue &config, StringRef key, std::string &result) const;
  /// A pattern of Python's `re.match` as one of llvm::Regex.
  /// `spelt` may begin with what tells it from a name: "re:", "-:", "+:".
  Error pattern(StringRef spelt, const JSONValue &at,
                std::string &result) const;
  Error parseDynamic(const JSONValue &dynamic, const LayerConfig &common,
                     QuantizationConfig &result);
  Error parseCompressed(const JSONValue &config, QuantizationConfig &result);
  Error parseGroup(const JSONValue &group, const QuantizationConfig &all,
                   LayerConfig &result);

  std::string name;
};
} // namespace

/// Why llvm::Regex would not survive a pattern: it recurses into parentheses,
/// and copies what is repeated by {m,n}, copies within copies too. Empty for
/// patterns that it reads.
static std::string tooLarge(StringRef pattern) {
  constexpr uint64_t maximalDepth = 100, maximalSize = 100'000;
  uint64_t depth = 0, deepest = 0, size = pattern.size();
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '(')
      deepest = std::max(deepest, ++depth);
    if (pattern[i] == ')' && depth)
      --depth;
    if (pattern[i] != '{')
      continue;
    // Whether braces are nested doesn't count: the product is the worst case.
    uint64_t most = 1;
    StringRef rest = pattern.substr(i + 1);
    do {
      uint64_t count;
      if (rest.consumeInteger(10, count))
        break;
      most = std::max(most, count);
    } while (rest.consume_front(","));
    size = SaturatingMultiply(size, most);
  }
  if (deepest > maximalDepth)
    return ("expected parentheses at most " + Twine(maximalDepth) +
            " deep, got " + Twine(deepest))
        .str();
  if (size > maximalSize)
    return ("expected at most " + Twine(maximalSize) +
            " characters with all repetitions written out, got " + Twine(size))
        .str();
  return "";
}

/// The first of `keys` that is there and not null.
static const JSONValue *findAny(const JSONValue &config,
                                ArrayRef<StringRef> keys) {
  for (StringRef key : keys)
    if (const JSONValue *value = config.find(key);
        value && value->kind != Kind::Null)
      return value;
  return nullptr;
}

Error Parser::bits(const JSONValue &config, ArrayRef<StringRef> keys,
                   ArrayRef<int64_t> allowed, int &result) const {
  const JSONValue *value = findAny(config, keys);
  std::string expected;
  for (int64_t one : allowed)
    expected += (expected.empty() ? "" : ", ") + std::to_string(one);
  if (!value)
    return fail("expected \"" + keys.front() + "\" to be one of " + expected +
                ", got nothing");
  std::optional<int64_t> number = value->integer();
  if (!number || !is_contained(allowed, *number))
    return wrong(keys.front(), "one of " + expected, *value);
  result = static_cast<int>(*number);
  return Error::success();
}

Error Parser::group(const JSONValue &config, ArrayRef<StringRef> keys,
                    int64_t &result) const {
  const JSONValue *value = findAny(config, keys);
  if (!value) {
    result = -1;
    return Error::success();
  }
  std::optional<int64_t> number = value->integer();
  if (!number || (*number != -1 && (*number < 1 || *number > (1 << 30))))
    return wrong(keys.front(), "-1 or at least 1", *value);
  result = *number;
  return Error::success();
}

Error Parser::boolean(const JSONValue &config, StringRef key,
                      bool &result) const {
  const JSONValue *value = findAny(config, {key});
  if (!value)
    return Error::success();
  if (value->kind != Kind::Boolean)
    return wrong(key, "true or false", *value);
  result = value->boolean;
  return Error::success();
}

Error Parser::text(const JSONValue &config, StringRef key,
                   std::string &result) const {
  const JSONValue *value = findAny(config, {key});
  if (!value)
    return Error::success();
  if (!value->isString())
    return wrong(key, "a string", *value);
  result = value->text;
  return Error::success();
}

Error Parser::pattern(StringRef spelt, const JSONValue &at,
                      std::string &result) const {
  StringRef python = spelt;
  for (StringRef prefix : {"re:", "-:", "+:"})
    if (python.consume_front(prefix))
      break;
  // re.match begins where the name does.
  result = "^(";
  std::string what = tooLarge(python);
  for (size_t i = 0; i < python.size() && what.empty(); ++i) {
    char c = python[i], next = i + 1 < python.size() ? python[i + 1] : 0;
    if (c == '(' && next == '?') {
      if (!python.substr(i).starts_with("(?:"))
        what = "groups of the form (?… are not known here";
      result += '(';
      i += 2;
    } else if (c != '\\') {
      result += c;
    } else if (next == 'd') {
      result += "[0-9]";
      ++i;
    } else if (next == 'w') {
      result += "[A-Za-z0-9_]";
      ++i;
    } else if (isAlnum(next)) {
      what = std::string("\\") + next + " is not known here";
    } else {
      result += c;
      if (next)
        result += next;
      ++i;
    }
  }
  result += ')';
  if (what.empty())
    (void)Regex(result).isValid(what);
  if (!what.empty())
    return fail("line " + Twine(at.line) + ": target '" + spelt.take_front(99) +
                (spelt.size() > 99 ? "…" : "") +
                "' is no regular expression: " + what);
  return Error::success();
}

/// gptqmodel's options that differ from layer to layer; the first pattern that
/// matches counts, "-:" before it leaves a layer in float.
Error Parser::parseDynamic(const JSONValue &dynamic, const LayerConfig &common,
                           QuantizationConfig &result) {
  if (!dynamic.isObject())
    return wrong("dynamic", "an object of objects", dynamic);
  for (const auto &[key, value] : dynamic.members()) {
    LayerConfig layer = common;
    layer.skipped = StringRef(key).starts_with("-:");
    std::string read;
    if (Error error = pattern(key, value, read))
      return error;
    layer.targets = {"re:" + read};
    if (!layer.skipped) {
      if (!value.isObject())
        return wrong("dynamic", "an object of objects", value);
      if (value.find("bits"))
        if (Error error = bits(value, {"bits"}, {2, 3, 4, 8}, layer.bits))
          return error;
      if (value.find("group_size"))
        if (Error error = group(value, {"group_size"}, layer.groupSize))
          return error;
      if (Error error = boolean(value, "sym", layer.symmetric))
        return error;
    }
    result.layers.push_back(std::move(layer));
  }
  return Error::success();
}

Error Parser::parseGroup(const JSONValue &group, const QuantizationConfig &all,
                         LayerConfig &result) {
  if (!group.isObject())
    return wrong("config_groups", "an object of objects", group);
  const JSONValue *targets = group.find("targets");
  if (!targets || targets->kind != Kind::Array)
    return fail("line " + Twine(group.line) +
                ": expected \"targets\", an array of names");
  for (const JSONValue &target : targets->elements) {
    if (!target.isString())
      return wrong("targets", "an array of names", target);
    if (StringRef(target.text).starts_with("re:")) {
      std::string read;
      if (Error error = pattern(target.text, target, read))
        return error;
      result.targets.push_back("re:" + read);
      continue;
    }
    result.targets.push_back(target.text);
  }
  const JSONValue *weights = group.find("weights");
  if (!weights || !weights->isObject())
    return fail("line " + Twine(group.line) +
                ": expected \"weights\", an object");
  std::string type = "int", strategy;
  if (Error error = text(*weights, "type", type))
    return error;
  bool isFloat = all.format == Format::FloatQuantized;
  StringRef expected = isFloat ? "float" : "int";
  if (type != expected)
    return fail("line " + Twine(weights->line) +
                ": expected weights of type '" + expected + "', got '" + type +
                "'");
  SmallVector<int64_t> allowed = {2, 3, 4, 8};
  if (all.format == Format::IntQuantized || isFloat)
    allowed = {8};
  if (Error error = bits(*weights, {"num_bits"}, allowed, result.bits))
    return error;
  if (Error error = text(*weights, "strategy", strategy))
    return error;
  if (Error error = this->group(*weights, {"group_size"}, result.groupSize))
    return error;
  if (strategy.empty())
    strategy = result.groupSize == -1 ? "channel" : "group";
  if (strategy != "group" && strategy != "channel" && strategy != "tensor")
    return fail(
        "line " + Twine(weights->line) +
        ": expected \"strategy\" to be group, channel or tensor, got '" +
        strategy + "'");
  if (strategy == "group" && result.groupSize == -1)
    return fail("line " + Twine(weights->line) +
                ": expected a group_size with strategy 'group', got none");
  if (strategy != "group")
    result.groupSize = -1;
  if (Error error = boolean(*weights, "symmetric", result.symmetric))
    return error;
  if (isFloat && !result.symmetric)
    return fail("line " + Twine(weights->line) +
                ": expected \"symmetric\" floats, got false");
  const JSONValue *activations = findAny(group, {"input_activations"});
  result.activations = activations != nullptr;
  if (!activations || !activations->isObject())
    return Error::success();
  std::string kind = "int", scales;
  bool dynamic = false;
  if (Error error = text(*activations, "type", kind))
    return error;
  if (Error error = text(*activations, "strategy", scales))
    return error;
  if (Error error = boolean(*activations, "dynamic", dynamic))
    return error;
  result.floatActivationsPerToken =
      isFloat && kind == "float" && scales == "token" && dynamic;
  return Error::success();
}

Error Parser::parseCompressed(const JSONValue &config,
                              QuantizationConfig &result) {
  std::string format;
  if (Error error = text(config, "format", format))
    return error;
  if (format == "pack-quantized")
    result.format = Format::PackQuantized;
  else if (format == "int-quantized")
    result.format = Format::IntQuantized;
  else if (format == "float-quantized")
    result.format = Format::FloatQuantized;
  else
    return fail("expected \"format\" to be pack-quantized, int-quantized or "
                "float-quantized, got '" +
                format + "'");
  const JSONValue *groups = config.find("config_groups");
  if (!groups || !groups->isObject() || groups->elements.empty())
    return fail(
        "expected \"config_groups\", an object with at least one group");
  for (const JSONValue &group : groups->elements)
    if (Error error = parseGroup(group, result, result.layers.emplace_back()))
      return error;
  return Error::success();
}

Error Parser::parse(const JSONValue &config, QuantizationConfig &result) {
  std::string method;
  if (Error error = text(config, "quant_method", method))
    return error;
  if (method == "compressed-tensors")
    return parseCompressed(config, result);
  LayerConfig &layer = result.layers.emplace_back();
  if (method == "awq") {
    std::string version = "gemm";
    bool zeros = true;
    if (Error error = text(config, "version", version))
      return error;
    if (Error error = boolean(config, "zero_point", zeros))
      return error;
    layer.symmetric = !zeros;
    version = StringRef(version).lower();
    if (version != "gemm" && version != "gemv")
      return fail("expected \"version\" to be gemm or gemv, got '" + version +
                  "'");
    result.format = version == "gemm" ? Format::AwqGemm : Format::AwqGemv;
    if (Error error = bits(config, {"bits", "w_bit"}, {4}, layer.bits))
      return error;
    return group(config, {"group_size", "q_group_size"}, layer.groupSize);
  }
  if (method != "gptq" && !method.empty())
    return fail("expected \"quant_method\" to be gptq, awq or "
                "compressed-tensors, got '" +
                method + "'");
  std::string format = "gptq";
  if (Error error = text(config, "checkpoint_format", format))
    return error;
  if (format != "gptq" && format != "gptq_v2")
    return fail("expected \"checkpoint_format\" to be gptq or gptq_v2, got '" +
                format + "'");
  result.format = Format::Gptq;
  result.storesTrueZeros = format == "gptq_v2";
  if (Error error = bits(config, {"bits"}, {2, 3, 4, 8}, layer.bits))
    return error;
  if (Error error = boolean(config, "sym", layer.symmetric))
    return error;
  if (Error error = group(config, {"group_size"}, layer.groupSize))
    return error;
  LayerConfig common = layer;
  result.layers.clear();
  if (const JSONValue *dynamic = findAny(config, {"dynamic"}))
    if (Error error = parseDynamic(*dynamic, common, result))
      return error;
  result.layers.push_back(std::move(common));
  return Error::success();
}

const LayerConfig *QuantizationConfig::find(StringRef layer) const {
  auto matches = [&](StringRef target) {
    return target == "Linear" || target == layer ||
           (target.consume_front("re:") && Regex(target).match(layer));
  };
  for (const LayerConfig &config : layers)
    if (config.targets.empty() || any_of(config.targets, matches))
      return config.skipped ? nullptr : &config;
  return nullptr;
}

Expected<std::optional<QuantizationConfig>>
QuantizationConfig::parse(StringRef text, StringRef name, bool embedded) {
  Expected<JSONValue> json = storage::parseJSON(text, name);
  if (!json)
    return json.takeError();
  if (!json->isObject())
    return makeError(name + ": expected an object, got " + json->describe());
  const JSONValue *config = &*json;
  if (embedded) {
    config = findAny(*json, {"quantization_config"});
    if (!config)
      return std::optional<QuantizationConfig>();
    if (!config->isObject())
      return makeError(name +
                       ": expected \"quantization_config\" to be an object, "
                       "got " +
                       config->describe());
  }
  QuantizationConfig result;
  if (Error error = Parser(name).parse(*config, result))
    return std::move(error);
  return std::optional(std::move(result));
}

Expected<std::optional<QuantizationConfig>>
QuantizationConfig::read(StringRef mainFile) {
  for (StringRef file :
       {"config.json", "quantize_config.json", "quant_config.json"}) {
    SmallString<256> path(sys::path::parent_path(mainFile));
    sys::path::append(path, file);
    if (!sys::fs::exists(path))
      continue;
    auto buffer = MemoryBuffer::getFile(path);
    if (!buffer)
      return makeError(path + ": " + buffer.getError().message());
    auto config =
        parse((*buffer)->getBuffer(), path, /*embedded=*/file == "config.json");
    if (!config || *config)
      return config;
  }
  return std::optional<QuantizationConfig>();
}
