//===- TileFunction.cpp - The quantised matmul of one tile ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileFunction.h"

#include "qk/Dialect/Kernel/Kernel.h"

using namespace mlir;

namespace qk::cpu {

TileFunction::TileFunction(Emitter &e, const KernelSpec &spec,
                           const KernelChoice &choice,
                           Block::BlockArgListType arguments)
    : e(e), spec(spec), choice(choice), layout(spec.layout()),
      lanes(choice.lanes), integer(spec.activation != Activation::Float) {
  auto next = arguments.begin();
  const int64_t planes = integer ? activationPlanes(spec, choice) : 1;
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

void TileFunction::build() {
  Value n = e.dim(y, 1);
  tileBase = e.mul(tile, layout.tileBytes());
  tileChannel = e.mul(tile, kTileChannels);
  channels = e.min(e.sub(n, tileChannel), e.index(kTileChannels));
  for (const RegisterTile &each : choice.tiles) {
    Value end = lastRow;
    if (each.rows != 1) {
      Value left = arith::RemUIOp::create(e.b, e.loc, e.sub(lastRow, firstRow),
                                          e.index(each.rows));
      end = e.sub(lastRow, left);
    }
    shape = each;
    rows = shape.rows;
    vectors = shape.vectors;
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

void TileFunction::registerTile() {
  Values sum(rows * vectors, e.zero(floats()));
  int64_t length = layout.groupLength(0), full = spec.k / length;
  if (full == 1)
    sum = group(e.index(0), length, sum);
  else
    sum = e.forEach(
        e.index(0), e.index(full), 1, sum,
        [&](Value g, ValueRange carried) { return group(g, length, carried); });
  if (int64_t tail = spec.k % length)
    sum = group(e.index(full), tail, sum);
  if (integer && spec.sharing != Sharing::TokenGroup)
    for (int64_t r = 0; r < rows; ++r) {
      Value scale = e.broadcast(rowScale(r, e.index(0)), lanes);
      for (int64_t v = 0; v < vectors; ++v)
        sum[at(r, v)] = arith::MulFOp::create(e.b, e.loc, sum[at(r, v)], scale);
    }
  store(sum);
}

Values TileFunction::group(Value g, int64_t length, ValueRange sum) {
  int64_t units = (length + layout.unitK() - 1) / layout.unitK();
  Value base = e.add(tileBase, e.mul(g, layout.groupBytes(0)));
  Value codes = e.add(base, e.mul(channel, 4));
  Value tail = e.add(base, units * layout.unitBytes());
  Value k = e.mul(g, layout.paddedGroupLength());
  if (!integer) {
    Values zeros = zeroPoints(tail, /*asFloat=*/true);
    auto unit = [&](Value unit, Value k, ValueRange carried) {
      return floatUnit(unit, k, zeros, carried);
    };
    Values dots =
        unitLoop(codes, k, units, Values(rows * vectors, e.zero(floats())),
                 [&](Value first, Value k, int64_t count, Values carried) {
                   return eachUnit(first, k, count, std::move(carried), unit);
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

Values TileFunction::unitLoop(Value codes, Value k, int64_t units,
                              Values carried, UnitsBody body) {
  int64_t step = std::min<int64_t>(shape.unroll, units);
  int64_t whole = units / step * step;
  auto run = [&](Value u, int64_t count, ValueRange carried) {
    return body(e.add(codes, e.mul(u, layout.unitBytes())),
                e.add(k, e.mul(u, layout.unitK())), count,
                llvm::to_vector(carried));
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

Values TileFunction::eachUnit(Value unit, Value k, int64_t units,
                              Values carried, UnitBody body) {
  for (int64_t i = 0; i < units; ++i)
    carried = body(e.add(unit, i * layout.unitBytes()),
                   e.add(k, i * layout.unitK()), carried);
  return carried;
}

Values TileFunction::planes(Value unit, int64_t v) {
  Values result;
  for (int64_t p = 0; p < layout.planes(); ++p)
    result.push_back(e.load(
        weights, e.add(unit, p * kPlaneBytes + v * 4 * lanes), 4 * lanes));
  return result;
}

ValueRange TileFunction::fields(ValueRange planes, bool inPlace) {
  return kernel::UnpackOp::create(e.b, e.loc, layout.scheme.bits(), planes,
                                  inPlace)
      .getFields();
}

void TileFunction::prefetch(Value unit) {
  if ((rows == 1 && !choice.pairs) || choice.prefetchBytes == 0)
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

Value TileFunction::activationAt(Value k, int64_t perRow, int64_t r) {
  return e.add(e.add(e.mul(row, perRow), e.mul(k, rows)), r);
}

Value TileFunction::activation(int64_t p, Value k, int64_t perRow, int64_t r,
                               Value &several) {
  if (!choice.multipliesByLane || rows % lanes != 0) {
    Value one =
        memref::LoadOp::create(e.b, e.loc, x[p], activationAt(k, perRow, r));
    return e.broadcast(one, lanes);
  }
  if (r % lanes == 0)
    several = e.load(x[p], activationAt(k, perRow, r), lanes);
  // A shuffle, not an extracted scalar: the instruction takes vector and lane.
  return vector::ShuffleOp::create(e.b, e.loc, several, several,
                                   SmallVector<int64_t>(lanes, r % lanes));
}

//===----------------------------------------------------------------------===//
// Float activations
//===----------------------------------------------------------------------===//

Values TileFunction::floatUnit(Value unit, Value k, const Values &zeros,
                               ValueRange carried) {
  Values sum = llvm::to_vector(carried);
  SmallVector<ValueRange> codes;
  for (int64_t v = 0; v < vectors; ++v)
    codes.push_back(fields(planes(unit, v), /*inPlace=*/false));
  prefetch(unit);
  for (int64_t f = 0, count = codes[0].size(); f < count; ++f) {
    for (int64_t j = 0; j < 4; ++j) {
      Values weight;
      for (int64_t v = 0; v < vectors; ++v)
        weight.push_back(floatCode(codes[v][f], j, zeros, v));
      Value several;
      for (int64_t r = 0; r < rows; ++r) {
        Value value =
            activation(0, e.add(k, 4 * f + j), layout.paddedK(), r, several);
        for (int64_t v = 0; v < vectors; ++v)
          sum[at(r, v)] = e.fma(value, weight[v], sum[at(r, v)]);
      }
    }
  }
  return sum;
}

/// Byte j of every 32-bit lane of a field, less the zero point, in f32.
Value TileFunction::floatCode(Value field, int64_t j, const Values &zeros,
                              int64_t v) {
  Value word = e.bitcast(field, lanes, e.i32());
  if (j != 0)
    word = arith::ShRUIOp::create(e.b, e.loc, word, e.splat(words(), 8 * j));
  if (j != 3)
    word =
        arith::AndIOp::create(e.b, e.loc, word, e.splat(words(), int64_t(255)));
  Value code = arith::SIToFPOp::create(e.b, e.loc, floats(), word);
  Value zero =
      zeros.empty() ? e.splat(floats(), double(defaultZero())) : zeros[v];
  return arith::SubFOp::create(e.b, e.loc, code, zero);
}

//===----------------------------------------------------------------------===//
// Scales, zero points, the result
//===----------------------------------------------------------------------===//

/// `size` bytes a channel, at `base`, for vector v.
Value TileFunction::channelBytes(Value base, int64_t v, int64_t size) {
  Value at = e.add(e.add(base, e.mul(channel, size)), v * lanes * size);
  return e.load(weights, at, lanes * size);
}

Values TileFunction::weightScales(Value tail) {
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
Values TileFunction::zeroPoints(Value tail, bool asFloat) {
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
    else if (choice.codeShift != 0)
      zeros = arith::SubIOp::create(e.b, e.loc, zeros,
                                    e.splat(words(), choice.codeShift));
    result.push_back(zeros);
  }
  return result;
}

void TileFunction::store(const Values &sum) {
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

void TileFunction::store(const Values &sum, bool masked) {
  for (int64_t v = 0; v < vectors; ++v) {
    Value inTile = e.add(channel, v * lanes);
    Value n = e.add(tileChannel, inTile);
    Value mask, offset;
    if (masked)
      mask = vector::CreateMaskOp::create(
          e.b, e.loc, e.vec(lanes, e.b.getI1Type()), e.sub(channels, inTile));
    if (bias)
      offset = masked
                   ? Value(vector::MaskedLoadOp::create(
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

func::FuncOp buildTileFunction(func::FuncOp declaration, const KernelSpec &spec,
                               Level level) {
  OpBuilder b(declaration.getContext());
  KernelChoice choice = chooseKernel(spec, level);
  SmallVector<Type> inputs = packedActivationTypes(b, spec, choice);
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
  TileFunction(e, spec, choice, entry.getArguments()).build();
  func::ReturnOp::create(e.b, e.loc);
  return function;
}

} // namespace qk::cpu
