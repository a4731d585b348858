//===- Emitter.h - Short spellings for the kernel builders ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What lets the kernel builders read like the algorithm: index arithmetic that
/// folds constants, splats, loads of n lanes, loops with carried values.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_CPU_EMITTER_H
#define QK_LIB_TARGET_CPU_EMITTER_H

#include "qk/Target/CPU/KernelBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace qk::cpu {

using mlir::Location;
using mlir::OpBuilder;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
using mlir::VectorType;
using Values = llvm::SmallVector<Value>;

struct Emitter {
  OpBuilder b;
  Location loc;
  /// Whether the code's target is not known: it may have no fused multiply-add,
  /// which LLVM would then call from the C library, lane by lane.
  bool portable;

  Emitter(OpBuilder builder, Location loc, Level level)
      : b(builder), loc(loc), portable(level == Level::Portable) {}

  // Index arithmetic.
  Value index(int64_t value);
  Value add(Value lhs, Value rhs);
  Value add(Value lhs, int64_t rhs);
  Value mul(Value lhs, int64_t rhs);
  Value mul(Value lhs, Value rhs);
  Value sub(Value lhs, Value rhs);
  Value ceilDiv(Value lhs, int64_t rhs);
  Value min(Value lhs, Value rhs);

  // Types and constants.
  Type f32() { return b.getF32Type(); }
  Type i8() { return b.getI8Type(); }
  Type i32() { return b.getI32Type(); }
  VectorType vec(int64_t lanes, Type element) {
    return VectorType::get({lanes}, element);
  }
  Value splat(VectorType type, int64_t value);
  Value splat(VectorType type, double value);
  Value zero(Type type);

  // Vectors.
  Value load(Value memref, ValueRange at, int64_t lanes);
  Value broadcast(Value scalar, int64_t lanes);
  Value bitcast(Value vector, int64_t lanes, Type element);
  /// a*x + c, fused where the target can.
  Value fma(Value a, Value x, Value c);
  /// Stored f16, bf16 or f32, scalar or vector, to f32; and back, for a vector,
  /// rounded to nearest even. bf16 is stored as i16, see storageType.
  Value toFloat(Value value);
  Value fromFloat(Value value, Element element);
  /// A memref of bf16 as one of i16; others as they are.
  Value asStored(Value memref);

  // Loops; `body` gives what it yields.
  Values forEach(Value lower, Value upper, int64_t step, ValueRange init,
                 llvm::function_ref<Values(Value, ValueRange)> body);
  void forEach(Value lower, Value upper, int64_t step,
               llvm::function_ref<void(Value)> body);
  Value dim(Value memref, int64_t index);
};

/// The MLIR type of an element, and of activation codes.
Type elementType(OpBuilder &b, Element element);
Type codeType(OpBuilder &b, Activation activation);
/// What kernels read and write an element as: itself, but i16 for bf16. LLVM
/// turns vectors of bf16 that live across blocks into library calls where the
/// target has no such type; shifts and adds of integers it leaves alone.
Type storageType(OpBuilder &b, Element element);
/// memref<?x?xT, strided<[?, 1], offset: ?>>.
mlir::MemRefType rowsType(Type element);

/// A private function with an empty entry block that is compiled for `level`.
mlir::func::FuncOp createLevelFunction(mlir::func::FuncOp declaration,
                                       const llvm::Twine &suffix,
                                       mlir::FunctionType type, Level level);

/// Fills `declaration` with calls of `callees`, one a level of `levels`.
void buildDispatch(mlir::func::FuncOp declaration, llvm::ArrayRef<Level> levels,
                   llvm::ArrayRef<mlir::func::FuncOp> callees);

/// Calls `body(rows, firstRow)` for rows [lower, upper) cut greedily into the
/// choice's register tiles.
void forRowTiles(Emitter &e, const KernelChoice &choice, Value lower,
                 Value upper,
                 llvm::function_ref<void(const RegisterTile &, Value)> body);

/// Packed activations of one call: what the tile function reads.
struct PackedActivations {
  /// float: [0] f32, paddedK a row. Integer: 32-bit words of four s8, paddedK/4
  /// a row, [0] the (high) codes, [1] with int16 the low halves. Rows come in
  /// register tiles: element (k, r) of the tile of R rows that starts at row m
  /// is at m*paddedK + k*R + r; see BlockOrder for what differs in blocks.
  Values planes;
  /// Integer: i32 per segment, tiled alike: the sum of the segment's codes,
  /// times minus the default zero point where the kernel has no zero points.
  Value sums;
};

/// Whether a register tile's accumulators are blocks of two rows and channels.
inline bool isBlocked(const KernelChoice &choice, const RegisterTile &tile) {
  return choice.blocks && tile.rows % 2 == 0;
}

/// The order of the words of a segment of x in a blocked tile. A block's dot
/// takes eight codes of a channel, two words of x. Which two is what is least
/// work for the codes (TileFunction): of two units field f of either, which are
/// words f and words() + f of the two units', if an iteration takes two; in a
/// unit by itself words 2i and 2i+1; where such a unit has one word (8 bits)
/// that one. Pairs follow each other: 2R words, (rows 0 and 1: pair, pair),
/// (rows 2 and 3: …; a word alone is R words, one a row.
struct BlockOrder {
  /// Words of a unit; a power of two.
  int64_t unitWords = 1;
  /// Words at the segment's start that are in pairs over two units, and the
  /// word that has no other; -1: none.
  int64_t pairedWords = 0, singleWord = -1;

  BlockOrder(const Layout &layout, const RegisterTile &tile, int64_t units)
      : unitWords(layout.unitK() / 4) {
    pairedWords = tile.unroll == 2 ? units / 2 * 2 * unitWords : 0;
    if (unitWords == 1 && units % 2 == 1)
      singleWord = units - 1;
  }
};

/// Segments of a group, and of a row.
int64_t segmentsOfGroup(const KernelSpec &spec, const KernelChoice &choice,
                        int64_t group);
int64_t segmentsOfRow(const KernelSpec &spec, const KernelChoice &choice);

/// Planes of packed integer activations: the s8 halves of int16, or the even
/// and the odd codes in 16 bits; a word of each has four codes between them.
int64_t activationPlanes(const KernelSpec &spec, const KernelChoice &choice);

/// The types of PackedActivations, for the tile function's signature.
llvm::SmallVector<Type> packedActivationTypes(OpBuilder &b,
                                              const KernelSpec &spec,
                                              const KernelChoice &choice);

/// Memory for the packed activations of `rows` rows: of `workspace`, or
/// allocated where that is null.
PackedActivations allocateActivations(Emitter &e, const KernelSpec &spec,
                                      const KernelChoice &choice, Value rows,
                                      Value workspace);

/// Packs rows [lower, upper) of x; `lower` is where a register tile begins.
void packActivations(Emitter &e, const KernelSpec &spec,
                     const KernelChoice &choice, Value x,
                     const PackedActivations &packed, Value lower, Value upper);

/// Builds the function that computes rows [m0, m1) of tile t:
/// (packed activations…, [scales], weights, [bias], y, t, m0, m1).
mlir::func::FuncOp buildTileFunction(mlir::func::FuncOp declaration,
                                     const KernelSpec &spec, Level level);

} // namespace qk::cpu

#endif // QK_LIB_TARGET_CPU_EMITTER_H
