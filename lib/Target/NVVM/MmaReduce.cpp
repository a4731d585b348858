//===- MmaReduce.cpp - Sums of warps and blocks that split K ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The end of a kernel of MmaKernel.cpp. Warps that split K meet in shared
/// memory. Blocks that do write their sums to the workspace; a counter for each
/// tile of the result tells the last one to arrive that all are there, and that
/// one adds them up in the order of K, whoever it is: the same bytes out
/// always.
///
///   workspace = counters [blocks a launch has at most] u32, 0 before and after
///               sums     [tile][part of K][tokens][channels] f32
///
//===----------------------------------------------------------------------===//

#include "MmaEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace qk::nvvm {

/// A warp's sums to shared memory: [warpK][token][channel], padded.
void MmaEmitter::storeSums(ArrayRef<Value> sums) {
  for (int r = 0; r < config.rowTiles; ++r)
    for (int c = 0; c < tokenTiles; ++c)
      for (int i = 0; i < 4; ++i) {
        Value token = e.add(e.add(e.shl(t, 1), e.i32(8 * c + (i & 1))),
                            e.mul(warpM, e.i32(8 * tokenTiles)));
        Value channel = e.add(e.mul(warpN, e.i32(config.rowTiles * 16)),
                              e.add(g, e.i32(16 * r + 8 * (i >> 1))));
        Value index =
            e.add(e.mul(e.add(token, e.mul(warpK, e.i32(config.tokens))),
                        e.i32(choice.mmaSumChannels())),
                  channel);
        auto store = [&] {
          LLVM::StoreOp::create(e, sums[(size_t(r) * tokenTiles + c) * 4 + i],
                                shared(e.shl(index, 2)), 4);
        };
        if (config.tokens % 8 == 0)
          store();
        else
          e.when(e.ltu(token, e.i32(config.tokens)), store);
      }
}

/// What the warps along K have together for place `slot` of the block's tokens
/// x channels, a vector of four channels or one.
Value MmaEmitter::sumOfWarps(Value slot, Type type) {
  Value channels = e.i32(choice.blockChannels());
  Value token = e.divu(slot, channels), channel = e.remu(slot, channels);
  Value sum;
  for (int w = 0; w < config.warpsK; ++w) {
    Value index = e.add(e.mul(e.add(token, e.i32(w * config.tokens)),
                              e.i32(choice.mmaSumChannels())),
                        channel);
    Value part = loadShared(type, e.shl(index, 2), type.isF32() ? 4 : 16);
    sum = sum ? e.addf(sum, part) : part;
  }
  return sum;
}

