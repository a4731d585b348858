//===- MmaLayout.h - Weights as fragments of mma.sync -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Layouts `nvvm-mma` (activations of f16 or bf16) and `nvvm-mma-s8` (of i8):
/// a lane loads what it feeds to `mma.sync`, in 16-byte vectors, as the A
/// operand (16 output channels; tokens are the 8 columns of B). Four such tiles
/// are the A operand of `wgmma`, whose fragments are the same.
///
/// Along K a row is cut into *atoms* of 64 bytes of activations: 32 codes for
/// f16 and bf16, 64 for i8. An atom is two steps of K for mma.sync and has one
/// scale: every group is cut by itself and filled up. *Units* of one or more
/// atoms fill whole vectors:
///
///   | codes | layout      | registers a word | atoms a unit | vectors a unit |
///   | u2    | nvvm-mma    | 8                | 4            | 1              |
///   | u3    | nvvm-mma    | 5 (and 1/3)      | 8            | 3              |
///   | u4    | nvvm-mma    | 4                | 2            | 1              |
///   | u8,s8 | nvvm-mma    | 2                | 1            | 1              |
///   | u2    | nvvm-mma-s8 | 4                | 2            | 1              |
///   | u3    | nvvm-mma-s8 | 2 (and 2/3)      | 4            | 3              |
///   | u4    | nvvm-mma-s8 | 2                | 1            | 1              |
///   | u8,s8 | nvvm-mma-s8 | 1                | 1            | 2              |
///
/// The atoms of a group divide a unit or are a multiple of its atoms (groups
/// that are not are filled up with more atoms), so a unit's scales change at
/// places that are known when the kernel is compiled.
///
///   buffer = tiles of 16 channels
///   tile   = codes  [units][vectors][32 lanes][16 bytes]
///            scales [groups][16] of the scheme's scale type
///            zeros  [groups][16] i8 (up to 4 bits) or i16, if any
///
/// Each part starts on a multiple of 128 bytes. Scales and zero points are in
/// the order of channels 0, 8, 1, 9, …, 7, 15: those that a lane needs are
/// neighbours. An atom is two steps of 32 bytes, in the order of K. Lane 4g + t
/// has the channels g and g + 8, and in the order of its registers: step (0,
/// 1), then a0 … a3, of which a0 and a1 (channels g and g + 8) meet bytes 4t …
/// 4t + 3 of the step, a2 and a3 those 16 further on.
///
/// In nvvm-mma the codes of a register are a pair, the same bits in the low and
/// the high half of a word: pairs fill halves from the low bits. The sixteenth
/// pair of u3 in three words has its bits 0, 1 and 2 on top of them. 8-bit
/// codes are stored as two's complement, u8 less 128.
///
/// In nvvm-mma-s8 they are four, the same bits of each byte of a word, and fill
/// bytes from the high bits. All are stored as two's complement of their bits,
/// c
/// - 2^(bits - 1) (s8 as it is), so a code at the top of a byte, with zeros
/// below, is a signed byte: 2^(8 - bits) times what it stands for. Of u3 in
/// three words the seventh and eighth register have their bits 2 and 1 in bits
/// 1 and 0 of the first and the third word, their bit 0 in bits 1 and 0 of the
/// second. Zero points are stored less 2^(bits - 1), too.
///
/// What fills up is zero bytes; x is 0 there.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_MMALAYOUT_H
#define QK_TARGET_NVVM_MMALAYOUT_H

#include "qk/Target/NVVM/Layout.h"

namespace qk::nvvm {

/// Sizes and offsets of the layouts of mma.sync for one weight shape. Bytes.
struct MmaLayout {
  static constexpr int64_t kLanes = 32;
  static constexpr int64_t kTileChannels = 16;
  static constexpr int64_t kVector = 16;
  static constexpr int64_t kAlign = 128;
  /// Bytes of activations, per token, that an atom meets.
  static constexpr int64_t kAtomBytes = 64;

  numerics::Scheme scheme;
  int64_t k = 0;
  bool hasZeroPoints = false;
  /// nvvm-mma-s8.
  bool int8Activations = false;

  /// Products of integers are summed in i32, those of floats in f32.
  bool hasIntegerSums() const { return int8Activations && !scheme.isFloat(); }
  /// Sums of products are 2^this times what they stand for: codes of fewer than
  /// 8 bits are multiplied at the top of a byte.
  int sumShift() const { return int8Activations ? 8 - scheme.bits() : 0; }
  /// What stored codes and zero points are less than the scheme's.
  int storedOffset() const {
    bool isShifted = int8Activations || scheme.bits() == 8;
    return isShifted ? scheme.defaultZeroPoint() : 0;
  }

  // Counts along K.
  int64_t atomCodes() const { return int8Activations ? 64 : 32; }
  int64_t groupLength() const { return scheme.groupLength(k); }
  int64_t groups() const { return scheme.groups(k); }
  /// Atoms that every group has, the last one too.
  int64_t atomsPerGroup() const;
  int64_t unitAtoms() const;
  int64_t unitVectors() const;
  int64_t units() const;
  /// Atoms that follow each other with one scale, within a unit.
  int64_t segmentAtoms() const;

  // Within a tile.
  int64_t scaleBytes() const;
  int64_t zeroBytes() const { return scheme.bits() == 8 ? 2 : 1; }
  int64_t scalesOffset() const;
  int64_t zerosOffset() const;
  int64_t tileBytes() const;

  /// Where the scale of channel `c` of a tile is among its group's.
  static int64_t scalePlace(int64_t c) { return 2 * (c % 8) + c / 8; }

  int64_t tiles(int64_t n) const {
    return (n + kTileChannels - 1) / kTileChannels;
  }
  int64_t packedBytes(int64_t n) const { return tiles(n) * tileBytes(); }

  /// Where the codes of register `reg` of `step` (0, 1) of `atom` of a unit
  /// are: their lowest bit in the halves or bytes of `word`. With shift -1 (u3
  /// only) they are in parts: on top of words `word` to `word` + 2 in nvvm-mma,
  /// in nvvm-mma-s8 their lowest bit at `lowShift` of word `lowWord`.
  struct PairPlace {
    int word;
    int shift;
    int lowWord = -1;
    int lowShift = 0;
  };
  PairPlace place(int atom, int step, int reg) const;
  /// First code, within an atom, of register `reg` of `step` in lane `t`.
  int64_t firstCode(int t, int step, int reg) const {
    int64_t perRegister = atomCodes() / 16;
    return perRegister * (t + 4 * (reg >> 1) + 8 * step);
  }
};

/// The layout of a weight.
MmaLayout mmaLayout(const numerics::QuantizedWeight &weight,
                    bool int8Activations);

/// As `pack`, which has checked the weight.
void packMma(const numerics::QuantizedWeight &weight, bool int8Activations,
             uint8_t *out);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_MMALAYOUT_H
