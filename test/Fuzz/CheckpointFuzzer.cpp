//===- CheckpointFuzzer.cpp - Any config, any quantised tensors -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input is a config's text, a zero byte, and a safetensors file. Layers
// that the file has are read for a model whose layers are 32x64: an error, or
// codes, scales and zero points of that shape with a permutation that is one.
//
//===----------------------------------------------------------------------===//

#include "MemoryFile.h"

#include "qk/Formats/QuantizedCheckpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace qk;

static void check(bool condition) {
  if (!condition)
    std::abort();
}

static void readLayer(const formats::QuantizedCheckpoint &checkpoint,
                      llvm::StringRef layer) {
  constexpr int64_t n = 32, k = 64;
  auto weight = checkpoint.read(layer, n, k);
  if (!weight) {
    check(!llvm::toString(weight.takeError()).empty());
    return;
  }
  size_t groups = weight->scheme.groups(k);
  check(weight->n == n && weight->k == k);
  check(weight->codes.size() == n * k);
  check(weight->scales.size() == n * groups);
  check(weight->zeroPoints.empty() || weight->zeroPoints.size() == n * groups);
  for (float scale : weight->scales)
    check(std::isfinite(scale));
  for (uint8_t code : weight->codes)
    check(weight->scheme.isSigned() || code <= weight->scheme.codeMax());
  std::vector<int32_t> order = weight->permutation;
  std::sort(order.begin(), order.end());
  check(order.empty() || order.size() == k);
  for (size_t i = 0; i < order.size(); ++i)
    check(order[i] == static_cast<int32_t>(i));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const void *zero = size ? std::memchr(data, 0, size) : nullptr;
  size_t text = zero ? static_cast<const uint8_t *>(zero) - data : size;
  llvm::StringRef json(reinterpret_cast<const char *>(data), text);
  auto config = formats::QuantizationConfig::parse(json, "config.json",
                                                   /*embedded=*/true);
  if (config && !*config)
    config = formats::QuantizationConfig::parse(json, "quantize_config.json",
                                                /*embedded=*/false);
  if (!config) {
    check(!llvm::toString(config.takeError()).empty());
    return 0;
  }
  if (!*config || !zero)
    return 0;
  fuzz::MemoryFile input(data + text + 1, size - text - 1);
  auto source = storage::Checkpoint::open(input.path());
  if (!source) {
    llvm::consumeError(source.takeError());
    return 0;
  }
  formats::QuantizedCheckpoint checkpoint(*source, **config);
  for (const std::string &layer : checkpoint.layers())
    readLayer(checkpoint, layer);
  return 0;
}
