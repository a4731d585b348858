//===- Layout.h - Packed weights of the NVVM kernels ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// How a quantised weight lies in the one byte buffer that a GPU kernel reads.
/// Plain C++: no LLVM header, so that the packer runs in any tool.
///
/// Layout `nvvm-simt`. A lane owns one output channel and walks along K; 32
/// channels, one a lane, are a *row block*. Along K a row is cut into *atoms*
/// of up to 32 codes that share one scale: every group is cut by itself and
/// its last atom filled up, so an atom never straddles two groups and any
/// group size or tail is the same case. One or more atoms that together fill
/// whole 16-byte vectors are a *unit*, the piece a lane loads at once:
///
///   | codes | codes a word | atoms a unit | 16-byte vectors a unit |
///   | u2    | 16           | 2            | 1                      |
///   | u3    | 10 (+2 bits) | 4            | 3                      |
///   | u4    | 8            | 1            | 1                      |
///   | u8,s8 | 4            | 1            | 2                      |
///
///   buffer    = row blocks
///   row block = codes  [units][vectors][32 lanes][16 bytes]
///               scales [groups][32 lanes] of the scheme's scale type
///               zeros  [groups][32 lanes] i8 (up to 4 bits) or i16, if any
///
/// Each of these parts starts on a multiple of 128 bytes. A warp's load of one
/// vector is 512 contiguous bytes. Words are little-endian and codes fill them
/// from the low bits. Ten u3 codes fill 30 bits of each of an atom's three
/// words; codes 30 and 31 have their low two bits in the top of words 0 and 1,
/// their high bits in bits 30 and 31 of word 2. s8 codes are stored plus 128,
/// so that a kernel sees u8 only; stored zero points remain in the code's own
/// domain. What fills up (rows past N, ends of atoms) is zero bytes: a row
/// past N has scale 0, and kernels read x as 0 where an atom is filled up. A
/// permutation is an operand of its own: it says which x belongs to a code.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_LAYOUT_H
#define QK_TARGET_NVVM_LAYOUT_H

#include "qk/Numerics/Scheme.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qk::nvvm {

/// The layouts that NVVM kernels read; a kernel family names one.
enum class Layout : uint8_t {
  /// One lane a channel, above.
  Simt,
  /// Fragments of mma.sync, for activations of 16-bit floats: MmaLayout.h.
  Mma,
  /// The same for activations of 8 bits.
  MmaS8,
};

/// `nvvm-simt`: how the layout is written in IR, kernels.json and messages.
std::string_view layoutName(Layout layout);
/// The layout of that name, if it is one of ours.
std::optional<Layout> layoutByName(std::string_view name);

/// Sizes and offsets of layout `nvvm-simt` for one weight shape. All bytes.
struct SimtLayout {
  /// Lanes of a warp, which is also the channels of a row block.
  static constexpr int64_t kLanes = 32;
  /// Codes of an atom.
  static constexpr int64_t kAtom = 32;
  /// Bytes of one vector load.
  static constexpr int64_t kVector = 16;
  /// Where parts start.
  static constexpr int64_t kAlign = 128;

  numerics::Scheme scheme;
  int64_t k = 0;
  bool hasZeroPoints = false;

  // Counts along K.
  int64_t groupLength() const { return scheme.groupLength(k); }
  int64_t groups() const { return scheme.groups(k); }
  /// Atoms of a whole group; the last group may have fewer.
  int64_t atomsPerGroup() const;
  /// Atoms of a row.
  int64_t atoms() const;
  int64_t unitAtoms() const;
  int64_t unitVectors() const;
  int64_t units() const;

  // Within a row block.
  int64_t scaleBytes() const;
  int64_t zeroBytes() const;
  int64_t scalesOffset() const;
  int64_t zerosOffset() const;
  int64_t blockBytes() const;

  int64_t rowBlocks(int64_t n) const { return (n + kLanes - 1) / kLanes; }
  int64_t packedBytes(int64_t n) const { return rowBlocks(n) * blockBytes(); }

  /// Where a code's bits are: in word `word` of the unit's words at `shift`,
  /// and, for the last two u3 codes of an atom, a third bit elsewhere.
  struct CodePlace {
    int word;
    int shift;
    int bits;
    /// Word and bit of the highest bit, or -1: it follows the others.
    int highWord = -1;
    int highShift = -1;
  };
  /// Place of code `index` (0 … 31) of atom `atom` (0 … unitAtoms()-1).
  CodePlace place(int atom, int index) const;
};

/// The layout of a weight.
SimtLayout simtLayout(const numerics::QuantizedWeight &weight);

/// Bytes that `pack` writes for `weight` in `layout`.
int64_t packedBytes(const numerics::QuantizedWeight &weight, Layout layout);

/// Writes `weight` to `out` (packedBytes() bytes) in `layout`. Returns an
/// error message, empty when all is well: codes, scales or zero
/// points of another length than the shape asks for, a zero point that does
/// not fit its stored type, a code type that the layout has not.
std::string pack(const numerics::QuantizedWeight &weight, Layout layout,
                 uint8_t *out);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_LAYOUT_H
