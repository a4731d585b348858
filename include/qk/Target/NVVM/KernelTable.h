//===- KernelTable.h - Which GPU kernel for which matmul --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The choice of a kernel by (chip, scheme, shape, range of M), with reasons,
/// as plain data: no LLVM header, testable by itself. A new kernel family adds
/// an enumerator, a configuration and its rows in KernelTable.cpp.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TARGET_NVVM_KERNELTABLE_H
#define QK_TARGET_NVVM_KERNELTABLE_H

#include "qk/Target/NVVM/MmaLayout.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

/// A GPU architecture that code is generated for.
struct Chip {
  /// As ptxas calls it: `sm_80`.
  std::string_view name;
  /// Compute capability times ten; `a` targets run on this one only.
  int capability;
  bool isArchitectureSpecific;
  /// Multiprocessors of the chip's largest data-centre (or only) GPU, and the
  /// shared memory that one block may have there: what sizes are chosen by.
  int multiprocessors;
  int64_t blockSharedBytes;
  /// The oldest PTX version that knows the chip, as an LLVM feature.
  std::string_view ptxFeature;
};

/// All chips, in order of capability.
const std::vector<Chip> &allChips();
/// The chip of that name or nothing; `knownChips()` is for the message.
const Chip *findChip(std::string_view name);
/// "sm_75, sm_80, …".
std::string knownChips();

//===----------------------------------------------------------------------===//
// Problems and kernels
//===----------------------------------------------------------------------===//

/// Type of x and y, or of the bias.
enum class ElementType : uint8_t { F16, BF16, F32 };
std::string_view elementTypeName(ElementType type);
int64_t elementTypeBytes(ElementType type);

/// One quantised matmul, all that is fixed when its kernel is compiled:
///   y[m,n] = Σₖ x[m,p(k)]·s[n,⌊k/g⌋]·(c[n,k] − z[n,⌊k/g⌋]) + b[n]
/// M and N are arguments of the kernel.
struct MatmulProblem {
  numerics::Scheme scheme;
  int64_t k = 0;
  bool hasZeroPoints = false;
  bool hasPermutation = false;
  /// Type of the bias, if there is one.
  std::optional<ElementType> bias;
  /// Type of x and y; of y alone where activations are of 8 bits.
  ElementType type = ElementType::F32;
  /// x has one byte an element, i8 or, for codes of e4m3, e4m3, and a scale a
  /// token: y is multiplied by xScales[m].
  bool int8Activations = false;
  /// With int8Activations: x has one scale for all its tokens, xScales[0].
  bool hasTensorScale = false;
  /// How the weight lies, which decides on the kernels: preferredLayout.
  Layout packing = Layout::Simt;

  SimtLayout layout() const { return {scheme, k, hasZeroPoints}; }
  MmaLayout mmaLayout() const {
    return {scheme, k, hasZeroPoints, int8Activations};
  }
  /// Of a weight of n channels.
  int64_t packedBytes(int64_t n) const {
    return packing == Layout::Simt ? layout().packedBytes(n)
                                   : mmaLayout().packedBytes(n);
  }
  friend bool operator==(const MatmulProblem &,
                         const MatmulProblem &) = default;
};

enum class KernelFamily : uint8_t {
  /// Plain FMA: a lane owns channels, the warps of a block split K.
  Simt,
  /// mma.sync with weights as the A operand, global to registers: the warps of
  /// a block split K. M up to 16.
  Decode,
  /// The same, where a block has more channels and tokens.
  Prefill,
  /// wgmma with weights as the A operand from registers, sm_90a: one
  /// warpgroup copies, others unpack and multiply.
  Wgmma,
};
std::string_view kernelFamilyName(KernelFamily family);

/// Parameters of the SIMT family.
struct SimtConfig {
  /// Rows of x that a block handles at once.
  int tokens = 1;
  /// Row blocks (of 32 channels) that a warp handles at once.
  int rowBlocks = 1;
  /// Warps of a block; each takes its share of K.
  int warps = 8;
  /// Units of a warp in a stage, for which x is in shared memory at once.
  int units = 4;

  friend bool operator==(const SimtConfig &, const SimtConfig &) = default;
};

