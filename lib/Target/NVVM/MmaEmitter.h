//===- MmaEmitter.h - Emits a kernel on mma.sync ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The builder of MmaKernel.cpp, whose parts are in files of their own:
/// MmaStaging.cpp copies, MmaKernel.cpp multiplies, MmaReduce.cpp adds up.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_MMAEMITTER_H
#define QK_LIB_TARGET_NVVM_MMAEMITTER_H

#include "MmaKernel.h"

namespace qk::nvvm {

class MmaEmitter {
public:
  MmaEmitter(Emitter &e, mlir::gpu::GPUFuncOp kernel,
             const KernelChoice &choice, const KernelArguments &args);

  void emit();

private:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Values = mlir::SmallVector<Value>;
  template <typename T> using ArrayRef = llvm::ArrayRef<T>;

  //===--------------------------------------------------------------------===//
  // Staging
  //===--------------------------------------------------------------------===//

  /// What a lane needs of one piece (atoms with one scale) of one tile: the
  /// scales of channels g and g + 8, then the word with their zero points.
  int64_t rawWords() const {
    return wholeRow ? 0 : layout.scaleBytes() / 2 + layout.hasZeroPoints;
  }
  /// Address of the scales or the zero points of a lane's two channels.
  Value scaleAddress(int tile, Value group);
  Value zeroAddress(int tile, Value group);
  /// The group of piece `piece` of this warp's share of `slice`.
  Value groupOf(Value slice, int64_t piece);
  /// First unit of this warp in `slice`, plus `turn`; past the end the last.
  Value unitOf(Value slice, int turn);
  /// Address of this lane's vector 0 of a unit.
  Value unitAddress(int tile, Value slice, int turn);

  /// Codes and raw words of this warp's share of `slice`, from global memory
  /// to registers; `valid`: whether there is such a slice.
  Values loadCodes(Value slice, int turn, Value valid);
  Values loadRaw(Value slice, Value valid);
  /// The same through the ring: what a lane copies it alone reads.
  void copyCodes(Value slice, Value slot);
  Values readCodes(Value slot, int turn);
  Values readRaw(Value slot);

  /// Starts the copies of `slice` to `slot` (a byte offset), if there is one.
  void fillSlot(Value slice, Value slot);
  void copyX(Value slice, Value slot);
  void copyChunk(Value row, Value chunk, Value slice, Value slot);
  void gatherWord(Value row, Value word, Value slice, Value slot);
  std::pair<Value, Value> codePosition(Value slice, Value atom, Value inAtom,
                                       int64_t offset);
  /// Where 16-byte chunk `chunk` of row `row` of x lies in a slot: rows of 128
  /// bytes have their chunks in an order of their own.
  Value swizzle(Value row, Value chunk);
  Value placeOfChunk(Value row, Value chunk);

  //===--------------------------------------------------------------------===//
  // Products
  //===--------------------------------------------------------------------===//

  /// Products, [row tile][token tile][4], then (W8A8 with zero points) the sum
  /// of x, [token tile][4].
  Values zeros(Type type) const;
  /// What the sums of a piece start from.
  Values pieceStart() const;
  size_t productCount() const {
    return size_t(config.rowTiles) * tokenTiles * 4;
  }
  bool sumsX() const {
    return layout.int8Activations && layout.hasZeroPoints &&
           !config.subtractZeros;
  }
  void addScaled(ArrayRef<Value> raw, Values &products, Values &sums);
  /// Place in a slot of the row that this lane gives to ldmatrix for atom
  /// `atom` of its warp's share.
  Value rowPlace(int64_t atom);
  Values loadMatrices(Value place);
  void multiplyAtom(Value slot, int64_t atom, ArrayRef<Value> words,
                    ArrayRef<MmaOperands::Offsets> offsets, Values &products);
  /// Multiplies a slice. `codes(turn)` has the words of a unit, [row
  /// tile][word], and is asked in order.
  void accumulate(Value slot, llvm::function_ref<Values(int)> codes,
                  ArrayRef<Value> raw, Values &sums);

  //===--------------------------------------------------------------------===//
  // The end
  //===--------------------------------------------------------------------===//

  void finish(Values &sums);
  void storeSums(ArrayRef<Value> sums);
  Value sumOfWarps(Value slot, Type type);
  void reduceBlocks(int64_t count);
  void storeResult(Value slot, Value sum);

  Value nextSlot(Value slot);
  void createShared();
  void emitPrologue();
  void placeBlock();
  /// Waits for those who share a slice.
  void syncSlice() {
    if (warpsAlone)
      e.warpBarrier();
    else
      e.barrier();
  }
  Value shared(Value byteOffset) { return e.at(ring, byteOffset); }
  Value loadShared(Type type, Value offset, int64_t alignment) {
    return mlir::LLVM::LoadOp::create(e, type, shared(offset), alignment);
  }
  mlir::VectorType vector() {
    return mlir::VectorType::get({4}, e.getI32Type());
  }

  Emitter &e;
  mlir::gpu::GPUFuncOp kernel;
  const KernelChoice &choice;
  const MatmulProblem &problem;
  const MmaConfig &config;
  MmaLayout layout;
  const KernelArguments &args;
  MmaOperands operands;

  int64_t sliceUnits, sliceAtoms, elementBytes, unitWords, slices;
  /// Atoms of a warp's share of a slice that have one scale; how many such
  /// pieces there are.
  int64_t pieceAtoms, pieces;
  bool wholeRow;
  /// Each warp has a share of K of its own, and waits for itself only.
  bool warpsAlone;
  int tokenTiles;

  Value ring, tid, lane, warp, warpK, warpN, warpM, tokenBase, channelBlock;
  /// lane / 4 and lane % 4: channel and column of fragments.
  Value g, t;
  /// Slices of this block.
  Value begin, end;
  /// This warp's tiles.
  Values tileBase;
  /// Zero points by tile, where a row has one.
  llvm::SmallVector<Values> rowZeros;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_MMAEMITTER_H
