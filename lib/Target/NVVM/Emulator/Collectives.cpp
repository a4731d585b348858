//===- Collectives.cpp - What a warp does together ------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include "qk/Numerics/Float8.h"

#include <bit>
#include <cstring>

namespace qk::nvvm {

uint32_t BlockRun::shuffle(ShuffleMode mode, uint32_t mask, uint32_t value,
                           int32_t b, int32_t c, int32_t site) {
  threads[running].value = value;
  arriveAtWarp(mask, site);
  // PTX ISA, shfl.sync: segment mask in bits 8-12 of c, clamp in bits 0-4.
  int lane = running % kWarp, first = running - lane;
  int segment = c >> 8 & 31, clamp = c & 31;
  int maxLane = (lane & segment) | (clamp & ~segment);
  int minLane = lane & segment;
  int source = lane;
  bool inRange = false;
  switch (mode) {
  case ShuffleMode::Up:
    source = lane - b;
    inRange = source >= maxLane;
    break;
  case ShuffleMode::Down:
    source = lane + b;
    inRange = source <= maxLane;
    break;
  case ShuffleMode::Bfly:
    source = lane ^ b;
    inRange = source <= maxLane;
    break;
  case ShuffleMode::Idx:
    source = minLane | (b & ~segment);
    inRange = source <= maxLane;
    break;
  }
  if (!inRange)
    source = lane;
  if (!(mask >> source & 1))
    fail("shuffles from lane " + std::to_string(source) +
         ", which the mask leaves out");
  uint32_t result = threads[first + source].value;
  // Nobody may overwrite its value before all have read.
  arriveAtWarp(mask, site);
  return result;
}

void BlockRun::loadMatrices(const char *row, uint32_t *words, int32_t site) {
  constexpr int rowBytes = 16, rows = 8, matrices = 4;
  access(row, rowBytes, rowBytes, /*isStore=*/false);
  threads[running].matrixRow = row;
  threads[running].matrixWords = words;
  arriveAtWarp(~0u, site, [&](int first) {
    for (int lane = 0; lane < kWarp; ++lane)
      for (int i = 0; i < matrices; ++i)
        std::memcpy(
            threads[first + lane].matrixWords + i,
            threads[first + rows * i + lane / 4].matrixRow + lane % 4 * 4, 4);
  });
}

//===----------------------------------------------------------------------===//
// mma.sync
//===----------------------------------------------------------------------===//

static float fromBits(uint16_t bits, MmaKind kind) {
  if (kind == MmaKind::BF16)
    return std::bit_cast<float>(uint32_t(bits) << 16);
  return float(std::bit_cast<_Float16>(bits));
}

/// Products of one fragment element type, summed up in `Sum`. `get` reads
/// element `i` of a lane's register `r`; PTX ISA, "Matrix fragments for
/// mma.m16n8k16 / m16n8k32": a register holds `perRegister` consecutive k, the
/// registers of A are (row g, low k), (g + 8, low), (g, high), (g + 8, high),
/// those of B low and high k, those of C (g, 2t), (g, 2t + 1), (g + 8, …).
template <typename Sum, typename Get>
static void multiply(const MmaOperands *const *lanes, int perRegister,
                     Get get) {
  constexpr int rows = 16, columns = 8, maxK = 32;
  Sum a[rows][maxK], b[maxK][columns];
  int halfK = 4 * perRegister;
  for (int lane = 0; lane < BlockRun::kWarp; ++lane) {
    int g = lane / 4, t = lane % 4;
    for (int i = 0; i < perRegister; ++i) {
      int k = t * perRegister + i;
      for (int r = 0; r < 4; ++r)
        a[g + 8 * (r & 1)][k + halfK * (r >> 1)] = get(lanes[lane]->a[r], i);
      for (int r = 0; r < 2; ++r)
        b[k + halfK * r][g] = get(lanes[lane]->b[r], i);
    }
  }
  for (int lane = 0; lane < BlockRun::kWarp; ++lane)
    for (int r = 0; r < 4; ++r) {
      int row = lane / 4 + 8 * (r >> 1), column = lane % 4 * 2 + (r & 1);
      Sum sum = std::bit_cast<Sum>(lanes[lane]->c[r]);
      for (int k = 0; k < 2 * halfK; ++k)
        sum += a[row][k] * b[k][column];
      lanes[lane]->d[r] = std::bit_cast<uint32_t>(sum);
    }
}

void BlockRun::mma(MmaKind kind, const MmaOperands &operands, int32_t site) {
  threads[running].mma = &operands;
  arriveAtWarp(~0u, site, [&](int first) {
    const MmaOperands *lanes[kWarp];
    for (int lane = 0; lane < kWarp; ++lane)
      lanes[lane] = threads[first + lane].mma;
    if (kind == MmaKind::S8)
      multiply<int32_t>(lanes, 4, [](uint32_t word, int i) {
        return int32_t(int8_t(word >> 8 * i));
      });
    else if (kind == MmaKind::E4M3)
      multiply<float>(lanes, 4, [](uint32_t word, int i) {
        return numerics::decodeE4M3(uint8_t(word >> 8 * i));
      });
    else
      multiply<float>(lanes, 2, [&](uint32_t word, int i) {
        return fromBits(uint16_t(word >> 16 * i), kind);
      });
  });
}

} // namespace qk::nvvm