/// Parameters of the families on mma.sync.
struct MmaConfig {
  /// Rows of x that a block handles: 1 or a multiple of 8 · warpsM.
  int tokens = 8;
  /// Tiles of 16 channels that a warp has.
  int rowTiles = 1;
  /// Warps with other channels, with other tokens, and those that share both
  /// and split K.
  int warpsN = 1;
  int warpsM = 1;
  int warpsK = 8;
  /// Units of a warp in a slice of K.
  int units = 1;
  /// Slices in shared memory, at least 2: of x, and of codes if they go
  /// through the ring, too, and not to registers a slice ahead.
  int stages = 2;
  bool codesInRing = false;
  /// Blocks that may have a share of K each, and how many blocks run at once:
  /// with fewer, K is split.
  int maxSplit = 1;
  int wave = 1;
  /// Blocks of channels that are walked together along the tokens; 1: the grid
  /// as it is.
  int band = 1;
  /// Activations of 8 bits and codes of fewer: zero points are subtracted from
  /// the codes, once for all tokens. Else they are multiplied by the sums of x,
  /// which are one more product of each 8 tokens.
  bool subtractZeros = false;
  /// Products of a group that are integers are the low bits of a float from the
  /// start: a subtraction in place of a conversion.
  bool floatSums = false;
  /// The cap on registers a thread.
  int maxRegisters = 128;

  int warps() const { return warpsN * warpsM * warpsK; }
  friend bool operator==(const MmaConfig &, const MmaConfig &) = default;
};

/// Parameters of the family on wgmma.
struct WgmmaConfig {
  /// Rows of x that a block handles: a multiple of 16 up to 256.
  int tokens = 128;
  /// Tiles of 64 channels that a consuming warpgroup has.
  int rowTiles = 2;
  /// Consuming warpgroups with other channels, and those that share channels
  /// and split K.
  int groupsN = 2;
  int groupsK = 1;
  /// Panels of 128 bytes of a row of x in a slice of K: whole units.
  int panels = 2;
  /// Slices in shared memory, a multiple of groupsK; how many slices of x the
  /// copying warps have under way behind the one that they start, 0: as many as
  /// there are slots.
  int stages = 4;
  int lag = 1;
  /// Whether scales and zero points go through the ring, too, and not from
  /// global memory to registers of those who multiply.
  bool scalesInRing = false;
  /// Copying warps that start bulk copies: 1 or 4.
  int copyWarps = 1;
  /// Up to how many blocks that have a share of K each are a cluster and add up
  /// through each other's shared memory; more do through the workspace.
  int cluster = 1;
  /// As in MmaConfig.
  int maxSplit = 1;
  int wave = 1;
  int band = 1;

  int consumers() const { return groupsN * groupsK; }
  friend bool operator==(const WgmmaConfig &, const WgmmaConfig &) = default;
};

/// Threads and blocks of a launch.
struct LaunchShape {
  int64_t grid[3] = {1, 1, 1};
  int64_t block[3] = {1, 1, 1};
  /// Dynamic shared memory.
  int64_t sharedBytes = 0;
  /// Blocks along z that are a cluster (the launch attribute), 1 or grid[2].
  int64_t cluster = 1;
};

/// A kernel and the calls it is for.
struct KernelChoice {
  KernelFamily family = KernelFamily::Simt;
  /// What the family has of these.
  SimtConfig simt;
  MmaConfig mma;
  WgmmaConfig wgmma;
  MatmulProblem problem;
  /// M from … to, both included; `to` = -1: no limit.
  int64_t mFrom = 1;
  int64_t mTo = -1;
  /// Why this one, for people.
  std::string reason;
  /// Where a table has several choices for one range of M, N decides: the one
  /// whose blocks are through first. What a round of them takes (splitWave()
  /// blocks, each with all of K), measured on an H200 at K = 8192, in tenths of
  /// a microsecond; of one choice to another the same for other K. 0: the only
  /// one for its M.
  int64_t roundCost = 0;

