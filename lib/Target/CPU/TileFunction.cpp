//===- TileFunction.cpp - The quantised matmul of one tile ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// One function: rows [m0, m1) of x times one tile of 64 packed channels. The
/// same text for every width, activation form and level; a level differs by its
/// lanes and register tiles (KernelTable) and by what qk_kernel ops become.
///
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "qk/Dialect/Kernel/Kernel.h"

using namespace mlir;

namespace qk::cpu {

namespace {

class TileFunction {
public:
  TileFunction(Emitter &e, const KernelSpec &spec, const KernelChoice &choice,
               Block::BlockArgListType arguments)
      : e(e), spec(spec), choice(choice), layout(spec.layout()),
        lanes(choice.lanes), integer(spec.activation != Activation::Float) {
    auto next = arguments.begin();
    int64_t planes = !integer || spec.activation == Activation::Int8 ? 1 : 2;
    for (int64_t i = 0; i < planes; ++i)
      x.push_back(*next++);
    if (integer) {
      sums = *next++;
      scales = *next++;
    }
    weights = *next++;
    if (spec.bias)
      bias = *next++;
    y = *next++;
    tile = *next++;
    firstRow = *next++;
    lastRow = *next++;
  }

  void build() {
    Value n = e.dim(y, 1);
    tileBase = e.mul(tile, layout.tileBytes());
    tileChannel = e.mul(tile, kTileChannels);
    channels = e.min(e.sub(n, tileChannel), e.index(kTileChannels));
    for (const RegisterTile &shape : choice.tiles) {
      Value end = lastRow;
      if (shape.rows != 1) {
        Value left = arith::RemUIOp::create(
            e.b, e.loc, e.sub(lastRow, firstRow), e.index(shape.rows));
        end = e.sub(lastRow, left);
      }
      rows = shape.rows;
      vectors = shape.vectors;
      unroll = shape.unroll;
      // Channels outside, rows inside: the weights of a few channels stay in
      // cache while the rows stream by.
      e.forEach(e.index(0), channels, vectors * lanes, [&](Value c) {
        channel = c;
        e.forEach(firstRow, end, rows, [&](Value m) {
          row = m;
          registerTile();
        });
      });
      firstRow = end;
    }
  }

private:
  VectorType words() { return e.vec(lanes, e.i32()); }
  VectorType floats() { return e.vec(lanes, e.f32()); }
  int64_t at(int64_t r, int64_t v) const { return r * vectors + v; }

  void registerTile() {
    Values sum(rows * vectors, e.zero(floats()));
    int64_t length = layout.groupLength(0), full = spec.k / length;
    if (full == 1)
      sum = group(e.index(0), length, sum);
    else
      sum = e.forEach(e.index(0), e.index(full), 1, sum,
                      [&](Value g, ValueRange carried) {
                        return group(g, length, carried);
                      });
    if (int64_t tail = spec.k % length)
      sum = group(e.index(full), tail, sum);
    if (integer && spec.sharing != Sharing::TokenGroup)
      for (int64_t r = 0; r < rows; ++r) {
        Value scale = e.broadcast(rowScale(r, e.index(0)), lanes);
        for (int64_t v = 0; v < vectors; ++v)
          sum[at(r, v)] =
              arith::MulFOp::create(e.b, e.loc, sum[at(r, v)], scale);
      }
    store(sum);
  }

  //===--------------------------------------------------------------------===//
  // A group: sum += scale * (dot of codes and x, corrected by zero points)
  //===--------------------------------------------------------------------===//

  Values group(Value g, int64_t length, ValueRange sum) {
    int64_t units = (length + layout.unitK() - 1) / layout.unitK();
    Value base = e.add(tileBase, e.mul(g, layout.groupBytes(0)));
    Value codes = e.add(base, e.mul(channel, 4));
    Value tail = e.add(base, units * layout.unitBytes());
    Value k = e.mul(g, layout.paddedGroupLength());
    if (!integer) {
      Values zeros = zeroPoints(tail, /*asFloat=*/true);
      Values dots =
          unitLoop(codes, k, units, Values(rows * vectors, e.zero(floats())),
                   [&](Value unit, Value k, ValueRange carried) {
                     return floatUnit(unit, k, zeros, carried);
                   });
      Values scale = weightScales(tail), result;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t v = 0; v < vectors; ++v)
          result.push_back(e.fma(dots[at(r, v)], scale[v], sum[at(r, v)]));
      return result;
    }
    int64_t segmentUnits = choice.segment / layout.unitK();
    int64_t full = units / segmentUnits, left = units % segmentUnits;
    Value firstSegment = e.mul(g, segmentsOfGroup(spec, choice, 0));
    auto at = [&](Value s, int64_t units, ValueRange sum) {
      return segment(e.add(codes, e.mul(s, segmentUnits * layout.unitBytes())),
                     e.add(k, e.mul(s, choice.segment)), units,
                     e.add(firstSegment, s), g, tail, sum);
    };
    Values result = llvm::to_vector(sum);
    if (full == 1)
      result = at(e.index(0), segmentUnits, result);
    else if (full > 1)
      result = e.forEach(e.index(0), e.index(full), 1, result,
                         [&](Value s, ValueRange carried) {
                           return at(s, segmentUnits, carried);
                         });
    if (left)
      result = at(e.index(full), left, result);
    return result;
  }

