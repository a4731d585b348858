//===- QuantizationConfig.cpp - What a config says of weights -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConfigParser.h"

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
using storage::makeError;
using Kind = JSONValue::Kind;

/// gptqmodel's options that differ from layer to layer; the first pattern that
/// matches counts, "-:" before it leaves a layer in float.
Error ConfigParser::parseDynamic(const JSONValue &dynamic,
                                 const LayerConfig &common,
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

Error ConfigParser::parse(const JSONValue &config, QuantizationConfig &result) {
  std::string method;
  if (Error error = text(config, "quant_method", method))
    return error;
  if (method == "compressed-tensors")
    return parseCompressed(config, result);
  if (method == "fp8")
    return parseFloat8(config, result);
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
    return fail("expected \"quant_method\" to be gptq, awq, "
                "compressed-tensors or fp8, got '" +
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
  if (Error error = ConfigParser(name).parse(*config, result))
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
