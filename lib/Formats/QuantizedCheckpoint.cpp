//===- QuantizedCheckpoint.cpp - Weights that others quantised ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/QuantizedCheckpoint.h"

#include "LayerReader.h"

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using numerics::QuantizedWeight;
using storage::DataType;
using storage::makeError;
using storage::Parameter;

/// What tells a quantised layer from others, by format.
static StringRef codesSuffix(Format format) {
  switch (format) {
  case Format::Gptq:
  case Format::AwqGemm:
  case Format::AwqGemv:
    return ".qweight";
  case Format::PackQuantized:
    return ".weight_packed";
  case Format::IntQuantized:
  case Format::FloatQuantized:
    return ".weight";
  }
  return "";
}

Expected<std::optional<QuantizedCheckpoint>>
QuantizedCheckpoint::open(std::shared_ptr<const storage::Checkpoint> source) {
  auto config = QuantizationConfig::read(source->mainFile());
  if (!config)
    return config.takeError();
  if (!*config) {
    for (const Parameter &parameter : source->tensors())
      for (StringRef suffix : {".qweight", ".weight_packed"})
        if (parameter.tensor.name.ends_with(suffix))
          return makeError(
              source->mainFile() + ": tensor '" + parameter.tensor.name +
              "' is quantised, but no config.json, quantize_config.json or "
              "quant_config.json beside it says how");
    return std::optional<QuantizedCheckpoint>();
  }
  return std::optional(
      QuantizedCheckpoint(std::move(source), std::move(**config)));
}

bool QuantizedCheckpoint::contains(StringRef layer) const {
  const Parameter *codes =
      source->find((layer + codesSuffix(settings.format)).str());
  if (settings.format == Format::IntQuantized)
    return codes && codes->tensor.type == DataType::I8;
  if (settings.format == Format::FloatQuantized)
    return codes && codes->tensor.type == DataType::F8E4M3;
  return codes;
}

std::vector<std::string> QuantizedCheckpoint::layers() const {
  std::vector<std::string> names;
  for (const Parameter &parameter : source->tensors()) {
    StringRef name = parameter.tensor.name;
    if (name.consume_back(codesSuffix(settings.format)) && contains(name))
      names.push_back(name.str());
  }
  return names;
}

Expected<QuantizedWeight> QuantizedCheckpoint::read(StringRef layer, int64_t n,
                                                    int64_t k) const {
  const LayerConfig *config = settings.find(layer);
  if (!config)
    return makeError(source->mainFile() + ": layer '" + layer +
                     "' is quantised, but no group of the config has it as a "
                     "target");
  LayerReader reader(*source, layer, *config, n, k);
  switch (settings.format) {
  case Format::Gptq: {
    bool trueZeros = settings.storesTrueZeros;
    auto weight = reader.readGptq(trueZeros);
    lied |= trueZeros != settings.storesTrueZeros;
    return weight;
  }
  case Format::AwqGemm:
    return reader.readAwq(/*gemv=*/false);
  case Format::AwqGemv:
    return reader.readAwq(/*gemv=*/true);
  case Format::PackQuantized:
    return reader.readPacked();
  case Format::IntQuantized:
    return reader.readBytes(/*areFloats=*/false);
  case Format::FloatQuantized:
    return reader.readBytes(/*areFloats=*/true);
  }
  return makeError("unknown format");
}
