//===- WgmmaKernel.cpp - Kernels on wgmma -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// yᵀ = W · xᵀ by wgmma m64nTk16: A is unpacked weights in registers, which are
/// the fragments of four tiles of layout nvvm-mma, one a warp; B is x, tokens
/// along N, in shared memory with rows of 128 bytes, swizzled.
///
///   a block: `tokens` rows of x, 64 · rowTiles · groupsN channels
///   one warpgroup copies slices of K to a ring: codes by bulk copies, which
///   count their bytes at an mbarrier; x by cp.async (WgmmaProducer.cpp)
///   the others, for each slice:
///     wait until it is full
///     for each row tile, for each piece of K with one scale:
///       for each atom: unpack while the one before is multiplied; multiply
///       sums += scale · products, while another warpgroup multiplies
///     it is empty
///   add the sums of warpgroups and blocks that split K, add the bias, store
///
/// Scales multiply sums in f32, as in the other families, so no weight is
/// rounded; and few registers are in use twice: products of one row tile beside
/// the sums of all.
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <numeric>

using namespace mlir;

namespace qk::nvvm {

/// All warpgroups start with the same share of a multiprocessor's registers,
/// and give and take of what that is together: with more, one would wait for
/// them for ever.
struct RegisterShares {
  int64_t consumers, start, consumer, producer;
};
constexpr RegisterShares kRegisterShares[] = {
    {2, 168, 232, 40}, {3, 128, 152, 56}, {4, 96, 112, 32}};
constexpr bool sharesFit() {
  for (RegisterShares s : kRegisterShares)
    if (s.consumers * s.consumer + s.producer > (s.consumers + 1) * s.start)
      return false;
  return true;
}
static_assert(sharesFit());

WgmmaEmitter::WgmmaEmitter(Emitter &e, gpu::GPUFuncOp kernel,
                           const KernelChoice &choice,
                           const KernelArguments &args)
    : e(e), hopper{e}, kernel(kernel), choice(choice), problem(choice.problem),
      config(choice.wgmma), layout(choice.problem.mmaLayout()), args(args),
      operands(e, choice.problem, choice.problem.hasZeroPoints) {
  elementBytes = layout.int8Activations ? 1 : 2;
  slices = choice.wgmmaSlices();
  sliceUnits = choice.wgmmaUnits();
  sliceAtoms = sliceUnits * layout.unitAtoms();
  wholeRow = layout.groups() == 1;
  pieceAtoms =
      wholeRow ? sliceAtoms : std::gcd(sliceAtoms, layout.atomsPerGroup());
  pieces = sliceAtoms / pieceAtoms;
}

//===----------------------------------------------------------------------===//
// Before the loop
//===----------------------------------------------------------------------===//

void WgmmaEmitter::createShared() {
  constexpr StringLiteral name = "qk_shared";
  constexpr unsigned sharedSpace = 3;
  auto module = kernel->getParentOfType<gpu::GPUModuleOp>();
  if (!module.lookupSymbol(name)) {
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(module.getBody());
    LLVM::GlobalOp::create(e, LLVM::LLVMArrayType::get(e.getI8Type(), 0),
                           /*isConstant=*/false, LLVM::Linkage::External, name,
                           Attribute(), /*alignment=*/1024, sharedSpace);
  }
  ring = LLVM::AddressOfOp::create(
      e, LLVM::LLVMPointerType::get(e.getContext(), sharedSpace), name);
}

/// Which tokens, channels and slices this block has: as in MmaKernel.cpp.
void WgmmaEmitter::placeBlock() {
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

void WgmmaEmitter::placeThread(Value id) {
  tid = id;
  group = e.shr(tid, 7);
  inGroup = e.bitAnd(tid, e.i32(kGroupThreads - 1));
  warp = e.shr(inGroup, 5);
  lane = e.bitAnd(tid, e.i32(31));
  g = e.shr(lane, 2);
  t = e.bitAnd(lane, e.i32(3));
  groupK = e.remu(group, e.i32(config.groupsK));
  groupN = e.divu(group, e.i32(config.groupsK));
}

void WgmmaEmitter::emitPrologue() {
  createShared();
  placeThread(e.threadId());
  placeBlock();
  lastTile = e.sub(e.ceilDiv(args.n, MmaLayout::kTileChannels), e.i32(1));

  e.when(e.equal(tid, e.i32(0)), [&] {
    for (int stage = 0; stage < config.stages; ++stage) {
      // The copying warps or threads, and the bulk copies' bytes.
      hopper.initBarrier(fullBarrier(e.i32(stage)),
                         (config.lag ? 4 : kGroupThreads) + 1);
      hopper.initBarrier(emptyBarrier(e.i32(stage)), 4 * config.groupsN);
    }
    hopper.fenceBarriers();
    hopper.fenceProxy();
  });
  e.barrier();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

SmallVector<Value> WgmmaEmitter::readCodes(Value slot, int tile, int64_t unit) {
  int64_t unitBytes = layout.unitVectors() * kVectorBytes;
  // Tiles of 16 channels of the block: [warpgroup][row tile][warp].
  Value tile16 = e.add(e.mul(groupN, e.i32(4 * config.rowTiles)), warp);
  Value from = e.add(
      e.add(slot, e.add(e.mul(tile16, e.i32(sliceUnits * unitBytes)),
                        e.shl(lane, 4))),
      e.i32(choice.wgmmaXBytes() + (4 * tile * sliceUnits + unit) * unitBytes));
  auto vector = VectorType::get({4}, e.getI32Type());
  Values words;
  for (int64_t v = 0; v < layout.unitVectors(); ++v) {
    Value loaded = loadShared(vector, e.add(from, e.i32(v * kVectorBytes)), 16);
    for (int64_t w = 0; w < 4; ++w)
      words.push_back(vector::ExtractOp::create(e, loaded, w));
  }
  return words;
}

void WgmmaEmitter::waitForSlot(Value index, Value slot) {
  hopper.wait(fullBarrier(slot), parityOf(index));
  if (!config.lag)
    hopper.fenceProxy();
}

/// Adds a slice's products, that of turn `index`. `raw`: scales and zero
/// points, [row tile][piece][word], if they aren't in the ring.
void WgmmaEmitter::multiplySlice(Value index, Value slice, ArrayRef<Value> raw,
                                 Values &sums) {
  Value slot = slotOf(index);
  Value offset = slotOffset(slot);
  waitForSlot(index, slot);
  Values inRing;
  if (scalesInRing()) {
    for (int tile = 0; tile < config.rowTiles; ++tile)
      for (int64_t piece = 0; piece < pieces; ++piece)
        inRing.append(readRaw(offset, tile, piece));
    raw = inRing;
  }
  Value x = hopper.descriptor(shared(offset));
  StringRef type = byteType();
  if (!layout.int8Activations)
    type = problem.type == ElementType::BF16 ? "bf16" : "f16";

  // All batches of a slice: an atom of a row tile each.
  struct Batch {
    int tile;
    int64_t atom;
  };
  SmallVector<Batch> batches;
  for (int tile = 0; tile < config.rowTiles; ++tile)
    for (int64_t atom = 0; atom < sliceAtoms; ++atom)
      batches.push_back({tile, atom});

  Values words;
  MmaOperands::Offsets offsets;
  auto rawOf = [&](const Batch &batch) {
    return raw.slice((batch.tile * pieces + batch.atom / pieceAtoms) *
                         rawWords(),
                     rawWords());
  };
  auto unpack = [&](const Batch &batch) {
    if (batch.atom % layout.unitAtoms() == 0)
      words = readCodes(offset, batch.tile, batch.atom / layout.unitAtoms());
    if (batch.atom % pieceAtoms == 0 &&
        (layout.hasZeroPoints || (batch.tile == 0 && batch.atom == 0))) {
      Values stored;
      if (layout.hasZeroPoints)
        for (int half = 0; half < 2; ++half)
          stored.push_back(operands.decodeZero(rawOf(batch).back(), g, half));
      offsets = operands.offsets(stored);
    }
    Values a;
    for (int step = 0; step < 2; ++step) {
      Values registers = operands.registers(
          words, int(batch.atom % layout.unitAtoms()), step, offsets);
      for (Value word : registers)
        a.push_back(
            word.getType().isInteger(32)
                ? word
                : Value(LLVM::BitcastOp::create(e, e.getI32Type(), word)));
    }
    return a;
  };

  Values a = unpack(batches.front()), products;
  for (size_t i = 0; i < batches.size(); ++i) {
    const Batch &batch = batches[i];
    bool first = batch.atom % pieceAtoms == 0;
    bool last = (batch.atom + 1) % pieceAtoms == 0;
    int64_t panel = batch.atom / 2, step = batch.atom % 2 * 2;
    Values b;
    for (int64_t s = 0; s < 2; ++s)
      b.push_back(hopper.advance(x, panel * config.tokens * kPanelRow +
                                        32 * (step + s)));
    products =
        hopper.multiply(first ? Values() : products, config.tokens, a, b, type);
    // The registers of the batch before are free: unpack the next one into
    // them while this one is multiplied.
    if (!first)
      hopper.waitBatches(1);
    if (i + 1 < batches.size())
      a = unpack(batches[i + 1]);
    if (!last)
      continue;
    products = hopper.waitProducts(0, products);
    ArrayRef<Value> mine = rawOf(batch);
    Value scale[2] = {operands.decodeScale(mine, 0),
                      operands.decodeScale(mine, 1)};
    for (size_t p = 0; p < products.size(); ++p) {
      Value &sum = sums[batch.tile * sumsOfTile() + p];
      Value product = products[p];
      if (layout.hasIntegerSums())
        product = arith::SIToFPOp::create(e, e.getF32Type(), product);
      sum = e.fma(product, scale[p >> 1 & 1], sum);
    }
  }
  // This warp reads the slot no more.
  e.warpBarrier();
  e.when(e.equal(lane, e.i32(0)), [&] { hopper.arrive(emptyBarrier(slot)); });
}

void WgmmaEmitter::consume() {
  placeThread(hopper.threadIdAgain());
  int64_t blockTiles = choice.blockChannels() / MmaLayout::kTileChannels;
  Value first = e.add(e.mul(channelBlock, e.i32(blockTiles)),
                      e.add(e.mul(groupN, e.i32(4 * config.rowTiles)), warp));
  for (int tile = 0; tile < config.rowTiles; ++tile) {
    // A tile past the end computes the last one again and stores none.
    Value mine = e.minu(e.add(first, e.i32(4 * tile)), lastTile);
    tileBase.push_back(
        e.at(args.weight, e.mul(e.wide(mine), e.i64(layout.tileBytes()))));
  }
  if (sumsInt8()) {
    Values sums = scaleInt8(sumInt8());
    placeThread(hopper.threadIdAgain());
    return finish(sums);
  }
  size_t sumCount = config.rowTiles * sumsOfTile();
  auto loadAll = [&](Value slice) {
    Values raw;
    for (int tile = 0; tile < config.rowTiles; ++tile)
      for (int64_t piece = 0; piece < pieces; ++piece)
        raw.append(loadRaw(slice, tile, piece));
    return raw;
  };
  Values state(sumCount, e.f32(0));
  Value start = e.add(begin, groupK);
  // Zero points are wanted at once, so they come a slice ahead; scales after a
  // slice's products. A row's only ones stay.
  bool ahead = !wholeRow && layout.hasZeroPoints && !scalesInRing();
  Values rowRaw;
  if (wholeRow)
    rowRaw = loadAll(start);
  else if (ahead)
    state.append(loadAll(start));
  state = e.loop(start, end, e.i32(config.groupsK), state,
                 [&](Value slice, Values state) {
                   Values sums(ArrayRef<Value>(state).take_front(sumCount));
                   Values raw = rowRaw;
                   if (ahead)
                     raw.assign(state.begin() + sumCount, state.end());
                   else if (!wholeRow && !scalesInRing())
                     raw = loadAll(slice);
                   Values next;
                   // Past the end it is the last group again.
                   if (ahead)
                     next = loadAll(e.add(slice, e.i32(config.groupsK)));
                   multiplySlice(e.sub(slice, begin), slice, raw, sums);
                   sums.append(next);
                   return sums;
                 });
  state.resize(sumCount);
  placeThread(hopper.threadIdAgain());
  finish(state);
}

void WgmmaEmitter::emit() {
  emitPrologue();
  const RegisterShares *shares =
      llvm::find_if(kRegisterShares, [&](const RegisterShares &s) {
        return s.consumers == config.consumers();
      });
  // A single one has enough from the start.
  bool moves = shares != std::end(kRegisterShares);
  assert((!moves || shares->start == choice.maxRegisters()) &&
         "registers are shared out as the launch gives them");
  Value copies = e.equal(group, e.i32(config.consumers()));
  e.either(
      copies,
      [&] {
        if (moves)
          hopper.fewerRegisters(shares->producer);
        produce();
      },
      [&] {
        if (moves)
          hopper.moreRegisters(shares->consumer);
        consume();
      });
}

void emitWgmmaKernel(Emitter &e, gpu::GPUFuncOp kernel,
                     const KernelChoice &choice, const KernelArguments &args) {
  WgmmaEmitter(e, kernel, choice, args).emit();
}

} // namespace qk::nvvm
