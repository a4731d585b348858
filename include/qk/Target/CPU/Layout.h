//===- Layout.h - Packed weights of the CPU kernels -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The bytes that a quantised weight W[N,K] becomes for the CPU kernels. One
/// layout a code width serves every level: 64 bytes hold 16 channels, which a
/// 256-bit target reads as two vectors of 8.
///
/// From the outside in:
///
///   weight = tile[0] tile[1] … tile[⌈N/64⌉-1]     a tile is 64 channels
///   tile   = group[0] group[1] … group[G-1]       G = ⌈K/g⌉; the last is short
///                                                 where g does not divide K
///   group  = unit[0] … unit[U-1] scales zeros     U = ⌈codes in group/unitK⌉
///   unit   = plane[0] … plane[P-1]                256 bytes a plane
///   plane  = byte[64 channels][4]
///   scales = 64 values of the scheme's scale type (f16, bf16: 2 bytes, f32: 4)
///   zeros  = only with zero points: 64 i8 (up to 4 bits) or i16 (8 bits)
///
/// A unit holds `unitK` consecutive codes of each of its channels. Byte j of
/// channel c in a plane (at 4*c + j) holds, counted from the unit's first code:
///
///   width  unitK planes  bits of byte j (low to high)
///   8      4     1       code[j] (8)
///   4      8     1       code[j] (4), code[4+j] (4)
///   2      16    1       code[j], code[4+j], code[8+j], code[12+j] (2 each)
///   3      32    3       plane 0: low two bits of code[0+j, 4+j, 8+j, 12+j],
///                        plane 1: those of code[16+j, 20+j, 24+j, 28+j],
///                        plane 2: bit f is the high bit of code[4*f+j]
///
/// so that the f-th field of a plane, masked out, is what a four-way dot of u8
/// and s8 multiplies with x[4*f … 4*f+3] – the reason for the order.
///
/// Stored codes are unsigned: s8 is stored as code + 128, and its zero points,
/// the default 0 too, as zero + 128. That keeps the weight the unsigned operand
/// of the dot for every width. What pads a unit (beyond the group's end) or a
/// tile (beyond N) is code 0, scale 0 and zero point 0; activations that meet
/// padding in K are zero.
///
/// Scales keep their storage type: at 4 bits and groups of 32, f32 scales would
/// be a fifth of all bytes that a memory-bound kernel reads; converting 16 of
/// them a group is one instruction. They follow their group's codes in the same
/// stream, so there is one stream for the hardware to prefetch.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_CPU_LAYOUT_H
#define QK_TARGET_CPU_LAYOUT_H

#include "qk/Numerics/Scheme.h"

#include <cstddef>
#include <cstdint>

namespace qk::cpu {

/// Channels of a tile, and bytes of one plane of one unit of a tile.
inline constexpr int64_t kTileChannels = 64;
inline constexpr int64_t kPlaneBytes = 4 * kTileChannels;

/// Where the parts of a packed weight are. All sizes follow from the scheme, K
/// and whether zero points are stored; N only counts tiles.
struct Layout {
  numerics::Scheme scheme;
  int64_t k = 0;
  bool zeroPoints = false;

  /// Codes of one channel in a unit, and planes of a unit.
  int64_t unitK() const;
  int64_t planes() const;
  int64_t unitBytes() const { return planes() * kPlaneBytes; }

  /// Codes of group `group`; units that hold them.
  int64_t groups() const { return scheme.groups(k); }
  int64_t groupLength(int64_t group) const;
  int64_t groupUnits(int64_t group) const;
  /// Codes of a full group with its padding.
  int64_t paddedGroupLength() const;
  /// K with the padding of every group: the length of a packed activation row.
  int64_t paddedK() const;

  int64_t scaleBytes() const;
  int64_t zeroPointBytes() const;
  int64_t groupBytes(int64_t group) const;
  /// Byte offset of group `group` in its tile.
  int64_t groupOffset(int64_t group) const;
  int64_t tileBytes() const;
  int64_t packedBytes(int64_t n) const;

  /// What stored codes and zero points are above logical ones.
  int64_t bias() const { return scheme.isSigned() ? 128 : 0; }
};

/// The name of the layout, which `quant_llm.pack` carries. It changes whenever
/// the bytes do.
inline constexpr const char *kLayoutName = "cpu-tile64";

/// Bytes that `pack` writes for `weight`.
int64_t packedBytes(const numerics::QuantizedWeight &weight);

/// Writes `weight` in the layout above to `bytes`, which holds
/// `packedBytes(weight)` bytes. Tiles are spread over OpenMP threads. A
/// permutation is not stored: the caller gathers x. Codes, scales and zero
/// points must have the sizes that Scheme.h states, and zero points must fit
/// i8 (up to 4 bits) or, plus 128 for s8, i16.
void pack(const numerics::QuantizedWeight &weight, uint8_t *bytes);

/// The same on views, for callers that hold mapped memory. `scales` are in the
/// scheme's storage type; `zeroPoints` may be null.
struct WeightView {
  numerics::Scheme scheme;
  int64_t n = 0, k = 0;
  const uint8_t *codes = nullptr;      ///< [N,K], one byte a code.
  const void *scales = nullptr;        ///< [N,G] in scheme.scaleType.
  const int16_t *zeroPoints = nullptr; ///< [N,G] or null.
};
void pack(const WeightView &weight, uint8_t *bytes);

/// Rounds to nearest even; exact for values that f16 or bf16 represent.
uint16_t toHalf(float value);
uint16_t toBFloat(float value);

} // namespace qk::cpu

#endif // QK_TARGET_CPU_LAYOUT_H
