//===- TileFunction.h - The quantised matmul of one tile --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Builds one function: rows [m0, m1) of x times one tile of 64 packed
/// channels. The same text for every width, activation form and level; a level
/// differs by its lanes and register tiles (KernelTable) and by what qk_kernel
/// ops become.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_CPU_TILEFUNCTION_H
#define QK_LIB_TARGET_CPU_TILEFUNCTION_H

#include "Emitter.h"

namespace qk::cpu {

class TileFunction {
public:
  TileFunction(Emitter &e, const KernelSpec &spec, const KernelChoice &choice,
               mlir::Block::BlockArgListType arguments);

  void build();

private:
  VectorType words() { return e.vec(lanes, e.i32()); }
  VectorType floats() { return e.vec(lanes, e.f32()); }
  int64_t at(int64_t r, int64_t v) const { return r * vectors + v; }

  void registerTile();

  /// A group: sum += scale * (dot of codes and x, corrected by zero points).
  Values group(Value g, int64_t length, ValueRange sum);

  /// `body(address of the first unit's codes, k of its first code, how many
  /// units, carried)`, over `units` units, `unroll` at a time.
  using UnitsBody = llvm::function_ref<Values(Value, Value, int64_t, Values)>;
  Values unitLoop(Value codes, Value k, int64_t units, Values carried,
                  UnitsBody body);
  /// The same, unit by unit.
  using UnitBody = llvm::function_ref<Values(Value, Value, ValueRange)>;
  Values eachUnit(Value unit, Value k, int64_t units, Values carried,
                  UnitBody body);

  /// The planes of the unit at `unit` for vector `v` of the register tile, and
  /// their fields.
  Values planes(Value unit, int64_t v);
  ValueRange fields(ValueRange planes, bool inPlace);
  void prefetch(Value unit);

  /// Where row r of the register tile is in packed activations with `perRow`
  /// elements a row, at element k.
  Value activationAt(Value k, int64_t perRow, int64_t r);
  /// Element k of row r in plane `p`, in all lanes. `several` is what is kept
  /// from row to row: where a level multiplies by a lane, it is as many rows as
  /// there are lanes.
  Value activation(int64_t p, Value k, int64_t perRow, int64_t r,
                   Value &several);

  // Float activations: c - z is exact in f32, then one FMA a row.
  Values floatUnit(Value unit, Value k, const Values &zeros,
                   ValueRange carried);
  Value floatCode(Value field, int64_t j, const Values &zeros, int64_t v);

  // Integer activations: dots of codes and s8 halves, exact, then f32
  // (TileInteger.cpp).
  Values segment(Value codes, Value k, int64_t units, Value segment, Value g,
                 Value tail, ValueRange sum);
  Values integerCodes(Value unit, int64_t v, bool inPlace);
  Values integerUnit(Value unit, Value k, bool inPlace, ValueRange carried,
                     int64_t from, int64_t to);
  Values pairUnits(Value unit, Value k, int64_t units, ValueRange carried);
  llvm::SmallVector<std::pair<Value, Value>> blockCodes(Value unit, int64_t v,
                                                        int64_t units);
  Values blockUnits(Value unit, Value k, int64_t units, ValueRange carried);
  Value blockActivations(int64_t p, Value pair, int64_t r, bool single);
  void exchangeRows(Values &sum, bool toBlocks);
  Value zip(Value lhs, Value rhs, bool high);
  Value quarter(Value k);
  Value segmentSum(Value segment, int64_t r);
  Value rowScale(int64_t r, Value g);

  // Scales, zero points, the result.
  int64_t defaultZero() const {
    return spec.scheme.defaultZeroPoint() + layout.bias();
  }
  Value channelBytes(Value base, int64_t v, int64_t size);
  Values weightScales(Value tail);
  Values zeroPoints(Value tail, bool asFloat);
  void store(const Values &sum);
  void store(const Values &sum, bool masked);

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
  // The register tile that is being built; first row, first channel within the
  // tile.
  RegisterTile shape;
  int64_t rows = 1, vectors = 1;
  Value row, channel;
};

} // namespace qk::cpu

#endif // QK_LIB_TARGET_CPU_TILEFUNCTION_H
