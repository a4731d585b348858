//===- KernelTable.cpp - Which CPU kernel for which matmul ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Target/CPU/KernelTable.h"

using namespace qk::numerics;

namespace qk::cpu {

/// The value of `values` that is called `text`.
template <typename T>
static std::optional<T> parse(std::string_view text,
                              std::initializer_list<T> values) {
  for (T value : values)
    if (name(value) == text)
      return value;
  return std::nullopt;
}

std::string_view name(Level level) {
  switch (level) {
  case Level::Portable:
    return "portable";
  case Level::AVX2:
    return "avx2";
  case Level::AVXVNNI:
    return "avx-vnni";
  case Level::AVX512VNNI:
    return "avx512-vnni";
  case Level::NEONDotProd:
    return "neon-dotprod";
  case Level::NEONI8MM:
    return "neon-i8mm";
  }
  return "";
}

Architecture architecture(Level level) {
  switch (level) {
  case Level::Portable:
    return Architecture::Other;
  case Level::AVX2:
  case Level::AVXVNNI:
  case Level::AVX512VNNI:
    return Architecture::X86_64;
  case Level::NEONDotProd:
  case Level::NEONI8MM:
    return Architecture::AArch64;
  }
  return Architecture::Other;
}

std::vector<Level> levelsOf(Architecture architecture) {
  switch (architecture) {
  case Architecture::Other:
    return {Level::Portable};
  case Architecture::X86_64:
    return {Level::AVX512VNNI, Level::AVXVNNI, Level::AVX2, Level::Portable};
  case Architecture::AArch64:
    return {Level::NEONI8MM, Level::NEONDotProd, Level::Portable};
  }
  return {};
}

std::string levelNames() {
  std::string text;
  for (Architecture each : {Architecture::X86_64, Architecture::AArch64})
    for (Level level : levelsOf(each))
      if (level != Level::Portable)
        text += std::string(name(level)) + ", ";
  text.resize(text.size() - 2);
  return text + " or " + std::string(name(Level::Portable));
}

std::string_view name(Activation activation) {
  switch (activation) {
  case Activation::Float:
    return "float";
  case Activation::Int16:
    return "int16";
  case Activation::Int8:
    return "int8";
  }
  return "";
}

std::string_view name(Element element) {
  switch (element) {
  case Element::F32:
    return "f32";
  case Element::F16:
    return "f16";
  case Element::BF16:
    return "bf16";
  }
  return "";
}

std::string_view name(Sharing sharing) {
  switch (sharing) {
  case Sharing::TokenGroup:
    return "group";
  case Sharing::Token:
    return "token";
  case Sharing::Tensor:
    return "tensor";
  }
  return "";
}

std::string_view name(CodeType type) { return numerics::codeTypeName(type); }

std::string_view name(ScaleType type) {
  constexpr std::string_view names[] = {"f16", "bf16", "f32"};
  return names[static_cast<int>(type)];
}

std::optional<Level> parseLevel(std::string_view text) {
  return parse(text, {Level::Portable, Level::AVX2, Level::AVXVNNI,
                      Level::AVX512VNNI, Level::NEONDotProd, Level::NEONI8MM});
}

std::optional<Activation> parseActivation(std::string_view text) {
  return parse(text, {Activation::Float, Activation::Int16, Activation::Int8});
}

std::optional<Element> parseElement(std::string_view text) {
  return parse(text, {Element::F32, Element::F16, Element::BF16});
}

std::optional<Sharing> parseSharing(std::string_view text) {
  return parse(text, {Sharing::TokenGroup, Sharing::Token, Sharing::Tensor});
}

std::optional<CodeType> parseCodeType(std::string_view text) {
  return parse(text, {CodeType::U2, CodeType::U3, CodeType::U4, CodeType::U8,
                      CodeType::S8});
}

std::optional<ScaleType> parseScaleType(std::string_view text) {
  return parse(text, {ScaleType::F16, ScaleType::BF16, ScaleType::F32});
}

std::string_view targetCPU(Level level) {
  switch (level) {
  case Level::Portable:
    return "";
  case Level::AVX2:
  case Level::AVXVNNI:
    return "x86-64-v3";
  case Level::AVX512VNNI:
    return "x86-64-v4";
  case Level::NEONDotProd:
  case Level::NEONI8MM:
    return "";
  }
  return "";
}

std::vector<std::string_view> targetFeatures(Level level) {
  switch (level) {
  case Level::Portable:
    return {};
  case Level::AVX2:
    return {"+avx2", "+fma", "+f16c"};
  case Level::AVXVNNI:
    return {"+avx2", "+fma", "+f16c", "+avxvnni"};
  case Level::AVX512VNNI:
    return {"+avx512f",    "+avx512bw", "+avx512vl", "+avx512dq",
            "+avx512vnni", "+fma",      "+f16c"};
  case Level::NEONDotProd:
    return {"+neon", "+dotprod"};
  case Level::NEONI8MM:
    return {"+neon", "+dotprod", "+i8mm"};
  }
  return {};
}

std::string KernelSpec::symbol() const {
  std::string result = "qk_matmul_";
  result += name(scheme.codeType);
  // The group as it is for this K: -1 and any size of K or more are one kernel.
  result += "_g" + std::to_string(scheme.groupLength(k));
  result += "_";
  result += name(scheme.scaleType);
  if (zeroPoints)
    result += "_z";
  result += "_k" + std::to_string(k) + "_";
  result += name(activation);
  if (activation != Activation::Float && sharing != Sharing::TokenGroup)
    result += sharing == Sharing::Token ? "_token" : "_tensor";
  result += "_";
  result += name(element);
  if (bias)
    result += "_bias";
  return result;
}

/// 32 registers of 128 bits.
static KernelChoice chooseNEON(const KernelSpec &spec, Level level) {
  const bool halves = spec.activation == Activation::Int16;
  KernelChoice choice;
  choice.lanes = 4;
  choice.multipliesByLane = true;
  // As for x86; not measured.
  choice.prefetchBytes = 8192;
  if (spec.activation == Activation::Float) {
    choice.tiles = {{8, 2, 1}, {4, 2, 1}, {1, 8, 1}};
    choice.reason = "float activations: 16 chains of fmla by lane; unpacking a "
                    "code is shared by eight rows";
    return choice;
  }
  // What holds codes that are being unpacked comes off the accumulators: three
  // bits are three planes, two bits four fields.
  const int bits = spec.scheme.bits();
  const bool three = bits == 3, few = bits <= 3;
  const int vectors = few ? 2 : 4;
  int single = halves ? 2 * vectors : bits == 8 ? 16 : 8;
  if (three)
    single = halves ? 2 : 4;
  const RegisterTile row = {1, single, 1, true};
  if (level == Level::NEONI8MM) {
    choice.blocks = true;
    // Two units an iteration, so that their words pair up before they are
    // unpacked.
    const int units = three ? 1 : 2;
    if (halves)
      choice.tiles = {{three ? 4 : 8, three ? 2 : 1, units, three},
                      {2, vectors, units, true},
                      row};
    else
      choice.tiles = {{bits == 8 ? 12 : 8, 2, units, three},
                      {4, vectors, units, true},
                      {2, vectors, units, true},
                      row};
    choice.reason = "usmmla: a block of two rows and two channels takes 8 "
                    "codes; 16 blocks, 24 of 8-bit codes, leave registers to "
                    "unpack two vectors";
    return choice;
  }
  choice.signedCodes = true;
  choice.codeShift = bits == 8 ? 128 : 0;
  if (halves)
    choice.tiles = {{4, 2, 1, three}, row};
  else
    choice.tiles = {{few ? 8 : 12, 2, 1, three}, {4, vectors, 1, three}, row};
  choice.reason =
      "sdot by lane: a load of x serves four rows; 24 accumulators, "
      "16 of codes whose unpacking takes registers";
  return choice;
}

KernelChoice chooseKernel(const KernelSpec &spec, Level level) {
  if (architecture(level) == Architecture::AArch64)
    return chooseNEON(spec, level);
  const bool integer = spec.activation != Activation::Float;
  const bool halves = spec.activation == Activation::Int16;
  const bool wide = level == Level::AVX512VNNI;
  KernelChoice choice;
  choice.lanes = wide ? 16 : 8;
  // Zen 4: AVX2 with 8 rows 94 GOP/s without, 228 with; AVX-512 with 32 rows
  // 398 and 421.
  choice.prefetchBytes = 8192;
  // 256 · 255 · 32639 < 2^31: no u8 code overflows an accumulator.
  choice.segment = 256;
  if (wide && integer) {
    choice.highNibbleInPlace = spec.scheme.bits() == 4;
    // Rows · vectors · halves accumulators: 24 of 32 registers.
    constexpr int rows = 6, vectors = 2;
    // A unit of 3 bits is 8 fields: two would not fit the registers.
    const int units = spec.scheme.bits() == 3 ? 1 : 2;
    choice.tiles = {{rows, vectors, units}, {2, 4, 1}, {1, 4, units}};
    choice.reason =
        "32 registers: 6 rows x 2 vectors leave room for both s8 halves of "
        "int16 in one pass over the weights; one row reads 4 vectors, 256 "
        "bytes a step, with 16 independent chains; more than two steps an "
        "iteration scramble the load order and lose the hardware prefetcher";
    return choice;
  }
  if (wide) {
    choice.tiles = {{6, 2, 1}, {1, 4, 1}};
    choice.reason = "float activations: unpacking costs five instructions for "
                    "16 codes, which six rows share; 12 chains hide the FMA";
    return choice;
  }
  if (integer && level == Level::AVX2 && spec.scheme.bits() <= 4) {
    // Eight fields, of at most 15 times 128 and two to a sum, fit 16 bits:
    // 8 * 2 * 15 * 128 = 30720.
    const int fields = spec.scheme.bits() == 3 ? 8 : 8 / spec.scheme.bits();
    const int units = 8 / fields;
    choice.pairs = true;
    choice.tiles = {{halves ? 4 : 3, halves ? 1 : 2, units},
                    {1, 8, units, true}};
    choice.reason =
        "without VNNI: one vpmaddubsw and one add in 16 bits a dot, and to 32 "
        "bits once in eight, where the halves of int16 meet; 16 registers hold "
        "six accumulators of either kind, four with halves; one row has eight "
        "of 32 bits and reads whole units, 256 bytes, prefetched because its "
        "vectors take turns";
    return choice;
  }
  if (integer && level == Level::AVX2) {
    choice.wideActivations = true;
    choice.tiles = {{4, 2, 1}, {1, 8, 1}};
    choice.reason =
        "without VNNI: two vpmaddwd on codes and activations of 16 bits a dot, "
        "for int16 as for int8; 8 accumulators, the even and odd codes of two "
        "vectors, and two activations are 14 of 16 registers";
    return choice;
  }
  if (integer && level == Level::AVXVNNI) {
    // Eight words of x for a unit of 3 bits leave no room for more.
    const bool three = spec.scheme.bits() == 3;
    const int vectors = (halves ? 4 : 8) / (three ? 2 : 1);
    choice.tiles = {{halves ? 2 : 4, 2, 1}, {1, vectors, 1, !three}};
    choice.reason = "16 registers of 256 bits: 8 accumulators, two codes and "
                    "one activation; one row reads weights in whole lines";
    return choice;
  }
  if (integer) {
    choice.tiles = {{halves ? 2 : 4, 2, 1}, {1, halves ? 2 : 4, 1}};
    choice.reason = "as many accumulators as 16 registers of 256 bits have "
                    "room for; others hold them in more";
    return choice;
  }
  choice.tiles = {{4, 2, 1}, {1, 4, 1}};
  choice.reason = "16 registers of 256 bits: 8 chains hide the FMA";
  return choice;
}

} // namespace qk::cpu
