//===- MmaStaging.cpp - Weights and x on their way to mma.sync --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What MmaKernel.cpp multiplies comes here from global memory: x by cp.async
/// through the ring of slots in shared memory (or gathered into it), codes and
/// scales either straight to registers, a slice ahead, or through the same ring
/// where more should be under way than registers hold. A lane copies to the
/// ring the very codes that it reads back, so that needs no barrier.
///
//===----------------------------------------------------------------------===//

#include "MmaEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {

constexpr int64_t kVectorBytes = MmaLayout::kLanes * MmaLayout::kVector;

//===----------------------------------------------------------------------===//
// Where things are in a tile
//===----------------------------------------------------------------------===//

Value MmaEmitter::unitOf(Value slice, int turn) {
  Value unit = e.add(e.mul(slice, e.i32(sliceUnits)),
                     e.add(e.mul(warpK, e.i32(config.units)), e.i32(turn)));
  if (layout.units() % sliceUnits == 0)
    return unit;
  // Past the end: the last unit again; x is 0 there.
  return e.minu(unit, e.i32(layout.units() - 1));
}

Value MmaEmitter::unitAddress(int tile, Value slice, int turn) {
  Value offset = e.mul(e.wide(unitOf(slice, turn)),
                       e.i64(layout.unitVectors() * kVectorBytes));
  Value mine =
      e.at(tileBase[tile], e.wide(e.mul(lane, e.i32(MmaLayout::kVector))));
  return e.at(mine, offset);
}

Value MmaEmitter::groupOf(Value slice, int64_t piece) {
  Value atom = e.add(e.mul(e.add(e.mul(slice, e.i32(config.warpsK)), warpK),
                           e.i32(config.units * layout.unitAtoms())),
                     e.i32(piece * pieceAtoms));
  Value group = e.divu(atom, e.i32(layout.atomsPerGroup()));
  if (layout.units() % sliceUnits == 0)
    return group;
  return e.minu(group, e.i32(layout.groups() - 1));
}

Value MmaEmitter::scaleAddress(int tile, Value group) {
  int64_t pair = 2 * layout.scaleBytes();
  Value offset = e.add(e.mul(group, e.i32(8 * pair)), e.mul(g, e.i32(pair)));
  return e.at(tileBase[tile],
              e.add(e.wide(offset), e.i64(layout.scalesOffset())));
}

/// The four bytes that have both; one of two pairs where they are bytes.
Value MmaEmitter::zeroAddress(int tile, Value group) {
  int64_t pair = 2 * layout.zeroBytes();
  Value mine = e.mul(g, e.i32(pair));
  if (pair == 2)
    mine = e.bitAnd(mine, e.i32(~3));
  Value offset = e.add(e.mul(group, e.i32(8 * pair)), mine);
  return e.at(tileBase[tile],
              e.add(e.wide(offset), e.i64(layout.zerosOffset())));
}

//===----------------------------------------------------------------------===//
// Codes and scales
//===----------------------------------------------------------------------===//

SmallVector<Value> MmaEmitter::loadCodes(Value slice, int turn, Value valid) {
  Values words;
  for (int r = 0; r < config.rowTiles; ++r) {
    Value from = unitAddress(r, slice, turn);
    for (int64_t v = 0; v < layout.unitVectors(); ++v)
      words.append(e.loadVectorIf(valid, e.at(from, e.i64(v * kVectorBytes))));
  }
  return words;
}

/// [piece][row tile][raw word]
SmallVector<Value> MmaEmitter::loadRaw(Value slice, Value valid) {
  Values raw;
  if (wholeRow)
    return raw;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    Value group = groupOf(slice, piece);
    for (int r = 0; r < config.rowTiles; ++r) {
      Value scales = scaleAddress(r, group);
      raw.push_back(e.loadWordIf(valid, scales));
      if (layout.scaleBytes() == 4)
        raw.push_back(e.loadWordIf(valid, e.at(scales, e.i64(4))));
      if (layout.hasZeroPoints)
        raw.push_back(e.loadWordIf(valid, zeroAddress(r, group)));
    }
  }
  return raw;
}

/// Copies without zeros: 16 bytes, or 4 or 8 of scales.
static void copyAsync(Emitter &e, Value to, Value from, int bytes) {
  NVVM::CpAsyncOp::create(e, to, from, bytes,
                          bytes == 16 ? NVVM::LoadCacheModifierKind::CG
                                      : NVVM::LoadCacheModifierKind::CA,
                          Value());
}