  /// The kernel's symbol: equal for equal kernels, different otherwise.
  std::string name() const;
  Layout layout() const { return problem.packing; }
  /// On tensor cores, by a layout of mma.sync; by wgmma.
  bool usesMma() const { return family != KernelFamily::Simt; }
  bool usesWgmma() const { return family == KernelFamily::Wgmma; }
  /// Grid and block for a launch with this M and N.
  LaunchShape launchShape(int64_t m, int64_t n) const;
  /// Channels and tokens that one block of the grid covers.
  int64_t blockChannels() const;
  int64_t blockTokens() const;
  int64_t threads() const;
  /// The cap on registers a thread that the kernel is compiled for.
  int64_t maxRegisters() const;
  /// Bytes of shared memory, static or dynamic.
  int64_t sharedBytes() const;
  /// What of it the launch has to give.
  int64_t dynamicSharedBytes() const { return usesMma() ? sharedBytes() : 0; }
  /// Blocks of a launch that have a share of K each, of a grid of `tiles`
  /// blocks: clamp(⌊splitWave() / tiles⌋, 1, maxSplit()).
  int64_t splits(int64_t tiles) const;
  int64_t maxSplit() const;
  int64_t splitWave() const;
  /// Rounds of that many blocks, and what all of them take: roundCost each.
  int64_t rounds(int64_t m, int64_t n) const;
  int64_t cost(int64_t m, int64_t n) const { return roundCost * rounds(m, n); }
  /// Up to how many blocks along z a launch has to make one cluster of.
  int64_t maxCluster() const { return usesWgmma() ? wgmma.cluster : 1; }
  /// Whether the kernel has the parameter `workspace`, and the bytes that it
  /// may use there; 0 before the first launch, and again after each.
  bool hasWorkspace() const { return problem.packing != Layout::Simt; }
  int64_t workspaceBytes() const;

  // Shared memory of the families on mma.sync: `stages` slots, of which each
  // has a slice of x, [token][bytes], and where codes go through the ring
  // [warp][unit][row tile][vector][lane][16 bytes] and the words with scales
  // and zero points [warp][piece][row tile][word][lane].
  int64_t mmaSlices() const;
  /// Atoms of a warp's share of a slice that have one scale.
  int64_t mmaPieceAtoms() const;
  int64_t mmaRowBytes() const;
  int64_t mmaXBytes() const { return mma.tokens * mmaRowBytes(); }
  int64_t mmaCodesBytes() const;
  int64_t mmaSlotBytes() const;
  /// Floats from one token's sums to the next one's; 4 more than a multiple of
  /// 16, so that the lanes of a warp that store them meet no bank twice.
  int64_t mmaSumChannels() const { return blockChannels() + 4; }
  /// Where the word is by which a block learns that it is its tile's last.
  int64_t mmaFlagOffset() const;

  // Shared memory of the family on wgmma: `stages` slots, of which each has a
  // slice of x, [panel][token][128 bytes, swizzled], and one of codes, [tile of
  // 16 channels][unit][vector][lane][16 bytes], and where they go through the
  // ring scales and zero points, [tile][piece]; in the same place at the end
  // the sums of warpgroups, [warpgroup along K][token][channel]; then
  // mbarriers, one for a full slot and one for an empty one, and a flag as
  // above.
  int64_t wgmmaUnits() const;
  int64_t wgmmaSlices() const;
  int64_t wgmmaXBytes() const {
    return int64_t(wgmma.panels) * wgmma.tokens * 128;
  }
  int64_t wgmmaCodesBytes() const;
  /// Pieces of a slice with one scale a channel, and the bytes of the scales
  /// and zero points of 16 channels of a piece; 0: they aren't in the ring.
  int64_t wgmmaScalePieces() const;
  int64_t wgmmaScaleBytes() const;
  int64_t wgmmaSlotBytes() const;
  /// Pieces of four sums that a consuming thread has, and (in a cluster) the
  /// bytes in which a block gets its share of all blocks' pieces.
  int64_t wgmmaPieces() const { return wgmma.rowTiles * wgmma.tokens / 8; }
  int64_t wgmmaExchangeBytes() const;
  int64_t wgmmaBarrierOffset() const;

  /// Of the workspace's counters.
  int64_t mmaCounterBytes() const;
};

/// The layout whose kernels are the best for `problem` on `chip`; `why` (if not
/// null) is told the reason. `problem.packing` is not looked at.
Layout preferredLayout(const Chip &chip, const MatmulProblem &problem,
                       std::string *why = nullptr);

/// Why `chip` has no kernel for `problem` as it is packed; empty: it has.
std::string unsupported(const Chip &chip, const MatmulProblem &problem);

/// The kernels that together cover every M ≥ 1 for `problem` on `chip`, by
/// ascending M; those for the same M, of which the one with the least cost(m,
/// n) is to be taken (of equal ones the first), one after the other. Never
/// empty where `unsupported` is.
std::vector<KernelChoice> chooseKernels(const Chip &chip,
                                        const MatmulProblem &problem);

/// The one for `m` rows and `n` channels; its reason says what it was compared
/// with.
KernelChoice chooseKernel(const Chip &chip, const MatmulProblem &problem,
                          int64_t m, int64_t n);

/// What the problem's kernels are called together, without the range of M.
std::string problemName(const MatmulProblem &problem);

} // namespace qk::nvvm

#endif // QK_TARGET_NVVM_KERNELTABLE_H
