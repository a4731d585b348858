//===- WgmmaProducer.cpp - The warpgroup that copies ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Codes lie in contiguous tiles, so a slice of one is one bulk copy, of which
/// a lane starts one each. x comes by cp.async, not by a
/// tensor map: that needs no argument that the host must encode for each x, it
/// fills rows and groups up with zeros wherever they end, and a permuted x is
/// gathered in the same place.
///
/// With `lag` its writes are made visible to tensor cores by the thread that
/// made them, as many slices behind, before it arrives at the full slot's
/// mbarrier. Without, the copies themselves arrive there when they are done,
/// and consumers make them visible: as many slices are under way as there are
/// slots.
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

using namespace mlir;

namespace qk::nvvm {

constexpr int64_t kChunk = 16;

/// The slice's codes of all tiles of the block.
void WgmmaEmitter::copyCodes(Value slice, Value slot, Value barrier) {
  int64_t tiles = choice.blockChannels() / MmaLayout::kTileChannels;
  int64_t unitBytes = layout.unitVectors() * kVectorBytes;
  // Past the end of a row: the last unit again, unit by unit; x is 0 there.
  bool whole = layout.units() % sliceUnits == 0;
  int64_t pieces = whole ? 1 : sliceUnits;
  int64_t pieceBytes = whole ? sliceUnits * unitBytes : unitBytes;
  e.when(e.equal(inGroup, e.i32(0)), [&] {
    hopper.arriveExpecting(barrier, e.i32(tiles * sliceUnits * unitBytes));
  });
  Value firstTile = e.mul(channelBlock, e.i32(tiles));
  // Lanes of a warp start their copies one after the other, so all warps may
  // do a share. Bytes may come before they are expected.
  int64_t team = config.copyWarps * MmaLayout::kLanes;
  Value start = e.add(e.mul(lane, e.i32(config.copyWarps)), warp);
  for (int64_t first = 0; first < tiles * pieces; first += team) {
    Value index = e.add(start, e.i32(first));
    auto copy = [&] {
      Value tile = e.divu(index, e.i32(pieces));
      Value piece = e.remu(index, e.i32(pieces));
      Value from = e.minu(e.add(firstTile, tile), lastTile);
      Value unit = e.add(e.mul(slice, e.i32(sliceUnits)), piece);
      if (!whole)
        unit = e.minu(unit, e.i32(layout.units() - 1));
      Value source = e.at(
          e.at(args.weight, e.mul(e.wide(from), e.i64(layout.tileBytes()))),
          e.mul(e.wide(unit), e.i64(unitBytes)));
      Value place = e.add(slot, e.add(e.mul(index, e.i32(pieceBytes)),
                                      e.i32(choice.wgmmaXBytes())));
      hopper.bulkCopy(shared(place), source, e.i32(pieceBytes), barrier);
    };
    if (first + team <= tiles * pieces)
      copy();
    else
      e.when(e.ltu(index, e.i32(tiles * pieces)), copy);
  }
}

/// Scales and zero points of the slice, 16 bytes at a time:
/// [tile][piece][scales, zero points].
void WgmmaEmitter::copyScales(Value slice, Value slot) {
  int64_t tiles = choice.blockChannels() / MmaLayout::kTileChannels;
  int64_t scaleChunks = layout.scaleBytes();
  int64_t chunks = choice.wgmmaScaleBytes() / kChunk;
  int64_t count = tiles * pieces * chunks;
  Value firstTile = e.mul(channelBlock, e.i32(tiles));
  auto copy = [&](Value index) {
    Value chunk = e.remu(index, e.i32(chunks));
    Value place = e.divu(index, e.i32(chunks));
    Value tile = e.add(firstTile, e.divu(place, e.i32(pieces)));
    Value group = groupOf(slice, e.remu(place, e.i32(pieces)));
    Value offset = e.add(e.add(e.mul(group, e.i32(scaleChunks * kChunk)),
                               e.mul(chunk, e.i32(kChunk))),
                         e.i32(layout.scalesOffset()));
    if (layout.hasZeroPoints) {
      Value zero =
          e.add(e.mul(group, e.i32(layout.zeroBytes() * kChunk)),
                e.add(e.mul(chunk, e.i32(kChunk)),
                      e.i32(layout.zerosOffset() - scaleChunks * kChunk)));
      offset = e.select(e.ltu(chunk, e.i32(scaleChunks)), offset, zero);
    }
    Value source = e.at(e.at(args.weight, e.mul(e.wide(e.minu(tile, lastTile)),
                                                e.i64(layout.tileBytes()))),
                        e.wide(offset));
    Value target =
        e.add(e.add(slot, e.mul(index, e.i32(kChunk))),
              e.i32(choice.wgmmaXBytes() + choice.wgmmaCodesBytes()));
    NVVM::CpAsyncOp::create(e, shared(target), source, kChunk,
                            NVVM::LoadCacheModifierKind::CG, Value());
  };
  // The last warps first: the first ones copy codes.
  Value mine = e.bitXor(inGroup, e.i32(kGroupThreads - 1));
  for (int64_t first = 0; first < count; first += kGroupThreads) {
    Value index = e.add(mine, e.i32(first));
    if (first + kGroupThreads <= count)
      copy(index);
    else
      e.when(e.ltu(index, e.i32(count)), [&] { copy(index); });
  }
}

//===----------------------------------------------------------------------===//
// x
//===----------------------------------------------------------------------===//

/// Which element of a row of x meets code `inAtom` + offset of atom `atom` of
/// a slice, and whether there is one.
std::pair<Value, Value> WgmmaEmitter::codePosition(Value slice, Value atom,
                                                   Value inAtom,
                                                   int64_t offset) {
  Value all = e.add(e.mul(slice, e.i32(sliceAtoms)), atom);
  Value index = e.add(inAtom, e.i32(offset));
  if (isDense()) {
    Value k = e.add(e.mul(all, e.i32(layout.atomCodes())), index);
    return {k, e.ltu(k, e.i32(layout.k))};
  }
  Value perGroup = e.i32(layout.atomsPerGroup());
  Value inRow =
      e.add(e.mul(e.remu(all, perGroup), e.i32(layout.atomCodes())), index);
  Value k =
      e.add(e.mul(e.divu(all, perGroup), e.i32(layout.groupLength())), inRow);
  return {k, e.bitAnd(e.ltu(k, e.i32(layout.k)),
                      e.ltu(inRow, e.i32(layout.groupLength())))};
}

/// 16 bytes of row inGroup / 8 + row, or zeros. The place of a chunk in its row
/// is that of wgmma's 128-byte swizzle.
void WgmmaEmitter::copyChunk(int64_t panel, int64_t row, Value slice,
                             Value slot, Value from) {
  Value chunk = e.bitAnd(inGroup, e.i32(7)), rowInEight = e.shr(inGroup, 3);
  Value rows = rowsLeft;
  int64_t covered = slices * sliceAtoms * layout.atomCodes();
  if (!isDense() || covered != layout.k) {
    auto [k, inside] = codePosition(
        slice, e.add(e.shr(chunk, 2), e.i32(2 * panel)),
        e.mul(e.bitAnd(chunk, e.i32(3)), e.i32(kChunk / elementBytes)), 0);
    // Of all rows at once: their own conditions would be kept in registers.
    rows = e.select(inside, rows, e.i32(0));
    if (!isDense())
      from = e.at(xRow, e.wide(e.mul(k, e.i32(elementBytes))));
  }
  Value valid = e.ltu(e.i32(row), rows);
  // Rows are at constant distances. Not read where nothing is copied.
  int64_t distance = row * layout.k * elementBytes;
  if (isDense())
    distance += panel * kPanelRow;
  from = e.at(from, e.i64(distance));
  Value swizzled = e.bitXor(chunk, e.bitAnd(rowInEight, e.i32(7)));
  Value place = e.add(e.add(slot, e.add(e.mul(rowInEight, e.i32(kPanelRow)),
                                        e.shl(swizzled, 4))),
                      e.i32((panel * config.tokens + row) * kPanelRow));
  NVVM::CpAsyncOp::create(e, shared(place), from, kChunk,
                          NVVM::LoadCacheModifierKind::CG,
                          e.select(valid, e.i32(kChunk), e.i32(0)));
}

/// A word of elements, one by one. `index`: [panel][row][word].
void WgmmaEmitter::gatherWord(Value index, Value slice, Value slot) {
  constexpr int64_t rowWords = kPanelRow / 4;
  Value word = e.remu(index, e.i32(rowWords));
  Value panelRow = e.divu(index, e.i32(rowWords));
  Value row = e.remu(panelRow, e.i32(config.tokens));
  Value panel = e.divu(panelRow, e.i32(config.tokens));
  Value atom = e.add(e.shl(panel, 1), e.shr(word, 4));
  int64_t perWord = 4 / elementBytes;
  Value inAtom = e.mul(e.bitAnd(word, e.i32(15)), e.i32(perWord));
  Value token = e.add(tokenBase, row);
  Value validToken = e.ltu(token, args.m);
  Value result;
  for (int64_t i = 0; i < perWord; ++i) {
    auto [k, inside] = codePosition(slice, atom, inAtom, i);
    Value source = e.select(inside, k, e.i32(0));
    if (args.permutation)
      source = e.loadConst(
          e.getI32Type(),
          e.at(args.permutation, e.mul(e.wide(source), e.i64(4))), 4);
    Value valid = e.bitAnd(inside, validToken);
    // What is not there is read from x's first element and dropped.
    Value element = e.select(
        valid, e.add(e.mul(e.wide(token), e.i64(layout.k)), e.wide(source)),
        e.i64(0));
    Value loaded = e.loadConst(
        e.getIntegerType(8 * elementBytes),
        e.at(args.x, e.mul(element, e.i64(elementBytes))), elementBytes);
    Value value = e.select(
        valid, arith::ExtUIOp::create(e, e.getI32Type(), loaded), e.i32(0));
    value = e.shl(value, int(8 * elementBytes * i));
    result = result ? e.bitOr(result, value) : value;
  }
  Value chunk = e.bitXor(e.shr(word, 2), e.bitAnd(row, e.i32(7)));
  Value place =
      e.add(e.mul(panelRow, e.i32(kPanelRow)),
            e.add(e.shl(chunk, 4), e.shl(e.bitAnd(word, e.i32(3)), 2)));
  LLVM::StoreOp::create(e, result, shared(e.add(slot, place)), 4);
}

bool WgmmaEmitter::copiesX() const {
  return !args.permutation && layout.k * elementBytes % kChunk == 0 &&
         (wholeRow || layout.groupLength() * elementBytes % kChunk == 0);
}

/// `from`: this thread's first chunk of the slice, where codes lie as x does.
void WgmmaEmitter::copyX(Value slice, Value slot, Value from) {
  if (!copiesX()) {
    // inGroup, of which LLVM does not know that it is below 128: it would
    // unroll the loop into more registers than a producer has.
    Value first = e.sub(tid, e.i32(kGroupThreads * config.consumers()));
    e.loop(first,
           e.i32(int64_t(config.panels) * config.tokens * (kPanelRow / 4)),
           e.i32(kGroupThreads), {}, [&](Value index, Values) -> Values {
             gatherWord(index, slice, slot);
             return {};
           });
    return;
  }
  // Eight threads a row.
  constexpr int64_t rows = kGroupThreads / 8;
  for (int64_t panel = 0; panel < config.panels; ++panel)
    for (int64_t row = 0; row < config.tokens; row += rows)
      copyChunk(panel, row, slice, slot, from);
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

void WgmmaEmitter::produce() {
  placeThread(hopper.threadIdAgain());
  Value first = e.add(tokenBase, e.shr(inGroup, 3));
  rowsLeft = e.select(e.ltu(first, args.m), e.sub(args.m, first), e.i32(0));
  xRow = e.at(args.x, e.mul(e.wide(first), e.i64(layout.k * elementBytes)));
  int64_t sliceBytes = sliceAtoms * MmaLayout::kAtomBytes;
  Value from = e.at(e.at(xRow, e.wide(e.shl(e.bitAnd(inGroup, e.i32(7)), 4))),
                    e.mul(e.wide(begin), e.i64(sliceBytes)));

  auto fill = [&](Value slice, Value turn, Value from) {
    Value slot = slotOf(turn), offset = slotOffset(slot);
    // Empty again: the turn before has ended, or there was none.
    hopper.wait(emptyBarrier(slot), e.bitXor(parityOf(turn), e.i32(1)));
    if (config.copyWarps > 1)
      copyCodes(slice, offset, fullBarrier(slot));
    else
      e.when(e.equal(warp, e.i32(0)),
             [&] { copyCodes(slice, offset, fullBarrier(slot)); });
    if (scalesInRing())
      copyScales(slice, offset);
    copyX(slice, offset, from);
    if (config.lag)
      NVVM::CpAsyncCommitGroupOp::create(e);
    else if (copiesX())
      hopper.arriveAfterCopies(fullBarrier(slot));
    else {
      if (scalesInRing()) {
        NVVM::CpAsyncCommitGroupOp::create(e);
        NVVM::CpAsyncWaitGroupOp::create(e, 0);
      }
      hopper.arrive(fullBarrier(slot));
    }
  };
  if (!config.lag) {
    Value step = e.i64(sliceBytes);
    e.loop(begin, end, e.i32(1), {from},
           [&](Value slice, Values state) -> Values {
             fill(slice, e.sub(slice, begin), state[0]);
             return {e.at(state[0], step)};
           });
    return;
  }
  // x of the slice of `turn` is there, of which `behind` are under way.
  auto publish = [&](Value turn, int behind) {
    NVVM::CpAsyncWaitGroupOp::create(e, behind);
    hopper.fenceProxy();
    e.warpBarrier();
    e.when(e.equal(lane, e.i32(0)),
           [&] { hopper.arrive(fullBarrier(slotOf(turn))); });
  };

  Value lag = e.i32(config.lag);
  Value ahead = e.minu(e.add(begin, lag), end);
  Value step = e.i64(sliceBytes);
  from = e.loop(begin, ahead, e.i32(1), {from},
                [&](Value slice, Values state) -> Values {
                  fill(slice, e.sub(slice, begin), state[0]);
                  return {e.at(state[0], step)};
                })[0];
  e.loop(ahead, end, e.i32(1), {from},
         [&](Value slice, Values state) -> Values {
           Value turn = e.sub(slice, begin);
           fill(slice, turn, state[0]);
           publish(e.sub(turn, lag), config.lag);
           return {e.at(state[0], step)};
         });
  // The last ones, in one go.
  Value left = e.sub(end, e.minu(e.sub(end, begin), lag));
  e.loop(left, end, e.i32(1), {}, [&](Value slice, Values) -> Values {
    publish(e.sub(slice, begin), 0);
    return {};
  });
}

} // namespace qk::nvvm
