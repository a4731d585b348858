//===- WgmmaReduce.cpp - Sums of those that split K -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The end of a kernel of WgmmaKernel.cpp, among its consuming warpgroups: as
/// in MmaReduce.cpp, whose workspace this is.
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {

/// A warpgroup's sums to shared memory: [groupK][token][channel], padded.
void WgmmaEmitter::storeSums(ArrayRef<Value> sums) {
  for (int tile = 0; tile < config.rowTiles; ++tile)
    for (size_t p = 0; p < sumsOfTile(); ++p) {
      Value token = e.add(e.shl(t, 1), e.i32(p / 4 * 8 + p % 2));
      Value channel = e.add(
          e.add(e.mul(groupN, e.i32(64 * config.rowTiles)), e.shl(warp, 4)),
          e.add(g, e.i32(64 * tile + p / 2 % 2 * 8)));
      Value index =
          e.add(e.mul(e.add(token, e.mul(groupK, e.i32(config.tokens))),
                      e.i32(choice.mmaSumChannels())),
                channel);
      LLVM::StoreOp::create(e, sums[tile * sumsOfTile() + p],
                            shared(e.shl(index, 2)), 4);
    }
}

/// What the warpgroups along K have together for `count` channels from place
/// `slot` of the block's tokens x channels.
SmallVector<Value> WgmmaEmitter::sumsOfGroups(Value slot, int64_t count) {
  Value channels = e.i32(choice.blockChannels());
  Value token = e.divu(slot, channels), channel = e.remu(slot, channels);
  auto vector = VectorType::get({4}, e.getF32Type());
  Values sums(count);
  for (int part = 0; part < config.groupsK; ++part) {
    Value index = e.add(e.mul(e.add(token, e.i32(part * config.tokens)),
                              e.i32(choice.mmaSumChannels())),
                        channel);
    for (int64_t i = 0; i < count; i += 4) {
      Value four = loadShared(vector, e.shl(e.add(index, e.i32(i)), 2), 16);
      for (int64_t j = 0; j < 4; ++j) {
        Value value = vector::ExtractOp::create(e, four, j);
        sums[i + j] = part ? e.addf(sums[i + j], value) : value;
      }
    }
  }
  return sums;
}

Value WgmmaEmitter::scaled(Value sum, Value xScale) {
  if (int shift = operands.sumShift())
    sum = e.mulf(sum, e.f32(1.0f / float(1 << shift)));
  return xScale ? e.mulf(sum, xScale) : sum;
}

/// What y is aligned to (lib/Conversion/NVVM/README.md): eight f32 are two
/// stores.
constexpr int64_t kVector = 16;

/// Sums of channels from place `slot`, plus the bias, to y: in one store where
/// `together`.
void WgmmaEmitter::storeResults(Value slot, ArrayRef<Value> sums,
                                bool together) {
  Value channels = e.i32(choice.blockChannels());
  Value channel = e.add(e.mul(channelBlock, channels), e.remu(slot, channels));
  Value row = e.add(tokenBase, e.divu(slot, channels));
  int64_t bytes = elementTypeBytes(problem.type);
  Type type = mlirType(e.getContext(), problem.type);
  Value place = e.mul(
      e.add(e.mul(e.wide(row), e.wide(args.n)), e.wide(channel)), e.i64(bytes));
  Value validRow = e.ltu(row, args.m), xScale;
  if (args.xScales)
    // Past the last row: its first one's, for results that are not stored.
    xScale = loadXScale(e, problem, args, e.select(validRow, row, e.i32(0)));
  auto result = [&](int64_t i) {
    Value sum = scaled(sums[i], xScale);
    if (args.bias) {
      int64_t biasBytes = elementTypeBytes(*problem.bias);
      Value at = e.mul(e.wide(e.add(channel, e.i32(i))), e.i64(biasBytes));
      sum = e.addf(sum,
                   e.toF32(e.loadConst(mlirType(e.getContext(), *problem.bias),
                                       e.at(args.bias, at), biasBytes)));
    }
    return e.fromF32(type, sum);
  };
  if (together) {
    e.when(e.bitAnd(validRow, e.ltu(channel, args.n)), [&] {
      Values results;
      for (size_t i = 0; i < sums.size(); ++i)
        results.push_back(result(i));
      auto vector = VectorType::get({int64_t(sums.size())}, type);
      e.storeGlobal(vector::FromElementsOp::create(e, vector, results),
                    e.at(args.y, place),
                    std::min<int64_t>(kVector, bytes * sums.size()));
    });
    return;
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    Value valid = e.bitAnd(validRow, e.ltu(e.add(channel, e.i32(i)), args.n));
    e.when(valid, [&] {
      e.storeGlobal(result(i), e.at(args.y, e.add(place, e.i64(bytes * i))),
                    bytes);
    });
  }
}

/// body(first place of `step` of this thread), for all places of the block.
void WgmmaEmitter::forPlaces(int64_t step, function_ref<void(Value)> body) {
  int64_t count = config.tokens * choice.blockChannels();
  e.loop(e.mul(tid, e.i32(step)), e.i32(count),
         e.i32(step * kGroupThreads * config.consumers()), {},
         [&](Value slot, Values) -> Values {
           body(slot);
           return {};
         });
}

/// Stores what `sumsAt` gives for places of the block, eight at a time where
/// they are whole vectors of y.
void WgmmaEmitter::storeAll(function_ref<Values(Value, int64_t)> sumsAt) {
  constexpr int64_t together = 8;
  Value whole = e.equal(e.bitAnd(args.n, e.i32(together - 1)), e.i32(0));
  e.either(
      whole,
      [&] {
        forPlaces(together, [&](Value slot) {
          storeResults(slot, sumsAt(slot, together), /*together=*/true);
        });
      },
      [&] {
        forPlaces(4, [&](Value slot) {
          storeResults(slot, sumsAt(slot, 4), /*together=*/false);
        });
      });
}

/// Where several blocks have a share of K each.
void WgmmaEmitter::reduceBlocks() {
  int64_t count = config.tokens * choice.blockChannels();
  auto vector = VectorType::get({4}, e.getF32Type());
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
  forPlaces(4, [&](Value slot) {
    Value four =
        vector::FromElementsOp::create(e, vector, sumsOfGroups(slot, 4));
    e.storeGlobal(four, partial(part, slot), 16);
  });
  Value flag = shared(e.i32(choice.wgmmaBarrierOffset() + 16 * config.stages));
  Value first = e.equal(tid, e.i32(0));
  consumersBarrier();
  e.when(first, [&] {
    // The whole block's stores are before the count, for all who see it.
    e.fence();
    Value before = e.atomicAdd(counter, e.i32(1));
    e.fence();
    LLVM::StoreOp::create(e, before, flag, 4);
  });
  consumersBarrier();
  Value arrived = LLVM::LoadOp::create(e, e.getI32Type(), flag, 4);
  e.when(e.equal(arrived, e.sub(parts, e.i32(1))), [&] {
    e.when(first, [&] { e.storeGlobal(e.i32(0), counter, 4); });
    storeAll([&](Value slot, int64_t count) {
      Values sums(count, e.f32(0));
      // All parts are under way at once; those past the last are 0.
      for (int p = 0; p < config.maxSplit; ++p) {
        Value there = e.ltu(e.i32(p), parts);
        Value from = e.select(there, e.i32(p), e.i32(0));
        for (int64_t i = 0; i < count; i += 4) {
          Value four = LLVM::LoadOp::create(
              e, vector, partial(from, e.add(slot, e.i32(i))), 16);
          for (int64_t j = 0; j < 4; ++j) {
            Value value = vector::ExtractOp::create(e, four, j);
            sums[i + j] = e.addf(sums[i + j], e.select(there, value, e.f32(0)));
          }
        }
      }
      return sums;
    });
  });
}

void WgmmaEmitter::finish(ArrayRef<Value> sums) {
  auto meet = [&] {
    // The ring is free once all warpgroups are through.
    consumersBarrier();
    storeSums(sums);
    consumersBarrier();
  };
  auto storeOwn = [&] {
    storeAll(
        [&](Value slot, int64_t count) { return sumsOfGroups(slot, count); });
  };
  if (config.maxSplit == 1) {
    meet();
    return storeOwn();
  }
  Value alone = e.equal(e.gridDim(gpu::Dimension::z), e.i32(1));
  auto meetAndStore = [&] {
    meet();
    e.either(alone, storeOwn, [&] { reduceBlocks(); });
  };
  if (config.cluster == 1)
    return meetAndStore();
  // By the launch: a cluster where there are few enough blocks.
  Value few = e.ltu(e.gridDim(gpu::Dimension::z), e.i32(config.cluster + 1));
  Value clustered =
      e.bitAnd(few, e.ltu(e.i32(1), e.gridDim(gpu::Dimension::z)));
  bool always = config.maxSplit <= config.cluster;
  e.either(
      clustered, [&] { reduceCluster(sums); },
      [&] {
        if (!always)
          return meetAndStore();
        meet();
        storeOwn();
      });
}

} // namespace qk::nvvm
