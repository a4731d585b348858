//===- TileInteger.cpp - Dots of codes and integer activations --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileFunction.h"

#include "qk/Dialect/Kernel/Kernel.h"

using namespace mlir;

namespace qk::cpu {

/// The accumulators of a segment: [half][class][row][vector]. With the high
/// nibble in place there are two classes, 1x and 16x. Where products are summed
/// in 16 bits first, the halves of x meet in one accumulator: the high one's
/// sums are multiplied by 256 as they are widened. Where x has 16 bits anyway,
/// there are no halves.
Values TileFunction::segment(Value codes, Value k, int64_t units, Value segment,
                             Value g, Value tail, ValueRange sum) {
  const bool inPlace = rows == 1 && choice.highNibbleInPlace;
  const bool blocks = isBlocked(choice, shape);
  const int64_t classes = inPlace ? 2 : 1;
  const int64_t halves = choice.pairs || choice.wideActivations ? 1 : x.size();
  const int64_t count = rows * vectors;
  Values start(halves * classes * count, e.zero(words()));
  Values correction;
  for (int64_t r = 0; r < rows; ++r)
    correction.push_back(e.broadcast(segmentSum(segment, r), lanes));
  // The default zero point goes into the initial accumulator, for free.
  if (!spec.zeroPoints)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        start[(halves - 1) * classes * count + at(r, v)] = correction[r];
  if (blocks)
    exchangeRows(start, /*toBlocks=*/true);
  auto unit = [&](Value unit, Value k, ValueRange carried) {
    return integerUnit(unit, k, inPlace, carried, 0, vectors);
  };
  Values dots = unitLoop(
      codes, k, units, start,
      [&](Value first, Value k, int64_t count, Values values) -> Values {
        if (blocks)
          return blockUnits(first, k, count, values);
        if (choice.pairs)
          return pairUnits(first, k, count, values);
        return eachUnit(first, k, count, std::move(values), unit);
      });
  if (blocks)
    exchangeRows(dots, /*toBlocks=*/false);
  Values result;
  Values scale = weightScales(tail);
  Values zeros = zeroPoints(tail, /*asFloat=*/false);
  for (int64_t r = 0; r < rows; ++r) {
    Value rowScaleVector;
    if (spec.sharing == Sharing::TokenGroup)
      rowScaleVector = e.broadcast(rowScale(r, g), lanes);
    for (int64_t v = 0; v < vectors; ++v) {
      Value total;
      for (int64_t h = 0; h < halves; ++h) {
        Value half = dots[h * classes * count + at(r, v)];
        if (inPlace) {
          Value high = arith::ShRSIOp::create(
              e.b, e.loc, dots[(h * classes + 1) * count + at(r, v)],
              e.splat(words(), int64_t(4)));
          half = arith::AddIOp::create(e.b, e.loc, half, high);
        }
        if (total) {
          total = arith::ShLIOp::create(e.b, e.loc, total,
                                        e.splat(words(), int64_t(8)));
          half = arith::AddIOp::create(e.b, e.loc, total, half);
        }
        total = half;
      }
      if (spec.zeroPoints) {
        Value product =
            arith::MulIOp::create(e.b, e.loc, zeros[v], correction[r]);
        total = arith::SubIOp::create(e.b, e.loc, total, product);
      }
      Value factor = scale[v];
      if (rowScaleVector)
        factor = arith::MulFOp::create(e.b, e.loc, factor, rowScaleVector);
      Value exact = arith::SIToFPOp::create(e.b, e.loc, floats(), total);
      result.push_back(e.fma(exact, factor, sum[at(r, v)]));
    }
  }
  return result;
}

/// The unit's fields for vector v, as the level's dot takes them.
Values TileFunction::integerCodes(Value unit, int64_t v, bool inPlace) {
  Values codes = fields(planes(unit, v), inPlace);
  if (choice.codeShift == 0)
    return codes;
  // Modulo 2^8 a sum and a difference of 128 are one.
  const auto shift = static_cast<int8_t>(choice.codeShift);
  for (Value &field : codes)
    field = arith::XOrIOp::create(
        e.b, e.loc, field,
        e.splat(cast<VectorType>(field.getType()), int64_t(shift)));
  return codes;
}

Values TileFunction::pairUnits(Value unit, Value k, int64_t units,
                               ValueRange carried) {
  const int64_t count = rows * vectors, halves = x.size();
  const int64_t together = shape.vectorByVector ? 1 : vectors;
  const Value zero = e.zero(e.vec(2 * lanes, e.b.getI16Type()));
  Values result = llvm::to_vector(carried);
  for (int64_t v0 = 0; v0 < vectors; v0 += together) {
    Values sums = eachUnit(unit, k, units, Values(halves * count, zero),
                           [&](Value unit, Value k, ValueRange sums) {
                             return integerUnit(unit, k, /*inPlace=*/false,
                                                sums, v0, v0 + together);
                           });
    for (int64_t h = 0; h < halves; ++h)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = v0; v < v0 + together; ++v) {
          Value &value = result[at(r, v)];
          value = kernel::AddPairsOp::create(
              e.b, e.loc, value.getType(), value, sums[h * count + at(r, v)],
              e.b.getI16IntegerAttr(h + 1 < halves ? 256 : 1));
        }
  }
  return result;
}

