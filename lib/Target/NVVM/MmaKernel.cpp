//===- MmaKernel.cpp - Kernels on tensor cores by mma.sync ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// yᵀ = W · xᵀ: weights are the A operand of mma.sync, so few tokens fill few
/// columns of B and codes go from memory to the registers that use them, with
/// no exchange between lanes. The decode, middle and prefill families differ in
/// their parameters only: how many warps split K and how many have channels
/// or tokens of their own.
///
///   a block: `tokens` rows of x (grid x), warpsN · rowTiles tiles (grid y),
///   a share of K where blocks split it (grid z)
///   slices of K go through a ring in shared memory, by cp.async, `stages`
///   deep; a slice is warpsK · units units of K
///   for each slice:
///     wait for it, with those who share it; start the copy of a later one
///     for each of the warp's units:
///       unpack, multiply; sums += scale · products where a scale ends
///   add the sums of warps and blocks that split K, add the bias, store
///
/// Where groups have no multiple of 16 bytes, or x is permuted, x is gathered
/// into the ring by plain loads and stores; the loop is the same.
///
//===----------------------------------------------------------------------===//

#include "MmaEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <bit>

using namespace mlir;

namespace qk::nvvm {

constexpr unsigned kSharedSpace = 3;

MmaEmitter::MmaEmitter(Emitter &e, gpu::GPUFuncOp kernel,
                       const KernelChoice &choice, const KernelArguments &args)
    : e(e), kernel(kernel), choice(choice), problem(choice.problem),
      config(choice.mma), layout(choice.problem.mmaLayout()), args(args),
      operands(e, choice.problem, choice.mma.subtractZeros) {
  sliceUnits = config.warpsK * config.units;
  sliceAtoms = sliceUnits * layout.unitAtoms();
  elementBytes = layout.int8Activations ? 1 : 2;
  unitWords = 4 * layout.unitVectors();
  wholeRow = layout.groups() == 1;
  pieceAtoms = choice.mmaPieceAtoms();
  pieces = config.units * layout.unitAtoms() / pieceAtoms;
  warpsAlone = config.warpsN * config.warpsM == 1;
  tokenTiles = (config.tokens / config.warpsM + 7) / 8;
  slices = choice.mmaSlices();
}

/// One symbol for all kernels of a module: how much there is of it is the
/// launch's business.
void MmaEmitter::createShared() {
  constexpr StringLiteral name = "qk_shared";
  auto module = kernel->getParentOfType<gpu::GPUModuleOp>();
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(e, LLVM::LLVMArrayType::get(e.getI8Type(), 0),
                           /*isConstant=*/false, LLVM::Linkage::External, name,
                           Attribute(), /*alignment=*/1024, kSharedSpace);
  }
  ring = LLVM::AddressOfOp::create(
      e, LLVM::LLVMPointerType::get(e.getContext(), kSharedSpace), name);
}

/// Which tokens and channels this block has. Blocks that run at the same time
/// should share both: with more blocks than run at once the grid is walked in
/// bands of `band` blocks of channels, along the tokens.
void MmaEmitter::placeBlock() {
  Value x = e.blockId(gpu::Dimension::x), y = e.blockId(gpu::Dimension::y);
  if (config.band > 1) {
    Value tokens = e.gridDim(gpu::Dimension::x);
    Value channels = e.gridDim(gpu::Dimension::y);
    Value linear = e.add(e.mul(y, tokens), x);
    Value inBands = e.mul(tokens, e.i32(config.band));
    Value first = e.mul(e.divu(linear, inBands), e.i32(config.band));
    Value inBand = e.remu(linear, inBands);
    Value height = e.minu(e.sub(channels, first), e.i32(config.band));
    y = e.add(first, e.remu(inBand, height));
    x = e.divu(inBand, height);
  }
  tokenBase = e.mul(x, e.i32(config.tokens));
  channelBlock = y;
  begin = e.i32(0);
  end = e.i32(slices);
  if (config.maxSplit > 1) {
    Value part = e.mul(e.blockId(gpu::Dimension::z), e.i32(slices));
    Value parts = e.gridDim(gpu::Dimension::z);
    begin = e.divu(part, parts);
    end = e.divu(e.add(part, e.i32(slices)), parts);
  }
}

