//===- PackLayerTest.cpp - Bytes of packed layers -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packed layers are read back by the formulas that the readers' kernels use
// (a shift and a mask of one word; across two words for 3 bits), written here
// per format and not shared with the packer.
//
//===----------------------------------------------------------------------===//

#include "qk/Formats/PackLayer.h"

#include "gtest/gtest.h"

#include <cstring>
#include <map>
#include <numeric>
#include <random>

using namespace qk;
using namespace qk::formats;
using numerics::CodeType;
using numerics::QuantizedWeight;
using numerics::ScaleType;
using Bytes = std::vector<uint8_t>;

namespace {

struct Case {
  LayerShape shape;
  QuantizedWeight weight;
};

Case makeCase(CodeType type, int64_t n, int64_t k, int64_t group,
              bool zeroPoints, bool permutation = false) {
  std::mt19937 random(static_cast<unsigned>(n * 1000 + k));
  Case made;
  made.shape.name = "model.up";
  made.shape.n = n;
  made.shape.k = k;
  made.shape.scheme = {type, group, ScaleType::F16};
  made.shape.zeroPoints = zeroPoints;
  made.shape.permutation = permutation;
  QuantizedWeight &weight = made.weight;
  weight.scheme = made.shape.scheme;
  weight.n = n;
  weight.k = k;
  for (int64_t i = 0; i < n * k; ++i)
    weight.codes.push_back(random() % (1u << weight.scheme.bits()));
  int64_t groups = weight.scheme.groups(k);
  for (int64_t i = 0; i < n * groups; ++i) {
    weight.scales.push_back(static_cast<float>(1 + random() % 1000) / 1024);
    if (zeroPoints)
      weight.zeroPoints.push_back(
          type == CodeType::S8 ? static_cast<int16_t>(random() % 256) - 128
                               : 1 + random() % weight.scheme.codeMax());
  }
  if (permutation) {
    weight.permutation.resize(k);
    std::iota(weight.permutation.begin(), weight.permutation.end(), 0);
    std::shuffle(weight.permutation.begin(), weight.permutation.end(), random);
  }
  return made;
}

/// Tensors by suffix.
std::map<std::string, Bytes> pack(TargetFormat target, const Case &made,
                                  bool writeZeroPoints = false) {
  EXPECT_FALSE(static_cast<bool>(checkLayer(target, made.shape)));
  auto tensors = packedTensors(target, made.shape, writeZeroPoints);
  auto bytes = packLayer(target, made.shape, writeZeroPoints, made.weight, .5f);
  EXPECT_TRUE(static_cast<bool>(bytes));
  std::map<std::string, Bytes> result;
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(storage::byteSize(tensors[i].type, tensors[i].shape),
              static_cast<int64_t>((*bytes)[i].size()))
        << tensors[i].suffix.str();
    result[tensors[i].suffix.str()] = (*bytes)[i];
  }
  return result;
}