/// The dots of vectors [from, to).
Values TileFunction::integerUnit(Value unit, Value k, bool inPlace,
                                 ValueRange carried, int64_t from, int64_t to) {
  const int64_t classes = inPlace ? 2 : 1, count = rows * vectors;
  const int64_t together = shape.vectorByVector ? 1 : to - from;
  Values sum = llvm::to_vector(carried);
  Value word = quarter(k);
  for (int64_t v0 = from; v0 < to; v0 += together) {
    SmallVector<Values> codes;
    for (int64_t v = v0; v < v0 + together; ++v)
      codes.push_back(integerCodes(unit, v, inPlace));
    if (v0 == 0)
      prefetch(unit);
    for (int64_t f = 0, fields = codes[0].size(); f < fields; ++f) {
      if (choice.wideActivations) {
        for (int64_t r = 0; r < rows; ++r) {
          Value pairs[2], several;
          for (int64_t odd : {0, 1})
            pairs[odd] = e.bitcast(activation(odd, e.add(word, f),
                                              layout.paddedK() / 4, r, several),
                                   2 * lanes, e.b.getI16Type());
          for (int64_t v = v0; v < v0 + together; ++v) {
            Value &acc = sum[at(r, v)];
            acc =
                kernel::DotWideOp::create(e.b, e.loc, acc.getType(), acc,
                                          codes[v - v0][f], pairs[0], pairs[1]);
          }
        }
        continue;
      }
      for (int64_t h = 0, halves = x.size(); h < halves; ++h) {
        Value several;
        for (int64_t r = 0; r < rows; ++r) {
          Value four =
              activation(h, e.add(word, f), layout.paddedK() / 4, r, several);
          Value bytes = e.bitcast(four, 4 * lanes, e.i8());
          int64_t first = (h * classes + (inPlace ? f : 0)) * count;
          for (int64_t v = v0; v < v0 + together; ++v) {
            Value &acc = sum[first + at(r, v)];
            Value field = codes[v - v0][f];
            if (choice.pairs)
              acc = kernel::DotPairsOp::create(e.b, e.loc, acc.getType(), acc,
                                               field, bytes);
            else
              acc = kernel::DotOp::create(e.b, e.loc, acc.getType(), acc, field,
                                          bytes, choice.signedCodes);
          }
        }
      }
    }
  }
  return sum;
}

//===----------------------------------------------------------------------===//
// Blocks of two rows and two channels
//===----------------------------------------------------------------------===//

/// Words of two vectors in turn: the lower half of each, or the higher.
Value TileFunction::zip(Value lhs, Value rhs, bool high) {
  Value l = e.bitcast(lhs, lanes, e.i32()), r = e.bitcast(rhs, lanes, e.i32());
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < lanes / 2; ++i) {
    int64_t lane = high ? lanes / 2 + i : i;
    order.push_back(lane);
    order.push_back(lanes + lane);
  }
  return e.bitcast(vector::ShuffleOp::create(e.b, e.loc, l, r, order),
                   4 * lanes, e.i8());
}

/// Vectors of a row each to blocks of [channel][row], or back: of rows 2i and
/// 2i+1 the lower and the higher channels.
void TileFunction::exchangeRows(Values &sum, bool toBlocks) {
  const SmallVector<int64_t> first = toBlocks
                                         ? SmallVector<int64_t>{0, 4, 1, 5}
                                         : SmallVector<int64_t>{0, 2, 4, 6};
  const SmallVector<int64_t> second = toBlocks
                                          ? SmallVector<int64_t>{2, 6, 3, 7}
                                          : SmallVector<int64_t>{1, 3, 5, 7};
  const int64_t count = rows * vectors;
  for (int64_t h = 0, halves = x.size(); h < halves; ++h)
    for (int64_t r = 0; r < rows; r += 2)
      for (int64_t v = 0; v < vectors; ++v) {
        Value &even = sum[h * count + at(r, v)];
        Value &odd = sum[h * count + at(r + 1, v)];
        Value swapped =
            vector::ShuffleOp::create(e.b, e.loc, even, odd, second);
        even = vector::ShuffleOp::create(e.b, e.loc, even, odd, first);
        odd = swapped;
      }
}

