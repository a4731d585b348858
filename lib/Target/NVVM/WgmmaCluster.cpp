//===- WgmmaCluster.cpp - Sums of a cluster that splits K -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The end of a kernel of WgmmaKernel.cpp where its blocks along z are a
/// cluster.
/// A thread's sums are pieces of four (two tokens, two channels). Piece p of
/// every block goes to block p mod blocks, into the shared memory that its ring
/// was in; each block adds its pieces up in the order of K and stores them.
/// Nothing goes through global memory, and all blocks share the work.
/// Warpgroups that split K within a block are sources of their own, and take
/// turns at its pieces.
///
///   shared memory = [piece / blocks][source][thread][4] f32
///
//===----------------------------------------------------------------------===//

#include "WgmmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {

/// Sums of piece `piece` of this thread, plus the bias, to y.
void WgmmaEmitter::storePiece(Value piece, ArrayRef<Value> sums) {
  Value perTile = e.i32(config.tokens / 8);
  Value token =
      e.add(tokenBase, e.add(e.shl(t, 1), e.shl(e.remu(piece, perTile), 3)));
  Value channel = e.add(
      e.mul(channelBlock, e.i32(choice.blockChannels())),
      e.add(e.mul(groupN, e.i32(64 * config.rowTiles)),
            e.add(e.shl(e.divu(piece, perTile), 6), e.add(e.shl(warp, 4), g))));
  int64_t bytes = elementTypeBytes(problem.type);
  Type type = mlirType(e.getContext(), problem.type);
  Value xScales[2];
  if (args.xScales)
    for (int i = 0; i < 2; ++i) {
      // Past the last row: its first one's, for results that are not stored.
      Value row = e.add(token, e.i32(i));
      row = e.select(e.ltu(row, args.m), row, e.i32(0));
      xScales[i] = loadXScale(e, problem, args, row);
    }
  for (int half = 0; half < 2; ++half) {
    Value mine = e.add(channel, e.i32(8 * half));
    e.when(e.ltu(mine, args.n), [&] {
      Value bias;
      if (args.bias) {
        int64_t biasBytes = elementTypeBytes(*problem.bias);
        bias = e.toF32(e.loadConst(
            mlirType(e.getContext(), *problem.bias),
            e.at(args.bias, e.mul(e.wide(mine), e.i64(biasBytes))), biasBytes));
      }
      for (int i = 0; i < 2; ++i) {
        Value row = e.add(token, e.i32(i));
        e.when(e.ltu(row, args.m), [&] {
          Value sum = scaled(sums[2 * half + i], xScales[i]);
          if (bias)
            sum = e.addf(sum, bias);
          Value place = e.add(e.mul(e.wide(row), e.wide(args.n)), e.wide(mine));
          e.storeGlobal(e.fromF32(type, sum),
                        e.at(args.y, e.mul(place, e.i64(bytes))), bytes);
        });
      }
    });
  }
}

void WgmmaEmitter::reduceCluster(ArrayRef<Value> sums) {
  Value parts = e.gridDim(gpu::Dimension::z);
  Value part = e.blockId(gpu::Dimension::z);
  int64_t pieces = choice.wgmmaPieces();
  int blocks = std::min(config.cluster, config.maxSplit);
  int64_t threads = kGroupThreads * config.groupsN;
  Value thread = e.add(e.mul(groupN, e.i32(kGroupThreads)), inGroup);
  Value sources = e.mul(parts, e.i32(config.groupsK));
  auto place = [&](Value piece, Value from) {
    Value row = e.add(e.mul(e.divu(piece, parts), sources), from);
    return shared(e.shl(e.add(e.mul(row, e.i32(threads)), thread), 4));
  };
  Value source = e.add(e.mul(part, e.i32(config.groupsK)), groupK);
  // All are through with their rings, where the pieces go.
  hopper.clusterBarrier();
  for (int64_t piece = 0; piece < pieces; ++piece)
    hopper.storeToBlock(place(e.i32(piece), source),
                        e.remu(e.i32(piece), parts), sums.slice(4 * piece, 4));
  hopper.clusterBarrier();

  auto vector = VectorType::get({4}, e.getF32Type());
  Value first = e.add(part, e.mul(parts, groupK));
  e.loop(first, e.i32(pieces), sources, {}, [&](Value piece, Values) -> Values {
    Values total(4, e.f32(0));
    for (int p = 0; p < blocks * config.groupsK; ++p) {
      Value there = e.ltu(e.i32(p), sources);
      Value four = LLVM::LoadOp::create(
          e, vector, place(piece, e.select(there, e.i32(p), e.i32(0))), 16);
      for (int64_t i = 0; i < 4; ++i) {
        Value value = vector::ExtractOp::create(e, four, i);
        total[i] = e.addf(total[i], e.select(there, value, e.f32(0)));
      }
    }
    storePiece(piece, total);
    return {};
  });
}

} // namespace qk::nvvm