void MmaEmitter::emitPrologue() {
  createShared();
  tid = e.threadId();
  lane = e.bitAnd(tid, e.i32(31));
  warp = e.shr(tid, 5);
  warpK = e.remu(warp, e.i32(config.warpsK));
  Value others = e.divu(warp, e.i32(config.warpsK));
  warpM = e.remu(others, e.i32(config.warpsM));
  warpN = e.divu(others, e.i32(config.warpsM));
  g = e.shr(lane, 2);
  t = e.bitAnd(lane, e.i32(3));
  placeBlock();
  Value first =
      e.add(e.mul(channelBlock, e.i32(config.rowTiles * config.warpsN)),
            e.mul(warpN, e.i32(config.rowTiles)));
  Value last = e.sub(e.ceilDiv(args.n, MmaLayout::kTileChannels), e.i32(1));
  for (int r = 0; r < config.rowTiles; ++r) {
    // A tile past the end computes the last one again and stores none.
    Value tile = e.minu(e.add(first, e.i32(r)), last);
    tileBase.push_back(
        e.at(args.weight, e.mul(e.wide(tile), e.i64(layout.tileBytes()))));
  }
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

SmallVector<Value> MmaEmitter::zeros(Type type) const {
  Value zero = type.isF32() ? e.f32(0) : e.i32(0);
  return Values(productCount() + (sumsX() ? 4 * tokenTiles : 0), zero);
}

/// 1.5 · 2²³: it and what is less than 2²² away have a lowest bit worth 1, so
/// that sums of integers added to its bits are added to it.
constexpr float kFloatOfSums = 12582912.0f;

SmallVector<Value> MmaEmitter::pieceStart() const {
  Type sumType =
      layout.hasIntegerSums() ? Type(e.getI32Type()) : e.getF32Type();
  if (config.floatSums)
    return Values(productCount(), e.i32(std::bit_cast<int32_t>(kFloatOfSums)));
  return zeros(sumType);
}

/// sums += scale · (products − zero · Σ x), in f32. `raw`: [row tile][word].
void MmaEmitter::addScaled(ArrayRef<Value> raw, Values &products,
                           Values &sums) {
  int64_t words = layout.scaleBytes() / 2 + layout.hasZeroPoints;
  for (int r = 0; r < config.rowTiles; ++r) {
    ArrayRef<Value> mine = raw.slice(r * words, words);
    Value scale[2], zero[2];
    for (int half = 0; half < 2; ++half) {
      scale[half] = operands.decodeScale(mine, half);
      if (sumsX())
        zero[half] = operands.decodeZero(mine.back(), g, half);
    }
    for (int c = 0; c < tokenTiles; ++c)
      for (int i = 0; i < 4; ++i) {
        size_t at = (size_t(r) * tokenTiles + c) * 4 + i;
        Value product = products[at];
        if (sumsX())
          product = e.sub(product, e.mul(zero[i >> 1],
                                         products[productCount() + 4 * c + i]));
        if (config.floatSums)
          product =
              e.subf(e.bitcast(e.getF32Type(), product), e.f32(kFloatOfSums));
        else if (layout.hasIntegerSums())
          product = arith::SIToFPOp::create(e, e.getF32Type(), product);
        sums[at] = e.fma(product, scale[i >> 1], sums[at]);
      }
  }
}

/// Lanes 8i … 8i + 7 give the rows of matrix i: eight tokens, quarter i of the
/// atom's 64 bytes.
Value MmaEmitter::rowPlace(int64_t atom) {
  // With one token all columns are it: what the others give is not stored.
  Value row = config.tokens == 1 ? e.i32(0)
                                 : e.add(e.bitAnd(lane, e.i32(7)),
                                         e.mul(warpM, e.i32(8 * tokenTiles)));
  Value quarter = e.shr(lane, 3);
  int64_t share = 4 * config.units * layout.unitAtoms();
  if (share % 8 && choice.mmaRowBytes() % 128 == 0)
    return placeOfChunk(row, e.add(e.mul(warpK, e.i32(share)),
                                   e.add(quarter, e.i32(4 * atom))));
  // The order of a row's chunks is one of eight, or of four: what differs
  // between lanes is one of two values, and atoms differ by constants.
  int64_t whole = choice.mmaRowBytes() % 128 == 0 ? 2 : 1;
  Value mine = placeOfChunk(row, e.add(quarter, e.i32(4 * (atom % whole))));
  return e.add(e.add(mine, e.mul(warpK, e.i32(16 * share))),
               e.i32(64 * (atom - atom % whole)));
}

/// B's registers of an atom and eight tokens.
SmallVector<Value> MmaEmitter::loadMatrices(Value place) {
  Type word = e.getI32Type();
  Value all = NVVM::LdMatrixOp::create(
      e,
      LLVM::LLVMStructType::getLiteral(e.getContext(),
                                       {word, word, word, word}),
      shared(place), /*num=*/4, NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(e.getContext(), 8, 8),
      NVVM::LdStMatrixEltType::B16);
  Values words;
  for (int64_t i = 0; i < 4; ++i)
    words.push_back(LLVM::ExtractValueOp::create(e, all, i));
  return words;
}

/// Adds the products of atom `atom` of the warp's share of a slice; `words`
/// are those of its unit.
void MmaEmitter::multiplyAtom(Value slot, int64_t atom, ArrayRef<Value> words,
                              ArrayRef<MmaOperands::Offsets> offsets,
                              Values &products) {
  Value base = e.add(slot, rowPlace(atom));
  SmallVector<Values> x;
  for (int c = 0; c < tokenTiles; ++c)
    // Eight rows on, the order of chunks is the same.
    x.push_back(loadMatrices(e.add(base, e.i32(8 * c * choice.mmaRowBytes()))));
  auto multiply = [&](ArrayRef<Value> a, int c, int step, size_t at) {
    Values sum = operands.multiply(a, ArrayRef<Value>(x[c]).slice(2 * step, 2),
                                   ArrayRef<Value>(products).slice(at, 4));
    llvm::copy(sum, products.begin() + at);
  };
  for (int step = 0; step < 2; ++step) {
    for (int r = 0; r < config.rowTiles; ++r) {
      Values a =
          operands.registers(words.slice(r * unitWords, unitWords),
                             int(atom % layout.unitAtoms()), step, offsets[r]);
      for (int c = 0; c < tokenTiles; ++c)
        multiply(a, c, step, (size_t(r) * tokenTiles + c) * 4);
    }
    if (sumsX())
      for (int c = 0; c < tokenTiles; ++c)
        // As many times as codes are at the top of a byte.
        multiply(Values(4, e.i32(0x01010101 << operands.sumShift())), c, step,
                 productCount() + 4 * c);
  }
}

void MmaEmitter::accumulate(Value slot, function_ref<Values(int)> codes,
                            ArrayRef<Value> raw, Values &sums) {
  bool zeroPerPiece = layout.hasZeroPoints && !sumsX();
  size_t pieceWords = rawWords() * config.rowTiles;
  Values words;
  SmallVector<MmaOperands::Offsets> offsets(config.rowTiles);
  for (int64_t piece = 0; piece < pieces; ++piece) {
    ArrayRef<Value> mine = raw.slice(piece * pieceWords, pieceWords);
    Values products = wholeRow ? Values(sums) : pieceStart();
    for (int r = 0; r < config.rowTiles; ++r)
      if (zeroPerPiece || piece == 0) {
        Values stored;
        if (wholeRow && zeroPerPiece)
          stored = rowZeros[r];
        else if (zeroPerPiece)
          for (int half = 0; half < 2; ++half)
            stored.push_back(
                operands.decodeZero(mine[(r + 1) * rawWords() - 1], g, half));
        offsets[r] = operands.offsets(stored);
      }
    for (int64_t i = 0; i < pieceAtoms; ++i) {
      int64_t atom = piece * pieceAtoms + i;
      if (atom % layout.unitAtoms() == 0)
        words = codes(int(atom / layout.unitAtoms()));
      multiplyAtom(slot, atom, words, offsets, products);
    }
    if (wholeRow)
      sums = products;
    else
      addScaled(mine, products, sums);
  }
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

void MmaEmitter::emit() {
  emitPrologue();
  // One zero point a row is the same all along.
  if (wholeRow && layout.hasZeroPoints && !sumsX())
    for (int r = 0; r < config.rowTiles; ++r) {
      Value word = e.loadConst(e.getI32Type(), zeroAddress(r, e.i32(0)), 4);
      rowZeros.push_back(
          {operands.decodeZero(word, g, 0), operands.decodeZero(word, g, 1)});
    }
  Type sumType = wholeRow && layout.hasIntegerSums() ? Type(e.getI32Type())
                                                     : e.getF32Type();
  Values state = wholeRow ? zeros(sumType) : Values(productCount(), e.f32(0));
  size_t sumCount = state.size();
  int64_t slotBytes = choice.mmaSlotBytes();
  int64_t lastSlot = (config.stages - 1) * slotBytes;
  Values ahead;
  if (!config.codesInRing) {
    Value valid = e.ltu(begin, end);
    for (int turn = 0; turn < config.units; ++turn)
      ahead.append(loadCodes(begin, turn, valid));
    ahead.append(loadRaw(begin, valid));
  }
  for (int stage = 0; stage + 1 < config.stages; ++stage)
    fillSlot(e.add(begin, e.i32(stage)), e.i32(stage * slotBytes));

  // The slot to read and the one to fill, which was read in the turn before.
  state.append({e.i32(0), e.i32(lastSlot)});
  state.append(ahead);
  state = e.loop(begin, end, e.i32(1), state, [&](Value slice, Values state) {
    Values sums(ArrayRef<Value>(state).take_front(sumCount));
    Value read = state[sumCount], fill = state[sumCount + 1];
    ArrayRef<Value> held = ArrayRef<Value>(state).drop_front(sumCount + 2);
    // This slice is there, and everybody is through with the one before.
    NVVM::CpAsyncWaitGroupOp::create(e, config.stages - 2);
    syncSlice();
    fillSlot(e.add(slice, e.i32(config.stages - 1)), fill);
    Values next;
    if (config.codesInRing) {
      Values raw = readRaw(read);
      accumulate(
          read, [&](int turn) { return readCodes(read, turn); }, raw, sums);
    } else {
      Value later = e.add(slice, e.i32(1));
      Value valid = e.ltu(later, end);
      size_t perTurn = size_t(config.rowTiles) * unitWords;
      size_t codeWords = perTurn * config.units;
      accumulate(
          read,
          [&](int turn) {
            // Those before are in use or done: their place is free.
            if (turn)
              next.append(loadCodes(later, turn - 1, valid));
            return Values(held.slice(turn * perTurn, perTurn));
          },
          held.drop_front(codeWords), sums);
      next.append(loadCodes(later, config.units - 1, valid));
      next.append(loadRaw(later, valid));
    }
    sums.append({nextSlot(read), nextSlot(fill)});
    sums.append(next);
    return sums;
  });
  state.resize(sumCount);
  finish(state);
}

Value MmaEmitter::nextSlot(Value slot) {
  int64_t bytes = choice.mmaSlotBytes();
  return e.select(e.ltu(slot, e.i32((config.stages - 1) * bytes)),
                  e.add(slot, e.i32(bytes)), e.i32(0));
}

void emitMmaKernel(Emitter &e, gpu::GPUFuncOp kernel,
                   const KernelChoice &choice, const KernelArguments &args) {
  MmaEmitter(e, kernel, choice, args).emit();
}

} // namespace qk::nvvm
