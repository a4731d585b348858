//===- CompressedConfig.cpp - compressed-tensors and fp8 ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConfigParser.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using Kind = JSONValue::Kind;

Error ConfigParser::parseGroup(const JSONValue &group,
                               const QuantizationConfig &all,
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
  if (!is_contained({"group", "channel", "tensor", "block"}, strategy))
    return fail("line " + Twine(weights->line) +
                ": expected \"strategy\" to be group, channel, tensor or "
                "block, got '" +
                strategy + "'");
  if (strategy == "group" && result.groupSize == -1)
    return fail("line " + Twine(weights->line) +
                ": expected a group_size with strategy 'group', got none");
  if (strategy != "group")
    result.groupSize = -1;
  if (strategy == "tensor")
    result.scaleRows = -1;
  if (strategy == "block")
    if (Error error = block(*weights, "block_structure", result))
      return error;
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

Error ConfigParser::parseCompressed(const JSONValue &config,
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

Error ConfigParser::block(const JSONValue &config, StringRef key,
                          LayerConfig &result) const {
  const JSONValue *sides = findAny(config, {key});
  if (!sides)
    return fail("line " + Twine(config.line) + ": expected \"" + key +
                "\", the rows and columns of a block, got none");
  SmallVector<int64_t> sizes;
  if (sides->kind == Kind::Array)
    for (const JSONValue &side : sides->elements)
      if (std::optional<int64_t> size = side.integer();
          size && *size >= 1 && *size <= (1 << 30))
        sizes.push_back(*size);
  if (sizes.size() != 2 || sides->elements.size() != 2)
    return wrong(key, "two numbers of at least 1", *sides);
  result.scaleRows = sizes[0];
  result.groupSize = sizes[1];
  return Error::success();
}

Error ConfigParser::parseFloat8(const JSONValue &config,
                                QuantizationConfig &result) {
  result.format = Format::FloatQuantized;
  LayerConfig &layer = result.layers.emplace_back();
  layer.bits = 8;
  layer.scaleRows = -1;
  layer.activations = true;
  std::string kind = "e4m3";
  if (Error error = text(config, "fmt", kind))
    return error;
  if (kind != "e4m3")
    return fail("expected \"fmt\" to be e4m3, got '" + kind + "'");
  if (findAny(config, {"weight_block_size"}))
    return block(config, "weight_block_size", layer);
  return Error::success();
}
