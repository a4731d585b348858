//===- WgmmaInt8.cpp - Sums of bytes by wgmma -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The consumers of WgmmaKernel.cpp where activations and codes are of 8 bits
/// and a row of weights has one scale: nothing is unpacked, and sums stay in
/// i32 (of e4m3 in f32) from the first slice to the last, so that
/// multiplications follow each other without an end. A batch is two steps of K
/// of a row tile; while it runs, the registers of the one before are filled
/// with the codes of the next. The first batch of a slice is issued before the
/// last one of the slice before has ended, and that one's slot is given back
/// then.
///
///   y = x's scale · w's scale · (Σ c·x − zero · Σ x)
///
/// Where there are zero points Σ x is one more row tile, of ones.
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

using namespace mlir;

namespace qk::nvvm {

/// Adds the products of the slice of turn `index`; the last batch is under way
/// afterwards.
void WgmmaEmitter::multiplyInt8(Value index, Values &sums) {
  Value slot = slotOf(index);
  Value offset = slotOffset(slot);
  waitForSlot(index, slot);
  Value x = hopper.descriptor(shared(offset));
  int tiles = config.rowTiles + sumsX();
  Values ones(8, e.i32(0x01010101));
  for (int64_t atom = 0; atom < sliceAtoms; ++atom)
    for (int tile = 0; tile < tiles; ++tile) {
      Values a = tile < config.rowTiles ? readCodes(offset, tile, atom) : ones;
      Values b;
      for (int64_t s = 0; s < 2; ++s)
        b.push_back(hopper.advance(x, atom / 2 * config.tokens * kPanelRow +
                                          32 * (atom % 2 * 2 + s)));
      ArrayRef<Value> before =
          ArrayRef<Value>(sums).slice(tile * sumsOfTile(), sumsOfTile());
      Values after = hopper.multiply(before, config.tokens, a, b, byteType());
      llvm::copy(after, sums.begin() + tile * sumsOfTile());
      hopper.waitBatches(1);
      if (atom || tile)
        continue;
      // All of the slice before has been read, by every lane.
      e.warpBarrier();
      Value isLater = e.ltu(e.i32(config.groupsK - 1), index);
      e.when(e.bitAnd(e.equal(lane, e.i32(0)), isLater), [&] {
        hopper.arrive(
            emptyBarrier(slotOf(e.sub(index, e.i32(config.groupsK)))));
      });
    }
}

/// Of all row tiles, and of x where it is summed.
SmallVector<Value> WgmmaEmitter::sumInt8() {
  Values state((config.rowTiles + sumsX()) * sumsOfTile(),
               layout.hasIntegerSums() ? e.i32(0) : e.f32(0));
  state = e.loop(e.add(begin, groupK), end, e.i32(config.groupsK), state,
                 [&](Value slice, Values sums) {
                   multiplyInt8(e.sub(slice, begin), sums);
                   return sums;
                 });
  // All that is under way ends.
  return hopper.waitProducts(0, state);
}

/// Their scales' products with the sums, in f32.
SmallVector<Value> WgmmaEmitter::scaleInt8(ArrayRef<Value> sums) {
  Values result;
  for (int tile = 0; tile < config.rowTiles; ++tile) {
    Values raw = loadRaw(begin, tile, 0);
    for (size_t p = 0; p < sumsOfTile(); ++p) {
      int half = p >> 1 & 1;
      Value sum = sums[tile * sumsOfTile() + p];
      if (sumsX())
        sum = e.sub(sum, e.mul(operands.decodeZero(raw.back(), g, half),
                               sums[config.rowTiles * sumsOfTile() + p]));
      if (layout.hasIntegerSums())
        sum = arith::SIToFPOp::create(e, e.getF32Type(), sum);
      result.push_back(e.mulf(sum, operands.decodeScale(raw, half)));
    }
  }
  return result;
}

} // namespace qk::nvvm
