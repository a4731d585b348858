//===- KernelTable.h - Which CPU kernel for which matmul --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What makes two quantised matmuls share a kernel (`KernelSpec`), and the one
/// table that says how a kernel is tiled at each ISA level, with the reason.
/// Plain C++: the builders read it, tests and `qk-bench --list` print it.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_CPU_KERNELTABLE_H
#define QK_TARGET_CPU_KERNELTABLE_H

#include "qk/Target/CPU/Layout.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qk::cpu {

/// ISA levels; of an architecture's in the order that dispatch prefers, worst
/// first. The values are what the runtime's `qk_cpu_level` returns.
enum class Level : int32_t {
  Portable = 0,
  AVX2 = 1,
  AVXVNNI = 2,
  AVX512VNNI = 3,
  NEONDotProd = 4, ///< sdot (Armv8.2 FEAT_DotProd).
  NEONI8MM = 5     ///< usdot, usmmla (Armv8.6 FEAT_I8MM).
};

/// What a level's code is for. Portable is of every architecture.
enum class Architecture : uint8_t { Other, X86_64, AArch64 };
Architecture architecture(Level level);

/// The levels of an architecture, best first; Portable is the last.
std::vector<Level> levelsOf(Architecture architecture);

/// All levels' names as a diagnostic lists them: "a, b or c".
std::string levelNames();

/// What a kernel multiplies codes with. Int16 and Int8 read codes and scales
/// that `quant_llm.quantize` made.
enum class Activation : uint8_t { Float, Int16, Int8 };

/// What shares an activation scale: a group of a token (as long as the weight's
/// groups), a token, everything.
enum class Sharing : uint8_t { TokenGroup, Token, Tensor };

/// The float type of the result and, with float activations, of x.
enum class Element : uint8_t { F32, F16, BF16 };

/// One kernel: M and N are run-time values, everything here is compiled in.
struct KernelSpec {
  numerics::Scheme scheme;
  int64_t k = 0;
  bool zeroPoints = false;
  bool bias = false;
  Activation activation = Activation::Float;
  /// Int16, Int8 only.
  Sharing sharing = Sharing::TokenGroup;
  Element element = Element::F32;

  Layout layout() const { return {scheme, k, zeroPoints}; }
  /// The symbol of the kernel; equal exactly for equal specs.
  std::string symbol() const;
  friend bool operator==(const KernelSpec &, const KernelSpec &) = default;
};

/// How the rows and channels of one register tile are laid out.
struct RegisterTile {
  int rows = 1;    ///< Rows of x.
  int vectors = 1; ///< Vectors of `lanes` channels.
  int unroll = 1;  ///< Units of K an iteration takes.
  /// A vector's codes are used up before the next one's are loaded: fewer
  /// registers, and rows are read once for each vector.
  bool vectorByVector = false;
};

/// The kernel's shape at a level.
struct KernelChoice {
  int lanes = 16; ///< Channels of a vector: 32-bit lanes.
  /// Register tiles by falling row count; the last has one row. M is cut
  /// greedily.
  std::vector<RegisterTile> tiles;
  /// 4 bits, one row: leave the high nibble in place with an accumulator of its
  /// own, shifted down once a segment.
  bool highNibbleInPlace = false;
  /// Up to 4 bits, without VNNI: the products of an iteration (`unroll` units)
  /// are summed in 16 bits before they go to the 32-bit accumulators, which the
  /// halves of int16 share.
  bool pairs = false;
  /// 8 bits, without VNNI: x is packed as 16 bits, whatever it is, the even and
  /// the odd codes of four apart (`qk_kernel.dot_wide`).
  bool wideActivations = false;
  /// Several rows, and one where `pairs` are summed: bytes ahead that are
  /// prefetched; 0: none. (One row with VNNI reads one stream in order, which
  /// the hardware prefetches better: from memory on Zen 4 28 GB/s, and 24, 18,
  /// 17 with 8, 4, 1 KB ahead. Where vectors take turns lines come in another
  /// order: u4 in groups of 32 with int16 on Zen 3 5.3 GB/s without, 13.7 with
  /// 8 KB ahead.)
  int prefetchBytes = 0;
  /// Codes after which integer accumulators go to float.
  int64_t segment = 256;
  /// Several rows: x is read a vector of rows at a time, and a row is one of
  /// its lanes, which the instruction takes as it is. (Where rows fill
  /// vectors.)
  bool multipliesByLane = false;
  /// The dot takes signed codes: those of up to 4 bits are, those of 8 bits are
  /// stored with `codeShift` more than a signed byte has.
  bool signedCodes = false;
  int64_t codeShift = 0;
  /// Several rows: accumulators are blocks of two rows and two channels, to
  /// which one instruction adds the dots of eight codes. See BlockOrder.
  bool blocks = false;
  std::string reason;
};

/// The table.
KernelChoice chooseKernel(const KernelSpec &spec, Level level);

/// `isa=` spellings: portable, avx2, avx-vnni, avx512-vnni, neon-dotprod,
/// neon-i8mm.
std::string_view name(Level level);
std::optional<Level> parseLevel(std::string_view text);
std::string_view name(Activation activation);
std::optional<Activation> parseActivation(std::string_view text);
std::string_view name(Element element);
std::optional<Element> parseElement(std::string_view text);
std::string_view name(numerics::CodeType type);
std::optional<numerics::CodeType> parseCodeType(std::string_view text);
std::string_view name(numerics::ScaleType type);
std::optional<numerics::ScaleType> parseScaleType(std::string_view text);
/// group, token, tensor.
std::string_view name(Sharing sharing);
std::optional<Sharing> parseSharing(std::string_view text);

/// LLVM target CPU and features of a level; both empty for Portable, which is
/// compiled for whatever the module is.
std::string_view targetCPU(Level level);
std::vector<std::string_view> targetFeatures(Level level);

/// Largest magnitude of an int16 or int8 activation code. 32639 = 127·257: one
/// more and the high half of the two s8 halves overflows.
constexpr int activationMax(Activation activation) {
  return activation == Activation::Int16 ? 32639 : 127;
}

} // namespace qk::cpu

#endif // QK_TARGET_CPU_KERNELTABLE_H