  using UnitBody = llvm::function_ref<Values(Value, Value, ValueRange)>;

  /// Runs `body(address of the unit's codes, k of its first code, carried)`
  /// over `units` units.
  Values unitLoop(Value codes, Value k, int64_t units, Values carried,
                  UnitBody body) {
    int64_t step = std::min<int64_t>(unroll, units);
    int64_t whole = units / step * step;
    auto run = [&](Value u, int64_t count, ValueRange carried) {
      Value unit = e.add(codes, e.mul(u, layout.unitBytes()));
      Value first = e.add(k, e.mul(u, layout.unitK()));
      auto units = [&](Values values) {
        for (int64_t i = 0; i < count; ++i)
          values = body(e.add(unit, i * layout.unitBytes()),
                        e.add(first, i * layout.unitK()), values);
        return values;
      };
      Values values = llvm::to_vector(carried);
      if (!integer || !choice.pairs)
        return units(values);
      // In 16 bits first.
      Type pairs = e.vec(2 * lanes, e.b.getI16Type());
      Values sums = units(Values(values.size(), e.zero(pairs)));
      for (auto [value, sum] : llvm::zip_equal(values, sums))
        value =
            kernel::AddPairsOp::create(e.b, e.loc, value.getType(), value, sum);
      return values;
    };
    if (whole == step)
      carried = run(e.index(0), step, carried);
    else
      carried = e.forEach(
          e.index(0), e.index(whole), step, carried,
          [&](Value u, ValueRange values) { return run(u, step, values); });
    if (units != whole)
      carried = run(e.index(whole), units - whole, carried);
    return carried;
  }

  /// The fields of the unit at `unit` for vector `v` of the register tile.
  ValueRange fields(Value unit, int64_t v, bool inPlace) {
    Values planes;
    for (int64_t p = 0; p < layout.planes(); ++p)
      planes.push_back(e.load(
          weights, e.add(unit, p * kPlaneBytes + v * 4 * lanes), 4 * lanes));
    return kernel::UnpackOp::create(e.b, e.loc, layout.scheme.bits(), planes,
                                    inPlace)
        .getFields();
  }

  /// Row r of the register tile in plane `p` of the packed activations, element
  /// k (counted in elements of the plane, `perRow` of them a row).
  Value activation(int64_t p, Value k, int64_t perRow, int64_t r) {
    Value at = e.add(e.add(e.mul(row, perRow), e.mul(k, rows)), r);
    return memref::LoadOp::create(e.b, e.loc, x[p], at);
  }

