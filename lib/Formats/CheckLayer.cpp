//===- CheckLayer.cpp - What a format can hold ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/PackLayer.h"

using namespace llvm;
using namespace qk;
using namespace qk::formats;
using numerics::ScaleType;
using storage::makeError;

StringRef qk::formats::spelling(TargetFormat target) {
  switch (target.format) {
  case Format::Gptq:
    return target.storesTrueZeros ? "gptq_v2" : "gptq";
  case Format::AwqGemm:
    return "awq";
  case Format::AwqGemv:
    return "awq gemv";
  case Format::PackQuantized:
    return "pack-quantized";
  case Format::IntQuantized:
    return "int-quantized";
  case Format::FloatQuantized:
    return "float-quantized";
  }
  return "";
}

static StringRef spelling(ScaleType type) {
  switch (type) {
  case ScaleType::F16:
    return "f16";
  case ScaleType::BF16:
    return "bf16";
  case ScaleType::F32:
    return "f32";
  }
  return "";
}

Error qk::formats::checkLayer(TargetFormat target, const LayerShape &layer) {
  StringRef format = spelling(target);
  auto fail = [&](const Twine &expected, const Twine &got,
                  const Twine &advice) {
    return makeError("layer '" + layer.name + "': " + format + " expects " +
                     expected + ", got " + got + "; " + advice);
  };
  auto shape = [&] { return (Twine(layer.n) + "x" + Twine(layer.k)).str(); };
  StringRef skip = "leave the layer in float with skip=, or write "
                   "compressed-tensors, which has no such limit";
  bool gptq = target.format == Format::Gptq;
  bool awq =
      target.format == Format::AwqGemm || target.format == Format::AwqGemv;
  if (target.format == Format::AwqGemv)
    return fail("no writer", "one", "AWQ is written as gemm");
  bool isFloat = target.format == Format::FloatQuantized;
  if (layer.scheme.isFloat() && !isFloat)
    return fail("integer codes", "e4m3",
                "write float-quantized, or quantise to integers (format=int8)");
  if (!layer.scheme.isFloat() && isFloat)
    return fail("codes of e4m3", Twine(layer.scheme.bits()) + "-bit integers",
                "quantise with --smoothquant=format=e4m3, or write "
                "compressed-tensors");
  if (gptq && (layer.n % 32 || layer.k % 32))
    return fail("channels and inputs in multiples of 32", shape(), skip);
  if (awq && layer.n % 8)
    return fail("channels in multiples of 8", shape(), skip);
  int64_t length = layer.scheme.groupLength(layer.k);
  if (!gptq && length && layer.k % length)
    return fail("inputs in whole groups of " + Twine(length),
                Twine(layer.k) + " inputs",
                "quantise with a group-size that divides them, or write gptq");
  if (awq && layer.scheme.bits() != 4)
    return fail("4 bits", Twine(layer.scheme.bits()),
                "quantise with bits=4, or write another format");
  if (target.format == Format::IntQuantized && layer.scheme.bits() != 8)
    return fail("8 bits", Twine(layer.scheme.bits()),
                "write pack-quantized, or quantise with bits=8");
  if ((gptq || awq) && layer.scheme.scaleType != ScaleType::F16)
    return fail("scales of f16", ::spelling(layer.scheme.scaleType),
                "quantise with scale-type=f16, or write compressed-tensors");
  if (layer.permutation && !gptq && target.format != Format::PackQuantized)
    return fail("columns in the model's order", "a permutation",
                "quantise with static-groups, or write gptq");
  if (layer.activations == ActivationScale::None)
    return Error::success();
  if (layer.floatActivations != isFloat)
    return fail(isFloat ? "activations of e4m3" : "activations of integers",
                isFloat ? "integers" : "e4m3",
                "quantise weights and activations with one format");
  if (target.format != Format::IntQuantized && !isFloat)
    return fail("activations in float", "activations of 8 bits",
                "write int-quantized, or quantise the weights alone");
  if (layer.activations == ActivationScale::TokenGroup &&
      layer.k % layer.activationGroup)
    return fail("inputs in whole groups of " + Twine(layer.activationGroup),
                Twine(layer.k) + " inputs", "quantise activations by token");
  return Error::success();
}
