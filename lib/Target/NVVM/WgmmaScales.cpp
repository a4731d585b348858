//===- WgmmaScales.cpp - Scales and zero points for wgmma -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What a consumer of WgmmaKernel.cpp needs of a weight besides codes, from
/// global memory or from the ring: of the two channels that a lane has.
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

using namespace mlir;

namespace qk::nvvm {

Value WgmmaEmitter::tileAddress(int tile) { return tileBase[tile]; }

Value WgmmaEmitter::groupOf(Value slice, Value piece) {
  if (wholeRow)
    return e.i32(0);
  Value atom =
      e.add(e.mul(slice, e.i32(sliceAtoms)), e.mul(piece, e.i32(pieceAtoms)));
  return e.minu(e.divu(atom, e.i32(layout.atomsPerGroup())),
                e.i32(layout.groups() - 1));
}

SmallVector<Value> WgmmaEmitter::readRaw(Value slot, int tile, int64_t piece) {
  Value tile16 = e.add(e.mul(groupN, e.i32(4 * config.rowTiles)),
                       e.add(warp, e.i32(4 * tile)));
  int64_t bytes = choice.wgmmaScaleBytes(), pair = 2 * layout.scaleBytes();
  Value from = e.add(
      e.add(slot, e.mul(tile16, e.i32(pieces * bytes))),
      e.i32(choice.wgmmaXBytes() + choice.wgmmaCodesBytes() + piece * bytes));
  Values raw;
  Value scale = e.add(from, e.mul(g, e.i32(pair)));
  for (int64_t w = 0; w < layout.scaleBytes() / 2; ++w)
    raw.push_back(loadShared(e.getI32Type(), e.add(scale, e.i32(4 * w)), 4));
  if (layout.hasZeroPoints) {
    int64_t zeroPair = 2 * layout.zeroBytes();
    Value mine = e.mul(g, e.i32(zeroPair));
    if (zeroPair == 2)
      mine = e.bitAnd(mine, e.i32(~3));
    mine = e.add(mine, e.i32(MmaLayout::kTileChannels * layout.scaleBytes()));
    raw.push_back(loadShared(e.getI32Type(), e.add(from, mine), 4));
  }
  return raw;
}

SmallVector<Value> WgmmaEmitter::loadRaw(Value slice, int tile, int64_t piece) {
  Value scaleGroup = groupOf(slice, e.i32(piece));
  Values raw;
  int64_t pair = 2 * layout.scaleBytes();
  Value place =
      e.add(e.mul(scaleGroup, e.i32(8 * pair)), e.mul(g, e.i32(pair)));
  Value from = e.at(tileAddress(tile),
                    e.add(e.wide(place), e.i64(layout.scalesOffset())));
  for (int64_t w = 0; w < layout.scaleBytes() / 2; ++w)
    raw.push_back(e.loadConst(e.getI32Type(), e.at(from, e.i64(4 * w)), 4));
  if (layout.hasZeroPoints) {
    // The four bytes that have both; one of two pairs where they are bytes.
    int64_t zeroPair = 2 * layout.zeroBytes();
    Value mine = e.mul(g, e.i32(zeroPair));
    if (zeroPair == 2)
      mine = e.bitAnd(mine, e.i32(~3));
    mine = e.add(e.mul(scaleGroup, e.i32(8 * zeroPair)), mine);
    raw.push_back(
        e.loadConst(e.getI32Type(),
                    e.at(tileAddress(tile),
                         e.add(e.wide(mine), e.i64(layout.zerosOffset()))),
                    4));
  }
  return raw;
}

} // namespace qk::nvvm
