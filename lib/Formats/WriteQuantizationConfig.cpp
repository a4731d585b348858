//===- WriteQuantizationConfig.cpp - What a config says of layers ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/PackLayer.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <tuple>

using namespace llvm;
using namespace qk;
using namespace qk::formats;

namespace {

/// What layers of one config group have in common.
struct Settings {
  int bits;
  int64_t groupSize;
  bool symmetric, permutation;
  ActivationScale activations;
  int64_t activationGroup;

  explicit Settings(const LayerShape &layer)
      : bits(layer.scheme.bits()), groupSize(layer.groupSize()),
        symmetric(!layer.zeroPoints), permutation(layer.permutation),
        activations(layer.activations), activationGroup(layer.activationGroup) {
  }
  friend bool operator<(const Settings &a, const Settings &b) {
    auto key = [](const Settings &s) {
      return std::tuple(s.bits, s.groupSize, s.symmetric, s.permutation,
                        s.activations, s.activationGroup);
    };
    return key(a) < key(b);
  }
};

} // namespace

/// What matches `name` alone, as Python's `re.match` reads it.
static std::string onlyName(StringRef name) {
  std::string pattern;
  for (char c : name) {
    if (!isAlnum(c) && c != '_')
      pattern += '\\';
    pattern += c;
  }
  return pattern + "$";
}

/// Layers by settings, each in the order of `layers`; the most frequent
/// settings come first.
static std::vector<std::pair<Settings, std::vector<std::string>>>
groupLayers(ArrayRef<LayerShape> layers) {
  std::vector<std::pair<Settings, std::vector<std::string>>> groups;
  std::map<Settings, size_t> known;
  for (const LayerShape &layer : layers) {
    Settings settings(layer);
    auto [it, inserted] = known.try_emplace(settings, groups.size());
    if (inserted)
      groups.push_back({settings, {}});
    groups[it->second].second.push_back(layer.name);
  }
  // Not std::stable_sort, which libstdc++ 12 can't compile without a warning.
  for (size_t best = 1; best < groups.size(); ++best)
    if (groups[best].second.size() > groups.front().second.size())
      std::swap(groups[best], groups.front());
  return groups;
}

static json::Object gptqConfig(TargetFormat target, ArrayRef<LayerShape> layers,
                               ArrayRef<std::string> inFloat) {
  auto groups = groupLayers(layers);
  bool symmetric = true, permutation = false, head = false;
  for (const LayerShape &layer : layers) {
    symmetric &= !layer.zeroPoints;
    permutation |= layer.permutation;
    head |= StringRef(layer.name).ends_with("lm_head");
  }
  const Settings &common = groups.front().first;
  json::Object dynamic;
  for (const std::string &name : inFloat)
    if (!StringRef(name).ends_with("lm_head"))
      dynamic["-:" + onlyName(name)] = json::Object();
  for (const auto &[settings, names] : ArrayRef(groups).drop_front()) {
    json::Object differs;
    if (settings.bits != common.bits)
      differs["bits"] = settings.bits;
    if (settings.groupSize != common.groupSize)
      differs["group_size"] = settings.groupSize;
    if (!differs.empty())
      for (const std::string &name : names)
        dynamic["+:" + onlyName(name)] = json::Value(json::Object(differs));
  }
  json::Object config{
      {"quant_method", "gptq"},
      {"bits", common.bits},
      {"group_size", common.groupSize},
      {"sym", symmetric},
      {"desc_act", permutation},
      {"static_groups", !permutation},
      {"true_sequential", true},
      {"lm_head", head},
      {"checkpoint_format", target.storesTrueZeros ? "gptq_v2" : "gptq"},
      {"pack_dtype", "int32"},
      {"meta", json::Object{{"quantizer", json::Array{"qk:" QK_VERSION}}}}};
  if (!dynamic.empty())
    config["dynamic"] = std::move(dynamic);
  return config;
}