template <typename T> T element(const Bytes &bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

uint32_t word(const Bytes &bytes, int64_t index) {
  return element<uint32_t>(bytes, index);
}

/// The code of the model's column.
int code(const Case &made, int64_t row, int64_t column) {
  const auto &order = made.weight.permutation;
  int64_t stored =
      order.empty()
          ? column
          : std::find(order.begin(), order.end(), column) - order.begin();
  return made.weight.codes[row * made.shape.k + stored];
}

int zero(const Case &made, int64_t row, int64_t group) {
  int64_t groups = made.shape.scheme.groups(made.shape.k);
  return made.weight.zeroPoints.empty()
             ? made.weight.scheme.defaultZeroPoint()
             : made.weight.zeroPoints[row * groups + group];
}

std::string textOf(llvm::Error error) {
  return error ? llvm::toString(std::move(error)) : std::string();
}

TEST(PackLayer, GptqWordsHoldConsecutiveInputs) {
  // 2, 4 and 8 bits: 32 / bits inputs a word.
  for (CodeType type : {CodeType::U2, CodeType::U4, CodeType::U8}) {
    Case made = makeCase(type, 64, 96, 32, /*zeroPoints=*/true);
    int bits = numerics::codeBits(type), per = 32 / bits,
        mask = (1 << bits) - 1;
    for (bool v2 : {false, true}) {
      auto tensors = pack({Format::Gptq, v2}, made);
      for (int64_t row = 0; row < 64; ++row) {
        for (int64_t k = 0; k < 96; ++k)
          ASSERT_EQ(code(made, row, k),
                    int(word(tensors[".qweight"], k / per * 64 + row) >>
                        (bits * (k % per))) &
                        mask);
        for (int64_t g = 0; g < 3; ++g) {
          int stored =
              int(word(tensors[".qzeros"], g * (64 / per) + row / per) >>
                  (bits * (row % per))) &
              mask;
          ASSERT_EQ(zero(made, row, g), stored + !v2);
          ASSERT_EQ(made.weight.scales[row * 3 + g],
                    float(element<_Float16>(tensors[".scales"], g * 64 + row)));
        }
      }
      for (int64_t k = 0; k < 96; ++k)
        ASSERT_EQ(k / 32, element<int32_t>(tensors[".g_idx"], k));
    }
  }
}

TEST(PackLayer, GptqThreeBitsCrossWords) {
  Case made = makeCase(CodeType::U3, 32, 64, 32, /*zeroPoints=*/false);
  auto tensors = pack({Format::Gptq}, made);
  // As auto-gptq's pack: of 32 inputs in three words, 10 lie in the first, the
  // 11th is cut 2 + 1, 10 in the second, the 22nd is cut 1 + 2, 10 in the last.
  for (int64_t row = 0; row < 32; ++row)
    for (int64_t block = 0; block < 2; ++block) {
      uint32_t w[3];
      for (int i = 0; i < 3; ++i)
        w[i] = word(tensors[".qweight"], (block * 3 + i) * 32 + row);
      std::vector<int> values;
      for (int i = 0; i < 10; ++i)
        values.push_back(w[0] >> (3 * i) & 7);
      values.push_back(w[0] >> 30 | (w[1] & 1) << 2);
      for (int i = 0; i < 10; ++i)
        values.push_back(w[1] >> (3 * i + 1) & 7);
      values.push_back(w[1] >> 31 | (w[2] & 3) << 1);
      for (int i = 0; i < 10; ++i)
        values.push_back(w[2] >> (3 * i + 2) & 7);
      for (int i = 0; i < 32; ++i)
        ASSERT_EQ(code(made, row, block * 32 + i), values[i]) << i;
    }
}

TEST(PackLayer, SymmetricGptqHasTheKnownWords) {
  Case made = makeCase(CodeType::U4, 32, 32, -1, /*zeroPoints=*/false);
  EXPECT_EQ(0x77777777u, word(pack({Format::Gptq, false}, made)[".qzeros"], 0));
  EXPECT_EQ(0x88888888u, word(pack({Format::Gptq, true}, made)[".qzeros"], 0));
}

TEST(PackLayer, GptqPermutationBecomesGroupIndex) {
  Case made = makeCase(CodeType::U4, 32, 64, 16, true, /*permutation=*/true);
  auto tensors = pack({Format::Gptq, true}, made);
  for (int64_t k = 0; k < 64; ++k) {
    // Stored column j is the model's permutation[j].
    const auto &order = made.weight.permutation;
    int64_t stored = std::find(order.begin(), order.end(), k) - order.begin();
    EXPECT_EQ(stored / 16, element<int32_t>(tensors[".g_idx"], k));
    for (int64_t row = 0; row < 32; ++row)
      ASSERT_EQ(
          code(made, row, k),
          int(word(tensors[".qweight"], k / 8 * 32 + row) >> (4 * (k % 8))) &
              15);
  }
}

TEST(PackLayer, AwqInterleavesChannels) {
  Case made = makeCase(CodeType::U4, 16, 64, 32, /*zeroPoints=*/true);
  auto tensors = pack({Format::AwqGemm}, made);
  // The kernel reads even channels from the low half of each byte pair.
  const int place[8] = {0, 4, 1, 5, 2, 6, 3, 7};
  for (int64_t row = 0; row < 16; ++row) {
    int shift = 4 * place[row % 8];
    for (int64_t k = 0; k < 64; ++k)
      ASSERT_EQ(code(made, row, k),
                int(word(tensors[".qweight"], k * 2 + row / 8) >> shift) & 15);
    for (int64_t g = 0; g < 2; ++g)
      ASSERT_EQ(zero(made, row, g),
                int(word(tensors[".qzeros"], g * 2 + row / 8) >> shift) & 15);
  }
}

TEST(PackLayer, CompressedTensorsAreDenseAlongRows) {
  // 5 channels of 3 bits and 52 inputs: neither fills its words.
  Case made = makeCase(CodeType::U3, 5, 52, 26, /*zeroPoints=*/true);
  auto tensors = pack({Format::PackQuantized}, made);
  auto field = [](const Bytes &bytes, int64_t first, int64_t stride,
                  int64_t index) {
    int value = 0;
    for (int b = 0; b < 3; ++b) {
      int64_t bit = 3 * index + b;
      value |= (word(bytes, first + bit / 32 * stride) >> (bit % 32) & 1) << b;
    }
    return value;
  };
  for (int64_t row = 0; row < 5; ++row) {
    for (int64_t k = 0; k < 52; ++k)
      ASSERT_EQ(code(made, row, k),
                field(tensors[".weight_packed"], row * 5, 1, k));
    for (int64_t g = 0; g < 2; ++g)
      ASSERT_EQ(zero(made, row, g),
                field(tensors[".weight_zero_point"], g, 2, row));
  }
  EXPECT_EQ(5, element<int64_t>(tensors[".weight_shape"], 0));
  EXPECT_EQ(52, element<int64_t>(tensors[".weight_shape"], 1));
  EXPECT_EQ(0u, tensors.count(".weight_g_idx"));
}

TEST(PackLayer, SignedAndUnsignedBytesAreTheSameWeights) {
  for (CodeType type : {CodeType::S8, CodeType::U8})
    for (bool zeroPoints : {false, true}) {
      Case made = makeCase(type, 32, 32, -1, zeroPoints);
      auto value = [&](int64_t row, int64_t k) {
        int stored = code(made, row, k);
        return (type == CodeType::S8 ? int8_t(stored) : stored) -
               zero(made, row, 0);
      };
      auto ints = pack({Format::IntQuantized}, made, true);
      auto words = pack({Format::PackQuantized}, made, true);
      for (int64_t row = 0; row < 32; ++row)
        for (int64_t k = 0; k < 32; ++k) {
          ASSERT_EQ(value(row, k),
                    element<int8_t>(ints[".weight"], row * 32 + k) -
                        element<int8_t>(ints[".weight_zero_point"], row));
          // Rows and channels of one byte each are the bytes themselves.
          ASSERT_EQ(value(row, k), words[".weight_packed"][row * 32 + k] -
                                       words[".weight_zero_point"][row]);
        }
    }
}

TEST(PackLayer, StaticScaleIsATensor) {
  Case made = makeCase(CodeType::S8, 4, 8, -1, false);
  made.shape.activations = ActivationScale::StaticTensor;
  auto tensors = pack({Format::IntQuantized}, made);
  EXPECT_EQ(.5f, element<float>(tensors[".input_scale"], 0));
  EXPECT_EQ(0u, tensors.count(".weight_zero_point"));
}

TEST(PackLayer, SaysWhatAFormatCannotHold) {
  auto check = [](TargetFormat target, const Case &made) {
    return textOf(checkLayer(target, made.shape));
  };
  Case odd = makeCase(CodeType::U4, 172, 64, 32, true);
  EXPECT_EQ("layer 'model.up': gptq expects channels and inputs in multiples "
            "of 32, got 172x64; leave the layer in float with skip=, or write "
            "compressed-tensors, which has no such limit",
            check({Format::Gptq}, odd));
  EXPECT_EQ("layer 'model.up': awq expects channels in multiples of 8, got "
            "172x64; leave the layer in float with skip=, or write "
            "compressed-tensors, which has no such limit",
            check({Format::AwqGemm}, odd));
  EXPECT_EQ(
      "layer 'model.up': awq expects 4 bits, got 3; quantise with bits=4, "
      "or write another format",
      check({Format::AwqGemm}, makeCase(CodeType::U3, 32, 64, 32, true)));
  EXPECT_EQ("layer 'model.up': awq expects inputs in whole groups of 40, got "
            "64 inputs; quantise with a group-size that divides them, or write "
            "gptq",
            check({Format::AwqGemm}, makeCase(CodeType::U4, 32, 64, 40, true)));
  EXPECT_EQ(
      "layer 'model.up': int-quantized expects 8 bits, got 4; write "
      "pack-quantized, or quantise with bits=8",
      check({Format::IntQuantized}, makeCase(CodeType::U4, 32, 64, 32, true)));
  EXPECT_EQ(
      "layer 'model.up': awq expects columns in the model's order, got a "
      "permutation; quantise with static-groups, or write gptq",
      check({Format::AwqGemm}, makeCase(CodeType::U4, 32, 64, 32, true, true)));
  Case wide = makeCase(CodeType::U4, 32, 64, 32, true);
  wide.shape.scheme.scaleType = ScaleType::BF16;
  EXPECT_EQ("layer 'model.up': gptq_v2 expects scales of f16, got bf16; "
            "quantise with scale-type=f16, or write compressed-tensors",
            check({Format::Gptq, true}, wide));
  EXPECT_EQ("", check({Format::PackQuantized}, wide));
  Case active = makeCase(CodeType::S8, 32, 64, -1, false);
  active.shape.activations = ActivationScale::Token;
  EXPECT_EQ("layer 'model.up': pack-quantized expects activations in float, "
            "got activations of 8 bits; write int-quantized, or quantise the "
            "weights alone",
            check({Format::PackQuantized}, active));
  EXPECT_EQ("", check({Format::IntQuantized}, active));
  EXPECT_EQ(
      "layer 'model.up': float-quantized expects codes of e4m3, got 8-bit "
      "integers; quantise with --smoothquant=format=e4m3, or write "
      "compressed-tensors",
      check({Format::FloatQuantized}, active));
  active.shape.floatActivations = true;
  EXPECT_EQ("layer 'model.up': int-quantized expects activations of integers, "
            "got e4m3; quantise weights and activations with one format",
            check({Format::IntQuantized}, active));
  active.shape.floatActivations = false;
  Case floats = makeCase(CodeType::E4M3, 32, 64, -1, false);
  EXPECT_EQ("", check({Format::FloatQuantized}, floats));
  EXPECT_EQ("layer 'model.up': int-quantized expects integer codes, got e4m3; "
            "write float-quantized, or quantise to integers (format=int8)",
            check({Format::IntQuantized}, floats));
  floats.shape.activations = ActivationScale::Token;
  EXPECT_EQ(
      "layer 'model.up': float-quantized expects activations of e4m3, got "
      "integers; quantise weights and activations with one format",
      check({Format::FloatQuantized}, floats));
  active.shape.activations = ActivationScale::TokenGroup;
  active.shape.activationGroup = 48;
  EXPECT_EQ("layer 'model.up': int-quantized expects inputs in whole groups of "
            "48, got 64 inputs; quantise activations by token",
            check({Format::IntQuantized}, active));
}

TEST(PackLayer, FirstVersionOfGptqHasNoZeroPointOfZero) {
  Case made = makeCase(CodeType::U4, 32, 64, 32, true);
  made.weight.zeroPoints[5 * 2 + 1] = 0;
  auto packed = packLayer({Format::Gptq}, made.shape, false, made.weight, 0);
  ASSERT_FALSE(static_cast<bool>(packed));
  EXPECT_EQ("layer 'model.up': gptq expects zero points from 1 to 15, got 0 "
            "for channel 5, group 1; write gptq_v2",
            llvm::toString(packed.takeError()));
  EXPECT_TRUE(static_cast<bool>(
      packLayer({Format::Gptq, true}, made.shape, false, made.weight, 0)));
}

TEST(PackLayer, ZeroPointsOutsideTheCodesAreRefused) {
  Case made = makeCase(CodeType::U4, 32, 64, 32, true);
  made.weight.zeroPoints[0] = -3;
  for (TargetFormat target :
       {TargetFormat{Format::AwqGemm}, TargetFormat{Format::PackQuantized}}) {
    auto packed = packLayer(target, made.shape, false, made.weight, 0);
    ASSERT_FALSE(static_cast<bool>(packed));
    EXPECT_NE(llvm::toString(packed.takeError())
                  .find("expects zero points from 0 to 15, got -3 for channel "
                        "0, group 0"),
              std::string::npos);
  }
}

} // namespace
