//===- SimtKernel.cpp - The portable GPU kernel -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// y = x · Wᵀ + b with plain FMAs in f32. A lane owns a channel (of each of a
/// few row blocks), so codes need no exchange between lanes and a value of x
/// is read by all lanes at once; the warps of a block split K and add up their
/// sums at the end.
///
///   a block: `tokens` rows of x (grid x) and `rowBlocks` row blocks (grid y)
///   for each stage of K (warps x units):
///     all threads stage x in shared memory, in the order of the codes:
///       permuted, f32, 0 where an atom is filled up or a row missing
///     for each of the warp's units, codes loaded 16 bytes at a time, one unit
///     ahead:
///       for each atom: sum += scale · Σ x · (code − zero)
///   add the warps' sums, add the bias, store
///
/// Codes become floats without a conversion instruction: a code c at bit s of
/// a word, masked in place and or-ed into the bits of 2²³, is the float
/// 2²³ + c·2ˢ (for s + bits ≤ 23), so one subtraction of 2²³ + z·2ˢ gives
/// (c − z)·2ˢ, exactly. The factor 2ˢ is taken out of x when it is staged. One
/// shift a word brings the codes further up down to where this works.
///
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {
namespace {

/// The bits of 2²³: a mantissa bit is worth 1.
constexpr int64_t kMagic = 0x4B000000;
constexpr int kMantissa = 23;

/// How a code is reached from its word: shift the word down by `down`, then
/// the code is at `at`.
struct Reach {
  int down;
  int at;
};

class SimtEmitter {
public:
  SimtEmitter(Emitter &e, gpu::GPUFuncOp kernel, const KernelChoice &choice,
              const KernelArguments &args)
      : e(e), problem(choice.problem), config(choice.simt),
        layout(choice.problem.layout()), args(args),
        shared(kernel.getWorkgroupAttributions().front()) {
    f32 = e.getF32Type();
    type = mlirType(e.getContext(), problem.type);
    stageAtoms = config.units * config.warps * layout.unitAtoms();
    staged = stageAtoms * SimtLayout::kAtom;
  }

  void emit();

private:
  Reach reach(int shift, int bits) const;
  int atOf(int index) const;
  void emitPrologue();
  SmallVector<Value> loadCodes(Value turn);
  void stageX(Value stage, Value tokenBase);
  SmallVector<Value> accumulate(Value stage, SmallVector<Value> state);
  void atomSums(int inUnit, Value local, Value group, ArrayRef<Value> words,
                SmallVector<Value> &sums);
  Value codeAsFloat(ArrayRef<Value> words, int atom, int index,
                    DenseMap<std::pair<int, int>, Value> &shifted);
  void finish(Value tokenBase, ArrayRef<Value> sums);
  void storeResult(Value sum, Value token, Value channel);

  Emitter &e;
  const MatmulProblem &problem;
  const SimtConfig &config;
  SimtLayout layout;
  const KernelArguments &args;
  /// Shared memory: x while computing, then the warps' sums.
  Value shared;
  Type f32, type;
  /// Atoms of a stage; floats of a staged row of x.
  int64_t stageAtoms, staged;

  Value tid, lane, warp;
  /// Factor that takes 2ˢ out of the x of this lane's place in an atom.
  Value factor;
  /// First row block of this thread block, and each one's bytes.
  Value firstBlock;
  SmallVector<Value> blockBase;
};

/// Where a code at `shift` is masked in place. The words are cut where the
/// mantissa ends: below, in place; above, after one shift of the word.
Reach SimtEmitter::reach(int shift, int bits) const {
  int cut = kMantissa / bits * bits;
  return {shift / cut * cut, shift % cut};
}

/// `at` of the code with this index, the same for every atom of a unit.
int SimtEmitter::atOf(int index) const {
  int bits = problem.scheme.bits();
  return bits * (index % (32 / bits) % (kMantissa / bits));
}

void SimtEmitter::emitPrologue() {
  tid = e.threadId();
  lane = e.bitAnd(tid, e.i32(31));
  warp = e.shr(tid, 5);

  // factor = 2^-atOf(lane), put together as the bits of a float.
  int bits = problem.scheme.bits();
  Value at = e.remu(e.remu(lane, e.i32(32 / bits)), e.i32(kMantissa / bits));
  Value exponent = arith::SubIOp::create(e, e.i32(127), e.mul(at, e.i32(bits)));
  factor = e.bitcast(f32, e.shl(exponent, kMantissa));

  firstBlock = e.mul(e.blockId(gpu::Dimension::y), e.i32(config.rowBlocks));
  Value blocks = e.ceilDiv(args.n, SimtLayout::kLanes);
  Value last = arith::SubIOp::create(e, blocks, e.i32(1));
  for (int r = 0; r < config.rowBlocks; ++r) {
    // A row block past the end computes the last one again and stores none.
    Value block = e.minu(e.add(firstBlock, e.i32(r)), last);
    Value offset = e.mul(e.wide(block), e.i64(layout.blockBytes()));
    blockBase.push_back(e.at(args.weight, offset));
  }
}

/// The words of this lane's `turn`-th unit, [row block, word]. The warps take
/// turns along K: unit = turn · warps + warp.
SmallVector<Value> SimtEmitter::loadCodes(Value turn) {
  auto vector = VectorType::get({4}, e.getI32Type());
  constexpr int64_t vectorBytes = SimtLayout::kLanes * SimtLayout::kVector;
  Value unit = e.add(e.mul(turn, e.i32(config.warps)), warp);
  // Past the end: the last unit again; x is 0 there.
  unit = e.minu(unit, e.i32(layout.units() - 1));
  Value offset =
      e.wide(e.add(e.mul(unit, e.i32(layout.unitVectors() * vectorBytes)),
                   e.mul(lane, e.i32(SimtLayout::kVector))));
  SmallVector<Value> words;
  for (int r = 0; r < config.rowBlocks; ++r)
    for (int64_t v = 0; v < layout.unitVectors(); ++v) {
      Value from = e.at(blockBase[r], e.add(offset, e.i64(v * vectorBytes)));
      Value loaded = e.loadConst(vector, from, SimtLayout::kVector);
      for (int64_t w = 0; w < 4; ++w)
        words.push_back(vector::ExtractOp::create(e, loaded, w));
    }
  return words;
}

/// shared[token, atom of the stage, index] = x, in the order of the codes.
void SimtEmitter::stageX(Value stage, Value tokenBase) {
  int64_t elementBytes = elementTypeBytes(problem.type);
  int64_t length = layout.groupLength();
  Value zero = e.f32(0);
  Value firstAtom = e.mul(stage, e.i32(stageAtoms));
  for (int64_t i = 0; i < stageAtoms / config.warps; ++i) {
    // A warp stages whole atoms: the index within one is the lane.
    Value local = e.add(warp, e.i32(i * config.warps));
    Value atom = e.add(firstAtom, local);
    Value inGroup, k;
    if (layout.groups() == 1) {
      inGroup = e.add(e.shl(atom, 5), lane);
      k = inGroup;
    } else {
      Value perGroup = e.i32(layout.atomsPerGroup());
      inGroup = e.add(e.shl(e.remu(atom, perGroup), 5), lane);
      k = e.add(e.mul(e.divu(atom, perGroup), e.i32(length)), inGroup);
    }
    Value inside = e.ltu(k, e.i32(layout.k));
    if (length % SimtLayout::kAtom)
      inside = e.bitAnd(inside, e.ltu(inGroup, e.i32(length)));
    Value source = e.select(inside, k, e.i32(0));
    if (args.permutation)
      source = e.loadConst(
          e.getI32Type(),
          e.at(args.permutation, e.mul(e.wide(source), e.i64(4))), 4);
    Value slot = e.add(e.shl(local, 5), lane);
    for (int t = 0; t < config.tokens; ++t) {
      Value token = e.add(tokenBase, e.i32(t));
      Value valid = e.bitAnd(inside, e.ltu(token, args.m));
      // What is not there is read from x's first element and dropped.
      Value element = e.select(
          valid, e.add(e.mul(e.wide(token), e.i64(layout.k)), e.wide(source)),
          e.i64(0));
      Value loaded =
          e.loadConst(type, e.at(args.x, e.mul(element, e.i64(elementBytes))),
                      elementBytes);
      Value scaled = e.mulf(e.toF32(loaded), factor);
      Value to = arith::IndexCastOp::create(e, e.getIndexType(),
                                            e.add(slot, e.i32(t * staged)));
      memref::StoreOp::create(e, e.select(valid, scaled, zero), shared, to);
    }
  }
}

/// (code · 2^at) + 2²³ of the code `index` of unit-atom `atom`.
Value SimtEmitter::codeAsFloat(ArrayRef<Value> words, int atom, int index,
                               DenseMap<std::pair<int, int>, Value> &shifted) {
  SimtLayout::CodePlace place = layout.place(atom, index);
  if (place.highWord >= 0) {
    int at = atOf(index);
    Value low = e.maskOr(e.shr(words[place.word], place.shift - at),
                         ((1 << place.bits) - 1) << at, kMagic);
    int highAt = at + place.bits;
    Value high =
        e.bitAnd(e.shr(words[place.highWord], place.highShift - highAt),
                 e.i32(1 << highAt));
    return e.bitcast(f32, e.bitOr(low, high));
  }
  Reach where = reach(place.shift, place.bits);
  Value &word = shifted[{place.word, where.down}];
  if (!word)
    word = e.shr(words[place.word], where.down);
  int64_t mask = ((int64_t(1) << place.bits) - 1) << where.at;
  return e.bitcast(f32, e.maskOr(word, mask, kMagic));
}

/// sums[token, row block] += scale · Σ x · (code − zero) over atom `inUnit` of
/// a unit, which is atom `local` of the stage and lies in `group`.
void SimtEmitter::atomSums(int inUnit, Value local, Value group,
                           ArrayRef<Value> words, SmallVector<Value> &sums) {
  // Scale and 2²³ + zero·2^at for each row block.
  Value slot = e.add(e.mul(group, e.i32(SimtLayout::kLanes)), lane);
  SmallVector<Value> scales;
  SmallVector<DenseMap<int, Value>> offsets(config.rowBlocks);
  for (int r = 0; r < config.rowBlocks; ++r) {
    Type scaleType = problem.scheme.scaleType == numerics::ScaleType::F16
                         ? Type(e.getF16Type())
                     : problem.scheme.scaleType == numerics::ScaleType::BF16
                         ? Type(e.getBF16Type())
                         : f32;
    Value scaleAt = e.add(e.wide(e.mul(slot, e.i32(layout.scaleBytes()))),
                          e.i64(layout.scalesOffset()));
    scales.push_back(e.toF32(e.loadConst(scaleType, e.at(blockBase[r], scaleAt),
                                         layout.scaleBytes())));
    // s8 codes are stored plus 128.
    int bias = problem.scheme.isSigned() ? 128 : 0;
    Value zero;
    if (layout.hasZeroPoints) {
      Value zeroAt = e.add(e.wide(e.mul(slot, e.i32(layout.zeroBytes()))),
                           e.i64(layout.zerosOffset()));
      Value stored =
          e.loadConst(e.getIntegerType(layout.zeroBytes() * 8),
                      e.at(blockBase[r], zeroAt), layout.zeroBytes());
      zero = arith::ExtSIOp::create(e, e.getI32Type(), stored);
      zero = arith::SIToFPOp::create(e, f32, e.add(zero, e.i32(bias)));
    }
    for (int index = 0; index < SimtLayout::kAtom; ++index) {
      int at = atOf(index);
      Value &offset = offsets[r][at];
      if (offset)
        continue;
      float unitZero = float(problem.scheme.defaultZeroPoint() + bias);
      offset = zero ? e.fma(zero, e.f32(float(1 << at)), e.f32(8388608.0f))
                    : e.f32(8388608.0f + unitZero * float(1 << at));
    }
  }

  SmallVector<Value> partial(sums.size(), e.f32(0));
  SmallVector<DenseMap<std::pair<int, int>, Value>> shifted(config.rowBlocks);
  Value base = e.shl(local, 5);
  int64_t unitWords = 4 * layout.unitVectors();
  auto vector = VectorType::get({4}, f32);
  for (int index = 0; index < SimtLayout::kAtom; index += 4) {
    SmallVector<Value> x;
    for (int t = 0; t < config.tokens; ++t) {
      Value from = arith::IndexCastOp::create(
          e, e.getIndexType(), e.add(base, e.i32(t * staged + index)));
      x.push_back(vector::LoadOp::create(e, vector, shared, ValueRange{from},
                                         /*nontemporal=*/false,
                                         llvm::MaybeAlign(16)));
    }
    for (int j = 0; j < 4; ++j) {
      SmallVector<Value> codes;
      for (int r = 0; r < config.rowBlocks; ++r) {
        Value code = codeAsFloat(words.slice(r * unitWords, unitWords), inUnit,
                                 index + j, shifted[r]);
        codes.push_back(e.subf(code, offsets[r][atOf(index + j)]));
      }
      for (int t = 0; t < config.tokens; ++t) {
        Value xValue = vector::ExtractOp::create(e, x[t], int64_t(j));
        for (int r = 0; r < config.rowBlocks; ++r) {
          Value &sum = partial[t * config.rowBlocks + r];
          sum = e.fma(xValue, codes[r], sum);
        }
      }
    }
  }
  for (int t = 0; t < config.tokens; ++t)
    for (int r = 0; r < config.rowBlocks; ++r) {
      Value &sum = sums[t * config.rowBlocks + r];
      sum = e.fma(scales[r], partial[t * config.rowBlocks + r], sum);
    }
}

/// The sums over this warp's units of a stage. `state`: the sums, then the
/// words of the first unit; the next unit's are loaded while one is computed,
/// across stages too.
SmallVector<Value> SimtEmitter::accumulate(Value stage,
                                           SmallVector<Value> state) {
  size_t sumCount = size_t(config.tokens) * config.rowBlocks;
  Value firstTurn = e.mul(stage, e.i32(config.units));
  Value turns = e.i32(config.units);
  return e.loop(
      e.i32(0), turns, e.i32(1), state,
      [&](Value turn, SmallVector<Value> state) {
        SmallVector<Value> sums(ArrayRef(state).take_front(sumCount));
        ArrayRef<Value> words = ArrayRef(state).drop_front(sumCount);
        SmallVector<Value> next =
            loadCodes(e.add(e.add(firstTurn, turn), e.i32(1)));
        Value unit = e.add(e.mul(turn, e.i32(config.warps)), warp);
        for (int64_t i = 0; i < layout.unitAtoms(); ++i) {
          // Keeps ptxas from reading the x of all atoms first, and spilling.
          if (i > 0)
            e.warpBarrier();
          Value local = e.add(e.mul(unit, e.i32(layout.unitAtoms())), e.i32(i));
          Value group = e.i32(0);
          if (layout.groups() > 1) {
            Value atom = e.add(e.mul(stage, e.i32(stageAtoms)), local);
            // Past the end: the last group's scale, times x = 0.
            group = e.minu(e.divu(atom, e.i32(layout.atomsPerGroup())),
                           e.i32(layout.groups() - 1));
          }
          atomSums(int(i), local, group, words, sums);
        }
        sums.append(next);
        return sums;
      });
}

void SimtEmitter::storeResult(Value sum, Value token, Value channel) {
  Value valid = e.bitAnd(e.ltu(token, args.m), e.ltu(channel, args.n));
  e.when(valid, [&] {
    int64_t bytes = elementTypeBytes(problem.type);
    if (args.bias) {
      int64_t biasBytes = elementTypeBytes(*problem.bias);
      Value from = e.at(args.bias, e.mul(e.wide(channel), e.i64(biasBytes)));
      sum = e.addf(sum,
                   e.toF32(e.loadConst(mlirType(e.getContext(), *problem.bias),
                                       from, biasBytes)));
    }
    Value element =
        e.add(e.mul(e.wide(token), e.wide(args.n)), e.wide(channel));
    e.storeGlobal(e.fromF32(type, sum),
                  e.at(args.y, e.mul(element, e.i64(bytes))), bytes);
  });
}

/// Adds up the warps' sums and stores. Rows of the result (a token and a row
/// block) are spread over the warps, its 32 channels over the lanes.
void SimtEmitter::finish(Value tokenBase, ArrayRef<Value> sums) {
  auto channelOf = [&](Value rowBlock) {
    return e.add(e.shl(e.add(firstBlock, rowBlock), 5), lane);
  };
  int64_t rows = int64_t(config.tokens) * config.rowBlocks;
  auto slot = [&](Value row) -> Value {
    return arith::IndexCastOp::create(e, e.getIndexType(),
                                      e.add(e.shl(row, 5), lane));
  };
  for (int64_t row = 0; row < rows; ++row)
    memref::StoreOp::create(e, sums[row], shared,
                            slot(e.add(e.mul(warp, e.i32(rows)), e.i32(row))));
  e.barrier();
  for (int64_t first = 0; first < rows; first += config.warps) {
    Value row = e.add(warp, e.i32(first));
    auto addAndStore = [&] {
      Value sum;
      for (int w = 0; w < config.warps; ++w) {
        Value part = memref::LoadOp::create(e, shared,
                                            slot(e.add(row, e.i32(w * rows))));
        sum = sum ? e.addf(sum, part) : part;
      }
      Value rowBlocks = e.i32(config.rowBlocks);
      storeResult(sum, e.add(tokenBase, e.divu(row, rowBlocks)),
                  channelOf(e.remu(row, rowBlocks)));
    };
    if (first + config.warps <= rows)
      addAndStore();
    else
      e.when(e.ltu(row, e.i32(rows)), addAndStore);
  }
}

void SimtEmitter::emit() {
  emitPrologue();
  int64_t turns = (layout.units() + config.warps - 1) / config.warps;
  int64_t stages = (turns + config.units - 1) / config.units;
  Value zero = e.i32(0);
  Value tokenBase = e.mul(e.blockId(gpu::Dimension::x), e.i32(config.tokens));
  size_t sumCount = size_t(config.tokens) * config.rowBlocks;
  SmallVector<Value> state(sumCount, e.f32(0));
  state.append(loadCodes(zero));
  state = e.loop(zero, e.i32(stages), e.i32(1), state,
                 [&](Value stage, SmallVector<Value> state) {
                   stageX(stage, tokenBase);
                   e.barrier();
                   state = accumulate(stage, state);
                   e.barrier();
                   return state;
                 });
  state.resize(sumCount);
  finish(tokenBase, state);
}

} // namespace

void emitSimtKernel(Emitter &e, gpu::GPUFuncOp kernel,
                    const KernelChoice &choice, const KernelArguments &args) {
  SimtEmitter(e, kernel, choice, args).emit();
}

} // namespace qk::nvvm