static json::Object awqConfig(ArrayRef<LayerShape> layers,
                              ArrayRef<std::string> inFloat) {
  json::Object config{{"quant_method", "awq"},
                      {"bits", layers.front().scheme.bits()},
                      {"group_size", layers.front().groupSize()},
                      {"zero_point", true},
                      {"version", "gemm"}};
  json::Array names;
  for (const std::string &name : inFloat)
    names.push_back(name);
  config["modules_to_not_convert"] = std::move(names);
  return config;
}

/// How compressed-tensors describes activations.
static json::Value activationArguments(const Settings &settings,
                                       StringRef type) {
  if (settings.activations == ActivationScale::None)
    return nullptr;
  StringRef strategy = "token";
  if (settings.activations == ActivationScale::TokenGroup)
    strategy = "group";
  if (settings.activations == ActivationScale::Tensor ||
      settings.activations == ActivationScale::StaticTensor)
    strategy = "tensor";
  bool isStatic = settings.activations == ActivationScale::StaticTensor;
  json::Object arguments{
      {"num_bits", 8},        {"type", type},
      {"symmetric", true},    {"strategy", strategy},
      {"dynamic", !isStatic}, {"group_size", nullptr},
      {"actorder", nullptr},  {"block_structure", nullptr},
      {"observer", nullptr},  {"observer_kwargs", json::Object()}};
  if (isStatic)
    arguments["observer"] = "minmax";
  if (settings.activations == ActivationScale::TokenGroup)
    arguments["group_size"] = settings.activationGroup;
  return arguments;
}

static json::Object compressedConfig(TargetFormat target,
                                     ArrayRef<LayerShape> layers,
                                     ArrayRef<std::string> inFloat) {
  StringRef format = spelling(target);
  StringRef type = target.format == Format::FloatQuantized ? "float" : "int";
  auto groups = groupLayers(layers);
  json::Object described;
  for (const auto &[index, group] : enumerate(groups)) {
    const auto &[settings, names] = group;
    json::Array targets;
    if (groups.size() == 1)
      targets.push_back("Linear");
    else
      for (const std::string &name : names)
        targets.push_back(name);
    json::Object weights{{"num_bits", settings.bits},
                         {"type", type},
                         {"symmetric", settings.symmetric},
                         {"strategy", "channel"},
                         {"group_size", nullptr},
                         {"dynamic", false},
                         {"actorder", nullptr},
                         {"block_structure", nullptr},
                         {"observer", "minmax"},
                         {"observer_kwargs", json::Object()}};
    if (settings.groupSize != -1) {
      weights["strategy"] = "group";
      weights["group_size"] = settings.groupSize;
    }
    if (settings.permutation)
      weights["actorder"] = "group";
    described["group_" + std::to_string(index)] =
        json::Object{{"targets", std::move(targets)},
                     {"weights", std::move(weights)},
                     {"input_activations", activationArguments(settings, type)},
                     {"output_activations", nullptr},
                     {"format", format}};
  }
  json::Array ignore;
  for (const std::string &name : inFloat)
    ignore.push_back(name);
  return json::Object{{"quant_method", "compressed-tensors"},
                      {"format", format},
                      {"quantization_status", "compressed"},
                      {"config_groups", std::move(described)},
                      {"ignore", std::move(ignore)},
                      {"kv_cache_scheme", nullptr},
                      {"global_compression_ratio", nullptr}};
}

std::string qk::formats::writeQuantizationConfig(TargetFormat target,
                                                 ArrayRef<LayerShape> layers,
                                                 ArrayRef<std::string> inFloat,
                                                 StringRef indent) {
  json::Object config;
  switch (target.format) {
  case Format::Gptq:
    config = gptqConfig(target, layers, inFloat);
    break;
  case Format::AwqGemm:
  case Format::AwqGemv:
    config = awqConfig(layers, inFloat);
    break;
  case Format::PackQuantized:
  case Format::IntQuantized:
  case Format::FloatQuantized:
    config = compressedConfig(target, layers, inFloat);
    break;
  }
  std::string text, indented;
  raw_string_ostream(text) << formatv("{0:2}", json::Value(std::move(config)));
  for (char c : text) {
    indented += c;
    if (c == '\n')
      indented += indent;
  }
  return indented;
}