void MmaEmitter::copyCodes(Value slice, Value slot) {
  int64_t turnBytes = config.rowTiles * layout.unitVectors() * kVectorBytes;
  Value to = shared(e.add(
      e.add(slot, e.i32(choice.mmaXBytes())),
      e.add(e.mul(warp, e.i32(config.units * turnBytes)), e.shl(lane, 4))));
  for (int turn = 0; turn < config.units; ++turn)
    for (int r = 0; r < config.rowTiles; ++r) {
      Value from = unitAddress(r, slice, turn);
      for (int64_t v = 0; v < layout.unitVectors(); ++v)
        copyAsync(
            e,
            e.at(to, e.i32(turn * turnBytes +
                           (r * layout.unitVectors() + v) * kVectorBytes)),
            e.at(from, e.i64(v * kVectorBytes)), 16);
    }
  if (wholeRow)
    return;
  int64_t scaleBytes = 2 * layout.scaleBytes();
  int64_t pieceBytes = 4 * rawWords() * MmaLayout::kLanes;
  Value rawTo =
      e.add(e.add(slot, e.i32(choice.mmaXBytes() + choice.mmaCodesBytes())),
            e.mul(warp, e.i32(pieces * config.rowTiles * pieceBytes)));
  for (int64_t piece = 0; piece < pieces; ++piece) {
    Value group = groupOf(slice, piece);
    for (int r = 0; r < config.rowTiles; ++r) {
      Value base =
          e.add(rawTo, e.i32((piece * config.rowTiles + r) * pieceBytes));
      copyAsync(e, shared(e.add(base, e.mul(lane, e.i32(scaleBytes)))),
                scaleAddress(r, group), int(scaleBytes));
      if (layout.hasZeroPoints)
        copyAsync(
            e,
            shared(e.add(base, e.add(e.shl(lane, 2),
                                     e.i32(scaleBytes * MmaLayout::kLanes)))),
            zeroAddress(r, group), 4);
    }
  }
}

SmallVector<Value> MmaEmitter::readCodes(Value slot, int turn) {
  int64_t turnBytes = config.rowTiles * layout.unitVectors() * kVectorBytes;
  Value from = e.add(
      e.add(slot, e.i32(choice.mmaXBytes())),
      e.add(e.mul(warp, e.i32(config.units * turnBytes)), e.shl(lane, 4)));
  Values words;
  for (int64_t v = 0; v < config.rowTiles * layout.unitVectors(); ++v) {
    Value loaded = loadShared(
        vector(), e.add(from, e.i32(turn * turnBytes + v * kVectorBytes)), 16);
    for (int64_t w = 0; w < 4; ++w)
      words.push_back(vector::ExtractOp::create(e, loaded, w));
  }
  return words;
}

SmallVector<Value> MmaEmitter::readRaw(Value slot) {
  Values raw;
  if (wholeRow)
    return raw;
  int64_t scaleBytes = 2 * layout.scaleBytes();
  int64_t pieceBytes = 4 * rawWords() * MmaLayout::kLanes;
  Value from =
      e.add(e.add(slot, e.i32(choice.mmaXBytes() + choice.mmaCodesBytes())),
            e.mul(warp, e.i32(pieces * config.rowTiles * pieceBytes)));
  for (int64_t i = 0; i < pieces * config.rowTiles; ++i) {
    Value base = e.add(from, e.i32(i * pieceBytes));
    Value scales = e.add(base, e.mul(lane, e.i32(scaleBytes)));
    for (int64_t w = 0; w < scaleBytes / 4; ++w)
      raw.push_back(loadShared(e.getI32Type(), e.add(scales, e.i32(4 * w)), 4));
    if (layout.hasZeroPoints)
      raw.push_back(
          loadShared(e.getI32Type(),
                     e.add(base, e.add(e.shl(lane, 2),
                                       e.i32(scaleBytes * MmaLayout::kLanes))),
                     4));
  }
  return raw;
}

//===----------------------------------------------------------------------===//
// x in shared memory
//===----------------------------------------------------------------------===//

/// Which element of a row of x meets code `inAtom` + offset of atom `atom` of
/// a slice, and whether there is one.
std::pair<Value, Value> MmaEmitter::codePosition(Value slice, Value atom,
                                                 Value inAtom, int64_t offset) {
  Value all = e.add(e.mul(slice, e.i32(sliceAtoms)), atom);
  Value index = e.add(inAtom, e.i32(offset));
  if (wholeRow) {
    Value k = e.add(e.mul(all, e.i32(layout.atomCodes())), index);
    return {k, e.ltu(k, e.i32(layout.k))};
  }
  Value perGroup = e.i32(layout.atomsPerGroup());
  Value inGroup =
      e.add(e.mul(e.remu(all, perGroup), e.i32(layout.atomCodes())), index);
  Value k =
      e.add(e.mul(e.divu(all, perGroup), e.i32(layout.groupLength())), inGroup);
  Value inside = e.ltu(k, e.i32(layout.k));
  if (layout.groupLength() != layout.atomsPerGroup() * layout.atomCodes())
    inside = e.bitAnd(inside, e.ltu(inGroup, e.i32(layout.groupLength())));
  return {k, inside};
}

/// Eight rows of ldmatrix, the same chunk of each, meet no bank twice.
Value MmaEmitter::swizzle(Value row, Value chunk) {
  if (config.tokens == 1)
    return chunk;
  return choice.mmaRowBytes() % 128 == 0
             ? e.bitXor(chunk, e.bitAnd(row, e.i32(7)))
             : e.bitXor(chunk, e.bitAnd(e.shr(row, 1), e.i32(3)));
}

