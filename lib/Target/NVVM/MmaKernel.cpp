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
/// of their own.
///
///   a block: `tokens` rows of x (grid x), warpsN · rowTiles tiles (grid y)
///   x's slices of K go through a ring in shared memory, by cp.async, `stages`
///   deep; a slice is warpsK · units units of K
///   for each slice:
///     wait for it; barrier; start the copy of a later one
///     for each of the warp's units, its codes loaded a slice ahead:
///       unpack, multiply; sums += scale · products where a scale ends
///   add the sums of the warps that split K, add the bias, store
///
/// Where groups have no multiple of 16 bytes, or x is permuted, x is gathered
/// into the ring by plain loads and stores; the loop is the same.
///
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {
namespace {

constexpr unsigned kSharedSpace = 3;

class MmaEmitter {
public:
  MmaEmitter(Emitter &e, gpu::GPUFuncOp kernel, const KernelChoice &choice,
             const KernelArguments &args)
      : e(e), kernel(kernel), choice(choice), problem(choice.problem),
        config(choice.mma), layout(choice.problem.mmaLayout()), args(args),
        operands(e, choice.problem) {
    sliceAtoms = config.warpsK * config.units * layout.unitAtoms();
    elementBytes = layout.int8Activations ? 1 : 2;
    unitWords = 4 * layout.unitVectors();
    wholeRow = layout.groups() == 1;
    tokenTiles = (config.tokens + 7) / 8;
    slices = (layout.units() + config.warpsK * config.units - 1) /
             (config.warpsK * config.units);
  }

  void emit();

private:
  /// Products, [row tile][token tile][4], then (W8A8 with zero points) the sum
  /// of x, [token tile][4].
  using Sums = SmallVector<Value>;

  void emitPrologue();
  void createShared();
  Sums zeros(Type type) const;
  size_t productCount() const {
    return size_t(config.rowTiles) * tokenTiles * 4;
  }
  bool sumsX() const { return layout.int8Activations && layout.hasZeroPoints; }
  SmallVector<Value> loadCodes(Value slice, int turn);
  void fillSlice(Value slice, Value slot);
  void copyChunk(Value chunk, Value slice, Value slot);
  void gatherWord(Value word, Value slice, Value slot);
  std::pair<Value, Value> codePosition(Value slice, Value atom, Value inAtom,
                                       int64_t offset);
  void accumulate(Value slice, Value slot, int turn, ArrayRef<Value> words,
                  SmallVector<Value> &state);
  void addScaled(Value group, Sums &products, SmallVector<Value> &state);
  Value scaleOf(int tile, Value group, int half);
  Value zeroOf(int tile, Value group, int half);
  Value groupOf(Value unit, int64_t segment);
  void finish(SmallVector<Value> &state);
  void storeResult(Value slot);

  Value shared(Value byteOffset) { return e.at(ring, byteOffset); }
  Value loadShared(Type type, Value offset, int64_t alignment) {
    return LLVM::LoadOp::create(e, type, shared(offset), alignment);
  }

  Emitter &e;
  gpu::GPUFuncOp kernel;
  const KernelChoice &choice;
  const MatmulProblem &problem;
  const MmaConfig &config;
  MmaLayout layout;
  const KernelArguments &args;
  MmaOperands operands;

  int64_t sliceAtoms, elementBytes, unitWords, slices;
  bool wholeRow;
  int tokenTiles;

  Value ring, tid, lane, warpK, warpN, tokenBase;
  /// lane / 4 and lane % 4: channel and column of fragments.
  Value g, t;
  /// This warp's tiles.
  SmallVector<Value> tileBase;
};

void MmaEmitter::createShared() {
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPoint(kernel);
  auto type = LLVM::LLVMArrayType::get(e.getI8Type(), choice.sharedBytes());
  auto global = LLVM::GlobalOp::create(
      e, type, /*isConstant=*/false, LLVM::Linkage::Internal,
      (kernel.getName() + "_shared").str(), Attribute(),
      /*alignment=*/128, kSharedSpace);
  e.setInsertionPointToStart(&kernel.getBody().front());
  ring = LLVM::AddressOfOp::create(
      e, LLVM::LLVMPointerType::get(e.getContext(), kSharedSpace),
      global.getSymName());
}

void MmaEmitter::emitPrologue() {
  createShared();
  e.setInsertionPointAfterValue(ring);
  tid = e.threadId();
  lane = e.bitAnd(tid, e.i32(31));
  Value warp = e.shr(tid, 5);
  warpK = e.remu(warp, e.i32(config.warpsK));
  warpN = e.divu(warp, e.i32(config.warpsK));
  g = e.shr(lane, 2);
  t = e.bitAnd(lane, e.i32(3));
  tokenBase = e.mul(e.blockId(gpu::Dimension::x), e.i32(config.tokens));
  Value first = e.add(e.mul(e.blockId(gpu::Dimension::y),
                            e.i32(config.rowTiles * config.warpsN)),
                      e.mul(warpN, e.i32(config.rowTiles)));
  Value last = arith::SubIOp::create(
      e, e.ceilDiv(args.n, MmaLayout::kTileChannels), e.i32(1));
  for (int r = 0; r < config.rowTiles; ++r) {
    // A tile past the end computes the last one again and stores none.
    Value tile = e.minu(e.add(first, e.i32(r)), last);
    tileBase.push_back(
        e.at(args.weight, e.mul(e.wide(tile), e.i64(layout.tileBytes()))));
  }
}

/// The words of this warp's `turn`-th unit of a slice, [row tile][word].
SmallVector<Value> MmaEmitter::loadCodes(Value slice, int turn) {
  auto vector = VectorType::get({4}, e.getI32Type());
  constexpr int64_t vectorBytes = MmaLayout::kLanes * MmaLayout::kVector;
  Value unit = e.add(e.mul(slice, e.i32(config.warpsK * config.units)),
                     e.add(warpK, e.i32(turn * config.warpsK)));
  // Past the end: the last unit again; x is 0 there.
  unit = e.minu(unit, e.i32(layout.units() - 1));
  Value offset =
      e.wide(e.add(e.mul(unit, e.i32(layout.unitVectors() * vectorBytes)),
                   e.mul(lane, e.i32(MmaLayout::kVector))));
  SmallVector<Value> words;
  for (int r = 0; r < config.rowTiles; ++r)
    for (int64_t v = 0; v < layout.unitVectors(); ++v) {
      Value from = e.at(tileBase[r], e.add(offset, e.i64(v * vectorBytes)));
      Value loaded = e.loadConst(vector, from, MmaLayout::kVector);
      for (int64_t w = 0; w < 4; ++w)
        words.push_back(vector::ExtractOp::create(e, loaded, w));
    }
  return words;
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

/// 16 bytes by cp.async, or zeros.
void MmaEmitter::copyChunk(Value chunk, Value slice, Value slot) {
  int64_t rowChunks = sliceAtoms * 4;
  Value row = e.divu(chunk, e.i32(rowChunks));
  Value inRow = e.remu(chunk, e.i32(rowChunks));
  Value inAtom = e.mul(e.bitAnd(inRow, e.i32(3)), e.i32(16 / elementBytes));
  auto [k, inside] = codePosition(slice, e.shr(inRow, 2), inAtom, 0);
  Value token = e.add(tokenBase, row);
  Value valid = e.bitAnd(inside, e.ltu(token, args.m));
  Value element = e.select(
      valid, e.add(e.mul(e.wide(token), e.i64(layout.k)), e.wide(k)), e.i64(0));
  Value from = e.at(args.x, e.mul(element, e.i64(elementBytes)));
  Value to = shared(e.add(
      slot, e.add(e.mul(row, e.i32(choice.mmaRowBytes())), e.shl(inRow, 4))));
  NVVM::CpAsyncOp::create(e, to, from, 16, NVVM::LoadCacheModifierKind::CG,
                          e.select(valid, e.i32(16), e.i32(0)));
}

/// Four bytes, element by element.
void MmaEmitter::gatherWord(Value word, Value slice, Value slot) {
  int64_t rowWords = sliceAtoms * 16, perWord = 4 / elementBytes;
  Value row = e.divu(word, e.i32(rowWords));
  Value inRow = e.remu(word, e.i32(rowWords));
  Value inAtom = e.mul(e.bitAnd(inRow, e.i32(15)), e.i32(perWord));
  Value token = e.add(tokenBase, row);
  Value validToken = e.ltu(token, args.m);
  Type bits = e.getIntegerType(elementBytes * 8);
  Value result;
  for (int64_t i = 0; i < perWord; ++i) {
    auto [k, inside] = codePosition(slice, e.shr(inRow, 4), inAtom, i);
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
  Value to = shared(e.add(
      slot, e.add(e.mul(row, e.i32(choice.mmaRowBytes())), e.shl(inRow, 2))));
  LLVM::StoreOp::create(e, result, to, 4);
}

/// Fills `slot` (its byte offset) with x's slice, this thread's share.
void MmaEmitter::fillSlice(Value slice, Value slot) {
  int64_t threads = choice.threads();
  bool copies = !args.permutation && layout.k * elementBytes % 16 == 0 &&
                (wholeRow || layout.groupLength() * elementBytes % 16 == 0);
  int64_t count = config.tokens * sliceAtoms * (copies ? 4 : 16);
  auto one = [&](Value index) {
    if (copies)
      copyChunk(index, slice, slot);
    else
      gatherWord(index, slice, slot);
  };
  if (copies && count <= 8 * threads) {
    for (int64_t first = 0; first < count; first += threads) {
      Value index = e.add(tid, e.i32(first));
      if (first + threads <= count)
        one(index);
      else
        e.when(e.ltu(index, e.i32(count)), [&] { one(index); });
    }
  } else {
    e.loop(tid, e.i32(count), e.i32(threads), {},
           [&](Value index, SmallVector<Value>) -> SmallVector<Value> {
             one(index);
             return {};
           });
  }
  NVVM::CpAsyncCommitGroupOp::create(e);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

MmaEmitter::Sums MmaEmitter::zeros(Type type) const {
  Value zero = type.isF32() ? e.f32(0) : e.i32(0);
  return Sums(productCount() + (sumsX() ? 4 * tokenTiles : 0), zero);
}

/// Scale and zero point of channel g + 8·half of a tile.
Value MmaEmitter::scaleOf(int tile, Value group, int half) {
  Type type = problem.scheme.scaleType == numerics::ScaleType::F16
                  ? Type(e.getF16Type())
              : problem.scheme.scaleType == numerics::ScaleType::BF16
                  ? Type(e.getBF16Type())
                  : Type(e.getF32Type());
  Value index = e.add(e.mul(group, e.i32(MmaLayout::kTileChannels)), g);
  Value offset =
      e.add(e.wide(e.mul(index, e.i32(layout.scaleBytes()))),
            e.i64(layout.scalesOffset() + 8 * half * layout.scaleBytes()));
  return e.toF32(
      e.loadConst(type, e.at(tileBase[tile], offset), layout.scaleBytes()));
}

Value MmaEmitter::zeroOf(int tile, Value group, int half) {
  Value index = e.add(e.mul(group, e.i32(MmaLayout::kTileChannels)), g);
  Value offset =
      e.add(e.wide(e.mul(index, e.i32(layout.zeroBytes()))),
            e.i64(layout.zerosOffset() + 8 * half * layout.zeroBytes()));
  return e.loadConst(e.getIntegerType(layout.zeroBytes() * 8),
                     e.at(tileBase[tile], offset), layout.zeroBytes());
}

/// The group of a unit's `segment`; past the end the last one.
Value MmaEmitter::groupOf(Value unit, int64_t segment) {
  if (wholeRow)
    return e.i32(0);
  Value atom = e.add(e.mul(unit, e.i32(layout.unitAtoms())),
                     e.i32(segment * layout.segmentAtoms()));
  return e.minu(e.divu(atom, e.i32(layout.atomsPerGroup())),
                e.i32(layout.groups() - 1));
}

/// state += scale · (products − zero · Σ x), in f32.
void MmaEmitter::addScaled(Value group, Sums &products,
                           SmallVector<Value> &state) {
  for (int r = 0; r < config.rowTiles; ++r) {
    Value scale[2], zero[2];
    for (int half = 0; half < 2; ++half) {
      scale[half] = scaleOf(r, group, half);
      if (sumsX())
        zero[half] =
            arith::ExtSIOp::create(e, e.getI32Type(), zeroOf(r, group, half));
    }
    for (int c = 0; c < tokenTiles; ++c)
      for (int i = 0; i < 4; ++i) {
        size_t at = (size_t(r) * tokenTiles + c) * 4 + i;
        Value product = products[at];
        if (sumsX())
          product = arith::SubIOp::create(
              e, product,
              e.mul(zero[i >> 1], products[productCount() + 4 * c + i]));
        if (layout.int8Activations)
          product = arith::SIToFPOp::create(e, e.getF32Type(), product);
        state[at] = e.fma(product, scale[i >> 1], state[at]);
      }
  }
}

/// Multiplies a unit. `state`: the products so far (one scale a row), or sums.
void MmaEmitter::accumulate(Value slice, Value slot, int turn,
                            ArrayRef<Value> words, SmallVector<Value> &state) {
  Value local = e.add(warpK, e.i32(turn * config.warpsK));
  Value unit = e.add(e.mul(slice, e.i32(config.warpsK * config.units)), local);
  // With one token all columns are it: what the others give is not stored.
  Value row =
      config.tokens == 1 ? e.i32(0) : e.mul(g, e.i32(choice.mmaRowBytes()));
  Value xBase = e.add(
      e.add(slot, row),
      e.add(e.mul(local, e.i32(layout.unitAtoms() * MmaLayout::kAtomBytes)),
            e.shl(t, 4)));
  auto vector = VectorType::get({4}, e.getI32Type());
  Type sumType = layout.int8Activations ? Type(e.getI32Type()) : e.getF32Type();
  int64_t segments = layout.unitAtoms() / layout.segmentAtoms();
  for (int64_t segment = 0; segment < segments; ++segment) {
    Value group = groupOf(unit, segment);
    Sums products = wholeRow ? Sums(state) : zeros(sumType);
    SmallVector<MmaOperands::Offsets> offsets;
    for (int r = 0; r < config.rowTiles; ++r) {
      SmallVector<Value> stored;
      if (layout.hasZeroPoints && !layout.int8Activations)
        for (int half = 0; half < 2; ++half)
          stored.push_back(zeroOf(r, group, half));
      offsets.push_back(operands.offsets(stored));
    }
    for (int64_t i = 0; i < layout.segmentAtoms(); ++i) {
      int atom = int(segment * layout.segmentAtoms() + i);
      SmallVector<SmallVector<Value>> x;
      for (int c = 0; c < tokenTiles; ++c) {
        Value loaded =
            loadShared(vector,
                       e.add(xBase, e.i32(atom * MmaLayout::kAtomBytes +
                                          8 * c * choice.mmaRowBytes())),
                       16);
        x.emplace_back();
        for (int64_t w = 0; w < 4; ++w)
          x.back().push_back(vector::ExtractOp::create(e, loaded, w));
      }
      auto multiply = [&](ArrayRef<Value> a, int c, int step, size_t at) {
        SmallVector<Value> sum =
            operands.multiply(a, ArrayRef(x[c]).slice(2 * step, 2),
                              ArrayRef(products).slice(at, 4));
        llvm::copy(sum, products.begin() + at);
      };
      for (int step = 0; step < 2; ++step) {
        for (int r = 0; r < config.rowTiles; ++r) {
          SmallVector<Value> a = operands.registers(
              words.slice(r * unitWords, unitWords), atom, step, offsets[r]);
          for (int c = 0; c < tokenTiles; ++c)
            multiply(a, c, step, (size_t(r) * tokenTiles + c) * 4);
        }
        if (sumsX())
          for (int c = 0; c < tokenTiles; ++c)
            multiply(SmallVector<Value>(4, e.i32(0x01010101)), c, step,
                     productCount() + 4 * c);
      }
    }
    if (wholeRow)
      state = products;
    else
      addScaled(group, products, state);
  }
}

//===----------------------------------------------------------------------===//
// The end
//===----------------------------------------------------------------------===//

/// Adds up what the warps along K have for place `slot` of the block's tokens x
/// channels, and stores it.
void MmaEmitter::storeResult(Value slot) {
  int64_t channels = choice.blockChannels();
  Value token = e.divu(slot, e.i32(channels));
  Value inBlock = e.remu(slot, e.i32(channels));
  Value channel =
      e.add(e.mul(e.blockId(gpu::Dimension::y), e.i32(channels)), inBlock);
  Value row = e.add(tokenBase, token);
  Value valid = e.bitAnd(e.ltu(row, args.m), e.ltu(channel, args.n));
  e.when(valid, [&] {
    Value sum;
    for (int w = 0; w < config.warpsK; ++w) {
      Value index = e.add(e.mul(e.add(token, e.i32(w * config.tokens)),
                                e.i32(choice.mmaSumChannels())),
                          inBlock);
      Value part = loadShared(e.getF32Type(), e.shl(index, 2), 4);
      sum = sum ? e.addf(sum, part) : part;
    }
    if (args.xScales)
      sum = e.mulf(sum,
                   e.loadConst(e.getF32Type(),
                               e.at(args.xScales, e.mul(e.wide(row), e.i64(4))),
                               4));
    if (args.bias) {
      int64_t bytes = elementTypeBytes(*problem.bias);
      sum =
          e.addf(sum, e.toF32(e.loadConst(
                          mlirType(e.getContext(), *problem.bias),
                          e.at(args.bias, e.mul(e.wide(channel), e.i64(bytes))),
                          bytes)));
    }
    int64_t bytes = elementTypeBytes(problem.type);
    Value element = e.add(e.mul(e.wide(row), e.wide(args.n)), e.wide(channel));
    e.storeGlobal(e.fromF32(mlirType(e.getContext(), problem.type), sum),
                  e.at(args.y, e.mul(element, e.i64(bytes))), bytes);
  });
}

void MmaEmitter::finish(SmallVector<Value> &state) {
  if (wholeRow) {
    Sums products = state;
    state.assign(productCount(), e.f32(0));
    addScaled(e.i32(0), products, state);
  }
  // The ring is free: nobody reads it and no copy is under way.
  NVVM::CpAsyncWaitGroupOp::create(e, 0);
  e.barrier();
  for (int r = 0; r < config.rowTiles; ++r)
    for (int c = 0; c < tokenTiles; ++c)
      for (int i = 0; i < 4; ++i) {
        Value token = e.add(e.shl(t, 1), e.i32(8 * c + (i & 1)));
        Value channel = e.add(e.mul(warpN, e.i32(config.rowTiles * 16)),
                              e.add(g, e.i32(16 * r + 8 * (i >> 1))));
        Value index =
            e.add(e.mul(e.add(token, e.mul(warpK, e.i32(config.tokens))),
                        e.i32(choice.mmaSumChannels())),
                  channel);
        auto store = [&] {
          LLVM::StoreOp::create(e, state[(size_t(r) * tokenTiles + c) * 4 + i],
                                shared(e.shl(index, 2)), 4);
        };
        if (config.tokens % 8 == 0)
          store();
        else
          e.when(e.ltu(token, e.i32(config.tokens)), store);
      }
  e.barrier();
  int64_t count = config.tokens * choice.blockChannels();
  e.loop(tid, e.i32(count), e.i32(choice.threads()), {},
         [&](Value slot, SmallVector<Value>) -> SmallVector<Value> {
           storeResult(slot);
           return {};
         });
}

void MmaEmitter::emit() {
  emitPrologue();
  Type sumType = wholeRow && layout.int8Activations ? Type(e.getI32Type())
                                                    : e.getF32Type();
  SmallVector<Value> state =
      wholeRow ? zeros(sumType) : SmallVector<Value>(productCount(), e.f32(0));
  size_t sumCount = state.size();
  int64_t slotBytes = choice.mmaSlotBytes();
  Value zero = e.i32(0);
  for (int turn = 0; turn < config.units; ++turn)
    state.append(loadCodes(zero, turn));
  for (int stage = 0; stage + 1 < config.stages; ++stage)
    fillSlice(e.i32(stage), e.i32(stage * slotBytes));

  state = e.loop(
      zero, e.i32(slices), e.i32(1), state,
      [&](Value slice, SmallVector<Value> state) {
        // This slice is there, and everybody is through with the one before.
        NVVM::CpAsyncWaitGroupOp::create(e, config.stages - 2);
        e.barrier();
        Value later = e.add(slice, e.i32(config.stages - 1));
        auto slotOf = [&](Value s) -> Value {
          return e.mul(e.remu(s, e.i32(config.stages)), e.i32(slotBytes));
        };
        // Past the end it is zeros.
        fillSlice(later, slotOf(later));
        SmallVector<Value> sums(ArrayRef(state).take_front(sumCount));
        SmallVector<Value> next;
        size_t perTurn = size_t(config.rowTiles) * unitWords;
        for (int turn = 0; turn < config.units; ++turn) {
          ArrayRef<Value> words =
              ArrayRef(state).slice(sumCount + turn * perTurn, perTurn);
          accumulate(slice, slotOf(slice), turn, words, sums);
          next.append(loadCodes(e.add(slice, e.i32(1)), turn));
        }
        sums.append(next);
        return sums;
      });
  state.resize(sumCount);
  finish(state);
}

} // namespace

void emitMmaKernel(Emitter &e, gpu::GPUFuncOp kernel,
                   const KernelChoice &choice, const KernelArguments &args) {
  MmaEmitter(e, kernel, choice, args).emit();
}

} // namespace qk::nvvm