/// Rows r and r+1 of the word pair at `pair` (an element of the packed
/// activations) in plane p; of a single word, twice.
Value TileFunction::blockActivations(int64_t p, Value pair, int64_t r,
                                     bool single) {
  if (!single)
    return e.bitcast(e.load(x[p], e.add(pair, 2 * r), lanes), 4 * lanes,
                     e.i8());
  Value two = e.load(x[p], e.add(pair, r), 2);
  Value doubled = vector::ShuffleOp::create(e.b, e.loc, two, two,
                                            ArrayRef<int64_t>{0, 0, 1, 1});
  return e.bitcast(doubled, 4 * lanes, e.i8());
}

/// Codes of one or two units for vector v by pairs of words, as BlockOrder
/// states them: of the lower and of the higher channels. Words of two units are
/// put beside each other before they are unpacked, which is one exchange for
/// all of their fields; of a unit by itself, fields are; a single field (8
/// bits) has zeros beside it.
SmallVector<std::pair<Value, Value>>
TileFunction::blockCodes(Value unit, int64_t v, int64_t units) {
  SmallVector<std::pair<Value, Value>> codes;
  Values here = planes(unit, v);
  if (units == 2) {
    Values next = planes(e.add(unit, layout.unitBytes()), v), low, high;
    for (auto [a, b] : llvm::zip_equal(here, next)) {
      low.push_back(zip(a, b, /*high=*/false));
      high.push_back(zip(a, b, /*high=*/true));
    }
    for (auto [l, h] : llvm::zip_equal(fields(low, /*inPlace=*/false),
                                       fields(high, /*inPlace=*/false)))
      codes.emplace_back(l, h);
    return codes;
  }
  Values each = fields(here, /*inPlace=*/false);
  if (each.size() == 1)
    each.push_back(e.zero(each.front().getType()));
  for (size_t f = 0; f < each.size(); f += 2)
    codes.emplace_back(zip(each[f], each[f + 1], /*high=*/false),
                       zip(each[f], each[f + 1], /*high=*/true));
  return codes;
}

Values TileFunction::blockUnits(Value unit, Value k, int64_t units,
                                ValueRange carried) {
  const int64_t count = rows * vectors;
  const int64_t together = shape.vectorByVector ? 1 : vectors;
  const bool single = units == 1 && layout.unitK() == 4;
  Values sum = llvm::to_vector(carried);
  Value start = activationAt(quarter(k), layout.paddedK() / 4, 0);
  for (int64_t v0 = 0; v0 < vectors; v0 += together) {
    SmallVector<SmallVector<std::pair<Value, Value>>> codes;
    for (int64_t v = v0; v < v0 + together; ++v)
      codes.push_back(blockCodes(unit, v, units));
    for (int64_t u = 0; u < units && v0 == 0; ++u)
      prefetch(e.add(unit, u * layout.unitBytes()));
    for (int64_t j = 0, pairs = codes[0].size(); j < pairs; ++j) {
      Value pair = e.add(start, j * 2 * rows);
      for (int64_t h = 0, halves = x.size(); h < halves; ++h)
        for (int64_t r = 0; r < rows; r += 2) {
          Value both = blockActivations(h, pair, r, single);
          for (int64_t v = v0; v < v0 + together; ++v) {
            auto [lower, higher] = codes[v - v0][j];
            Value &low = sum[h * count + at(r, v)];
            Value &high = sum[h * count + at(r + 1, v)];
            low = kernel::DotBlocksOp::create(e.b, e.loc, low.getType(), low,
                                              lower, both);
            high = kernel::DotBlocksOp::create(e.b, e.loc, high.getType(), high,
                                               higher, both);
          }
        }
    }
  }
  return sum;
}

/// k/4; k is a multiple of 4 by construction.
Value TileFunction::quarter(Value k) {
  return arith::ShRUIOp::create(e.b, e.loc, k, e.index(2));
}

Value TileFunction::segmentSum(Value segment, int64_t r) {
  Value at = activationAt(segment, segmentsOfRow(spec, choice), r);
  return memref::LoadOp::create(e.b, e.loc, sums, at);
}

Value TileFunction::rowScale(int64_t r, Value g) {
  Value at = spec.sharing == Sharing::Tensor ? e.index(0) : e.add(row, r);
  return memref::LoadOp::create(e.b, e.loc, scales, ValueRange{at, g});
}

} // namespace qk::cpu