Value MmaEmitter::placeOfChunk(Value row, Value chunk) {
  return e.add(e.mul(row, e.i32(choice.mmaRowBytes())),
               e.shl(swizzle(row, chunk), 4));
}

/// 16 bytes by cp.async, or zeros.
void MmaEmitter::copyChunk(Value row, Value chunk, Value slice, Value slot) {
  Value token = e.add(tokenBase, row);
  Value valid = e.ltu(token, args.m);
  Value from;
  if (wholeRow ||
      layout.groupLength() == layout.atomsPerGroup() * layout.atomCodes()) {
    // Codes lie as x does: an address that a loop steps along.
    int64_t rowBytes = layout.k * elementBytes, sliceBytes = sliceAtoms * 64;
    Value place = e.add(e.mul(slice, e.i32(sliceBytes)), e.shl(chunk, 4));
    if (rowBytes % sliceBytes)
      valid = e.bitAnd(valid, e.ltu(place, e.i32(rowBytes)));
    Value first = e.at(args.x, e.add(e.mul(e.wide(token), e.i64(rowBytes)),
                                     e.wide(e.shl(chunk, 4))));
    // Not read where nothing is copied, as past the last token.
    from = e.at(first, e.wide(e.mul(slice, e.i32(sliceBytes))));
  } else {
    Value inAtom = e.mul(e.bitAnd(chunk, e.i32(3)), e.i32(16 / elementBytes));
    auto [k, inside] = codePosition(slice, e.shr(chunk, 2), inAtom, 0);
    valid = e.bitAnd(inside, valid);
    Value element = e.add(e.mul(e.wide(token), e.i64(layout.k)), e.wide(k));
    from = e.at(args.x, e.mul(element, e.i64(elementBytes)));
  }
  NVVM::CpAsyncOp::create(e, shared(e.add(slot, placeOfChunk(row, chunk))),
                          from, 16, NVVM::LoadCacheModifierKind::CG,
                          e.select(valid, e.i32(16), e.i32(0)));
}

/// Four bytes, element by element.
void MmaEmitter::gatherWord(Value row, Value word, Value slice, Value slot) {
  int64_t perWord = 4 / elementBytes;
  Value inAtom = e.mul(e.bitAnd(word, e.i32(15)), e.i32(perWord));
  Value token = e.add(tokenBase, row);
  Value validToken = e.ltu(token, args.m);
  Type bits = e.getIntegerType(elementBytes * 8);
  Value result;
  for (int64_t i = 0; i < perWord; ++i) {
    auto [k, inside] = codePosition(slice, e.shr(word, 4), inAtom, i);
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
        bits, e.at(args.x, e.mul(element, e.i64(elementBytes))), elementBytes);
    Value value = e.select(
        valid, arith::ExtUIOp::create(e, e.getI32Type(), loaded), e.i32(0));
    value = e.shl(value, int(8 * elementBytes * i));
    result = result ? e.bitOr(result, value) : value;
  }
  Value place = e.add(placeOfChunk(row, e.shr(word, 2)),
                      e.shl(e.bitAnd(word, e.i32(3)), 2));
  LLVM::StoreOp::create(e, result, shared(e.add(slot, place)), 4);
}

/// This thread's share: of the whole slice, or of the warp's columns of it.
void MmaEmitter::copyX(Value slice, Value slot) {
  bool copies = !args.permutation && layout.k * elementBytes % 16 == 0 &&
                (wholeRow || layout.groupLength() * elementBytes % 16 == 0);
  int64_t perChunk = copies ? 1 : 4;
  int64_t rowItems = sliceAtoms * 4 * perChunk;
  int64_t team = choice.threads();
  Value member = tid, firstItem;
  if (warpsAlone) {
    rowItems /= config.warpsK;
    team = MmaLayout::kLanes;
    member = lane;
    firstItem = e.mul(warpK, e.i32(rowItems));
  }
  int64_t count = config.tokens * rowItems;
  auto one = [&](Value index) {
    Value row = config.tokens == 1 ? e.i32(0) : e.divu(index, e.i32(rowItems));
    Value item = e.remu(index, e.i32(rowItems));
    if (firstItem)
      item = e.add(item, firstItem);
    if (copies)
      copyChunk(row, item, slice, slot);
    else
      gatherWord(row, item, slice, slot);
  };
  if (copies && count <= 16 * team) {
    for (int64_t first = 0; first < count; first += team) {
      Value index = e.add(member, e.i32(first));
      if (first + team <= count)
        one(index);
      else
        e.when(e.ltu(index, e.i32(count)), [&] { one(index); });
    }
    return;
  }
  e.loop(member, e.i32(count), e.i32(team), {},
         [&](Value index, SmallVector<Value>) -> SmallVector<Value> {
           one(index);
           return {};
         });
}

void MmaEmitter::fillSlot(Value slice, Value slot) {
  e.when(e.ltu(slice, end), [&] {
    copyX(slice, slot);
    if (config.codesInRing)
      copyCodes(slice, slot);
  });
  // Even an empty one, so that as many are waited for.
  NVVM::CpAsyncCommitGroupOp::create(e);
}

} // namespace qk::nvvm