/// The sum of place `slot`, as large as it should be, times x's scale, plus the
/// bias, to y.
void MmaEmitter::storeResult(Value slot, Value sum) {
  Value channels = e.i32(choice.blockChannels());
  Value channel = e.add(e.mul(channelBlock, channels), e.remu(slot, channels));
  Value row = e.add(tokenBase, e.divu(slot, channels));
  Value valid = e.bitAnd(e.ltu(row, args.m), e.ltu(channel, args.n));
  e.when(valid, [&] {
    if (int shift = operands.sumShift())
      sum = e.mulf(sum, e.f32(1.0f / float(1 << shift)));
    if (args.xScales)
      sum = e.mulf(sum, loadXScale(e, problem, args, row));
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

/// Where several blocks have a share of K each. Four channels at a time, and
/// as many loads under way as registers hold: the last block is alone with its
/// latency.
void MmaEmitter::reduceBlocks(int64_t count) {
  constexpr int64_t wide = 4, maxLoads = 16;
  auto vector = VectorType::get({wide}, e.getF32Type());
  Value parts = e.gridDim(gpu::Dimension::z);
  Value part = e.blockId(gpu::Dimension::z);
  Value tile =
      e.add(e.mul(e.blockId(gpu::Dimension::y), e.gridDim(gpu::Dimension::x)),
            e.blockId(gpu::Dimension::x));
  Value counter = e.at(args.workspace, e.wide(e.shl(tile, 2)));
  auto partial = [&](Value p, Value slot) {
    Value place =
        e.add(e.mul(e.wide(e.add(e.mul(tile, parts), p)), e.i64(4 * count)),
              e.wide(e.shl(slot, 2)));
    return e.at(e.at(args.workspace, e.i64(choice.mmaCounterBytes())), place);
  };
  Value mine = e.shl(tid, 2);
  int64_t turn = wide * choice.threads();
  e.loop(mine, e.i32(count), e.i32(turn), {},
         [&](Value slot, Values) -> Values {
           e.storeGlobal(sumOfWarps(slot, vector), partial(part, slot), 16);
           return {};
         });
  Value flag = shared(e.i32(choice.mmaFlagOffset()));
  Value first = e.equal(tid, e.i32(0));
  e.barrier();
  e.when(first, [&] {
    // The whole block's stores are before the count, for all who see it.
    e.fence();
    Value before = e.atomicAdd(counter, e.i32(1));
    e.fence();
    LLVM::StoreOp::create(e, before, flag, 4);
  });
  e.barrier();
  Value arrived = LLVM::LoadOp::create(e, e.getI32Type(), flag, 4);
  Value last = e.sub(parts, e.i32(1));
  e.when(e.equal(arrived, last), [&] {
    e.when(first, [&] { e.storeGlobal(e.i32(0), counter, 4); });
    int64_t turns = (count + turn - 1) / turn;
    int64_t batch = std::clamp<int64_t>(maxLoads / config.maxSplit, 1, turns);
    Value none = arith::ConstantOp::create(e, e.getZeroAttr(vector));
    e.loop(mine, e.i32(count), e.i32(batch * turn), {},
           [&](Value slot, Values) -> Values {
             Values slots, sums;
             for (int64_t i = 0; i < batch; ++i) {
               Value at = e.add(slot, e.i32(i * turn));
               // Past the end: the first again, and not stored.
               if (count % (batch * turn))
                 at = e.select(e.ltu(at, e.i32(count)), at, slot);
               slots.push_back(at);
               for (int p = 0; p < config.maxSplit; ++p) {
                 Value index = e.minu(e.i32(p), last);
                 Value loaded =
                     LLVM::LoadOp::create(e, vector, partial(index, at), 16);
                 Value there = e.select(e.ltu(e.i32(p), parts), loaded, none);
                 if (p == 0)
                   sums.push_back(there);
                 else
                   sums.back() = e.addf(sums.back(), there);
               }
             }
             for (int64_t i = 0; i < batch; ++i) {
               auto store = [&] {
                 for (int64_t c = 0; c < wide; ++c)
                   storeResult(e.add(slots[i], e.i32(c)),
                               vector::ExtractOp::create(e, sums[i], c));
               };
               if (count % (batch * turn) && i)
                 e.when(e.ltu(e.add(slot, e.i32(i * turn)), e.i32(count)),
                        store);
               else
                 store();
             }
             return {};
           });
  });
}

void MmaEmitter::finish(Values &sums) {
  if (wholeRow) {
    Values products = sums, raw;
    for (int r = 0; r < config.rowTiles; ++r) {
      Value from = scaleAddress(r, e.i32(0));
      for (int64_t w = 0; w < layout.scaleBytes() / 2; ++w)
        raw.push_back(e.loadConst(e.getI32Type(), e.at(from, e.i64(4 * w)), 4));
      if (layout.hasZeroPoints)
        raw.push_back(e.loadConst(e.getI32Type(), zeroAddress(r, e.i32(0)), 4));
    }
    sums.assign(productCount(), e.f32(0));
    addScaled(raw, products, sums);
  }
  // The ring is free: nobody reads it and no copy is under way.
  NVVM::CpAsyncWaitGroupOp::create(e, 0);
  e.barrier();
  storeSums(sums);
  e.barrier();
  int64_t count = config.tokens * choice.blockChannels();
  auto storeAll = [&] {
    e.loop(tid, e.i32(count), e.i32(choice.threads()), {},
           [&](Value slot, Values) -> Values {
             storeResult(slot, sumOfWarps(slot, e.getF32Type()));
             return {};
           });
  };
  if (config.maxSplit == 1)
    return storeAll();
  Value alone = e.equal(e.gridDim(gpu::Dimension::z), e.i32(1));
  e.either(alone, storeAll, [&] { reduceBlocks(count); });
}

} // namespace qk::nvvm