  void prefetch(Value unit) {
    if (rows == 1 || choice.prefetchBytes == 0)
      return;
    // A line a vector of 16 channels, plane by plane.
    for (int64_t offset = 0; offset < layout.planes() * kPlaneBytes;
         offset += kPlaneBytes)
      for (int64_t line = 0; line < vectors * lanes * 4; line += 64)
        memref::PrefetchOp::create(
            e.b, e.loc, weights,
            e.add(unit, offset + line + choice.prefetchBytes),
            /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
  }

  //===--------------------------------------------------------------------===//
  // Float activations: c - z is exact in f32, then one FMA a row
  //===--------------------------------------------------------------------===//

  Values floatUnit(Value unit, Value k, const Values &zeros,
                   ValueRange carried) {
    Values sum = llvm::to_vector(carried);
    SmallVector<ValueRange> codes;
    for (int64_t v = 0; v < vectors; ++v)
      codes.push_back(fields(unit, v, /*inPlace=*/false));
    prefetch(unit);
    for (int64_t f = 0, count = codes[0].size(); f < count; ++f) {
      for (int64_t j = 0; j < 4; ++j) {
        Values weight;
        for (int64_t v = 0; v < vectors; ++v)
          weight.push_back(floatCode(codes[v][f], j, zeros, v));
        for (int64_t r = 0; r < rows; ++r) {
          Value value = e.broadcast(
              activation(0, e.add(k, 4 * f + j), layout.paddedK(), r), lanes);
          for (int64_t v = 0; v < vectors; ++v)
            sum[at(r, v)] = e.fma(value, weight[v], sum[at(r, v)]);
        }
      }
    }
    return sum;
  }

  /// Byte j of every 32-bit lane of a field, less the zero point, in f32.
  Value floatCode(Value field, int64_t j, const Values &zeros, int64_t v) {
    Value word = e.bitcast(field, lanes, e.i32());
    if (j != 0)
      word = arith::ShRUIOp::create(e.b, e.loc, word, e.splat(words(), 8 * j));
    if (j != 3)
      word = arith::AndIOp::create(e.b, e.loc, word,
                                   e.splat(words(), int64_t(255)));
    Value code = arith::SIToFPOp::create(e.b, e.loc, floats(), word);
    Value zero =
        zeros.empty() ? e.splat(floats(), double(defaultZero())) : zeros[v];
    return arith::SubFOp::create(e.b, e.loc, code, zero);
  }

  //===--------------------------------------------------------------------===//
  // Integer activations: dots of u8 codes and s8 halves, exact, then f32
  //===--------------------------------------------------------------------===//

  /// The accumulators of a segment: [half][class][row][vector]. With the high
  /// nibble in place there are two classes, 1x and 16x.
  Values segment(Value codes, Value k, int64_t units, Value segment, Value g,
                 Value tail, ValueRange sum) {
    const bool inPlace = rows == 1 && choice.highNibbleInPlace;
    const int64_t classes = inPlace ? 2 : 1, halves = x.size();
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
    Values dots = unitLoop(codes, k, units, start,
                           [&](Value unit, Value k, ValueRange carried) {
                             return integerUnit(unit, k, inPlace, carried);
                           });
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

  Values integerUnit(Value unit, Value k, bool inPlace, ValueRange carried) {
    const int64_t classes = inPlace ? 2 : 1, count = rows * vectors;
    Values sum = llvm::to_vector(carried);
    SmallVector<ValueRange> codes;
    for (int64_t v = 0; v < vectors; ++v)
      codes.push_back(fields(unit, v, inPlace));
    prefetch(unit);
    Value word = quarter(k);
    for (int64_t f = 0, fields = codes[0].size(); f < fields; ++f)
      for (int64_t h = 0, halves = x.size(); h < halves; ++h)
        for (int64_t r = 0; r < rows; ++r) {
          Value four = e.broadcast(
              activation(h, e.add(word, f), layout.paddedK() / 4, r), lanes);
          Value bytes = e.bitcast(four, 4 * lanes, e.i8());
          int64_t first = (h * classes + (inPlace ? f : 0)) * count;
          for (int64_t v = 0; v < vectors; ++v) {
            Value &acc = sum[first + at(r, v)];
            acc = choice.pairs
                      ? Value(kernel::DotPairsOp::create(
                            e.b, e.loc, acc.getType(), acc, codes[v][f], bytes))
                      : Value(kernel::DotOp::create(e.b, e.loc, acc.getType(),
                                                    acc, codes[v][f], bytes));
          }
        }
    return sum;
  }

  /// k/4; k is a multiple of 4 by construction.
  Value quarter(Value k) {
    return arith::ShRUIOp::create(e.b, e.loc, k, e.index(2));
  }

  Value segmentSum(Value segment, int64_t r) {
    int64_t perRow = segmentsOfRow(spec, choice);
    Value at = e.add(e.add(e.mul(row, perRow), e.mul(segment, rows)), r);
    return memref::LoadOp::create(e.b, e.loc, sums, at);
  }

  Value rowScale(int64_t r, Value g) {
    Value at = spec.sharing == Sharing::Tensor ? e.index(0) : e.add(row, r);
    return memref::LoadOp::create(e.b, e.loc, scales, ValueRange{at, g});
  }

  //===--------------------------------------------------------------------===//
  // Scales, zero points, the result
  //===--------------------------------------------------------------------===//

  int64_t defaultZero() const {
    return spec.scheme.defaultZeroPoint() + layout.bias();
  }

  /// `size` bytes a channel, at `base`, for vector v.
  Value channelBytes(Value base, int64_t v, int64_t size) {
    Value at = e.add(e.add(base, e.mul(channel, size)), v * lanes * size);
    return e.load(weights, at, lanes * size);
  }

  Values weightScales(Value tail) {
    Values result;
    for (int64_t v = 0; v < vectors; ++v) {
      switch (spec.scheme.scaleType) {
      case numerics::ScaleType::F32:
        result.push_back(e.bitcast(channelBytes(tail, v, 4), lanes, e.f32()));
        break;
      case numerics::ScaleType::F16:
        result.push_back(e.toFloat(
            e.bitcast(channelBytes(tail, v, 2), lanes, e.b.getF16Type())));
        break;
      case numerics::ScaleType::BF16:
        result.push_back(e.toFloat(
            e.bitcast(channelBytes(tail, v, 2), lanes, e.b.getI16Type())));
        break;
      }
    }
    return result;
  }

  /// Empty where the kernel has none.
  Values zeroPoints(Value tail, bool asFloat) {
    Values result;
    if (!spec.zeroPoints)
      return result;
    Value base = e.add(tail, layout.scaleBytes());
    int64_t size = layout.zeroPointBytes() / kTileChannels;
    for (int64_t v = 0; v < vectors; ++v) {
      Value zeros = channelBytes(base, v, size);
      if (size == 2)
        zeros = e.bitcast(zeros, lanes, e.b.getI16Type());
      zeros = arith::ExtSIOp::create(e.b, e.loc, words(), zeros);
      if (asFloat)
        zeros = arith::SIToFPOp::create(e.b, e.loc, floats(), zeros);
      result.push_back(zeros);
    }
    return result;
  }

  void store(const Values &sum) {
    Value whole =
        arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sle,
                              e.add(channel, vectors * lanes), channels);
    auto choose = scf::IfOp::create(e.b, e.loc, whole, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(e.b);
    e.b.setInsertionPoint(choose.thenBlock()->getTerminator());
    store(sum, /*masked=*/false);
    e.b.setInsertionPoint(choose.elseBlock()->getTerminator());
    store(sum, /*masked=*/true);
  }

  void store(const Values &sum, bool masked) {
    for (int64_t v = 0; v < vectors; ++v) {
      Value inTile = e.add(channel, v * lanes);
      Value n = e.add(tileChannel, inTile);
      Value mask, offset;
      if (masked)
        mask = vector::CreateMaskOp::create(
            e.b, e.loc, e.vec(lanes, e.b.getI1Type()), e.sub(channels, inTile));
      if (bias)
        offset =
            masked ? Value(vector::MaskedLoadOp::create(
                         e.b, e.loc, floats(), bias, n, mask, e.zero(floats())))
                   : e.load(bias, n, lanes);
      for (int64_t r = 0; r < rows; ++r) {
        Value value = sum[at(r, v)];
        if (offset)
          value = arith::AddFOp::create(e.b, e.loc, value, offset);
        value = e.fromFloat(value, spec.element);
        Values indices = {e.add(row, r), n};
        if (masked)
          vector::MaskedStoreOp::create(e.b, e.loc, y, indices, mask, value);
        else
          vector::StoreOp::create(e.b, e.loc, value, y, indices);
      }
    }
  }

  Emitter &e;
  const KernelSpec &spec;
  const KernelChoice &choice;
  const Layout layout;
  const int64_t lanes;
  const bool integer;
  // The function's arguments.
  Values x;
  Value sums, scales, weights, bias, y, tile, firstRow, lastRow;
  // The tile: its bytes, its first channel, how many channels it has.
  Value tileBase, tileChannel, channels;
  // The register tile that is being built: shape, first row, first channel
  // within the tile.
  int64_t rows = 1, vectors = 1, unroll = 1;
  Value row, channel;
};

} // namespace

func::FuncOp buildTileFunction(func::FuncOp declaration, const KernelSpec &spec,
                               Level level) {
  OpBuilder b(declaration.getContext());
  SmallVector<Type> inputs = packedActivationTypes(b, spec);
  // The kernel's own arguments but x and a workspace; y as it is stored.
  llvm::append_range(inputs,
                     kernelType(b.getContext(), spec).getInputs().drop_front());
  inputs.back() = rowsType(storageType(b, spec.element));
  inputs.append(3, b.getIndexType());
  std::string suffix = "." + std::string(name(level)) + ".tile";
  func::FuncOp function = createLevelFunction(
      declaration, suffix, b.getFunctionType(inputs, {}), level);
  Block &entry = function.getBody().front();
  Emitter e(OpBuilder::atBlockEnd(&entry), declaration.getLoc(), level);
  KernelChoice choice = chooseKernel(spec, level);
  TileFunction(e, spec, choice, entry.getArguments()).build();
  func::ReturnOp::create(e.b, e.loc);
  return function;
}

} // namespace qk::cpu
