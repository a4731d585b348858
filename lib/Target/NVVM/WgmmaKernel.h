//===- WgmmaKernel.h - Emits a kernel on wgmma ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The builder of WgmmaKernel.cpp, whose parts are in files of their own:
/// WgmmaProducer.cpp copies, WgmmaKernel.cpp and WgmmaInt8.cpp multiply,
/// WgmmaScales.cpp reads scales,
/// WgmmaReduce.cpp adds up and stores, WgmmaCluster.cpp does in clusters.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_WGMMAKERNEL_H
#define QK_LIB_TARGET_NVVM_WGMMAKERNEL_H

#include "Hopper.h"
#include "MmaKernel.h"

namespace qk::nvvm {

class WgmmaEmitter {
public:
  WgmmaEmitter(Emitter &e, mlir::gpu::GPUFuncOp kernel,
               const KernelChoice &choice, const KernelArguments &args);

  void emit();

private:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using Values = mlir::SmallVector<Value>;
  template <typename T> using ArrayRef = llvm::ArrayRef<T>;

  static constexpr int64_t kGroupThreads = 128;
  /// Bytes of a row of a panel of x.
  static constexpr int64_t kPanelRow = 128;
  static constexpr int64_t kVectorBytes =
      MmaLayout::kLanes * MmaLayout::kVector;

  void emitPrologue();
  void createShared();
  void placeBlock();
  /// Which thread this is, from its number.
  void placeThread(Value id);
  Value shared(Value byteOffset) { return e.at(ring, byteOffset); }
  /// A slice's slot as a number, and the parity of its turn.
  Value slotOf(Value index) { return e.remu(index, e.i32(config.stages)); }
  Value parityOf(Value index) {
    return e.bitAnd(e.divu(index, e.i32(config.stages)), e.i32(1));
  }
  Value slotOffset(Value slot) {
    return e.mul(slot, e.i32(choice.wgmmaSlotBytes()));
  }
  Value fullBarrier(Value slot) {
    return shared(e.add(e.shl(slot, 3), e.i32(choice.wgmmaBarrierOffset())));
  }
  Value emptyBarrier(Value slot) {
    return shared(e.add(e.shl(slot, 3), e.i32(choice.wgmmaBarrierOffset() +
                                              8 * config.stages)));
  }

  //===--------------------------------------------------------------------===//
  // The producer: global to shared memory
  //===--------------------------------------------------------------------===//

  void produce();
  void copyCodes(Value slice, Value slot, Value barrier);
  void copyScales(Value slice, Value slot);
  bool copiesX() const;
  void copyX(Value slice, Value slot, Value from);
  void copyChunk(int64_t panel, int64_t row, Value slice, Value slot,
                 Value from);
  void gatherWord(Value index, Value slice, Value slot);
  std::pair<Value, Value> codePosition(Value slice, Value atom, Value inAtom,
                                       int64_t offset);
  bool isDense() const {
    return wholeRow ||
           layout.groupLength() == layout.atomsPerGroup() * layout.atomCodes();
  }

  //===--------------------------------------------------------------------===//
  // Consumers
  //===--------------------------------------------------------------------===//

  void consume();
  /// Codes of unit `unit` of row tile `tile` of the slice in `slot`.
  Values readCodes(Value slot, int tile, int64_t unit);
  /// Scales (and zero points) of channels g and g + 8 of the warp's part of a
  /// tile for piece `piece` of a slice, as they lie.
  Values loadRaw(Value slice, int tile, int64_t piece);
  /// The same from the slice's slot.
  Values readRaw(Value slot, int tile, int64_t piece);
  bool scalesInRing() const { return choice.wgmmaScaleBytes() > 0; }
  /// The group of piece `piece` of a slice; past the end the last one.
  Value groupOf(Value slice, Value piece);
  Value tileAddress(int tile);
  /// Waits for a full slot; what is in it may be multiplied then.
  void waitForSlot(Value index, Value slot);
  void multiplySlice(Value index, Value slice, ArrayRef<Value> raw,
                     Values &sums);
  // Activations and codes of 8 bits and one scale a row: sums in i32
  // (WgmmaInt8.cpp).
  Values sumInt8();
  void multiplyInt8(Value index, Values &sums);
  Values scaleInt8(ArrayRef<Value> sums);
  bool sumsInt8() const {
    return layout.int8Activations && problem.scheme.bits() == 8 && wholeRow;
  }
  /// Of activations of 8 bits and codes, as wgmma calls it.
  llvm::StringRef byteType() const {
    return problem.scheme.isFloat() ? "e4m3" : "s8";
  }
  /// Beside products a row tile more: the sums of x, for zero points, where
  /// they aren't subtracted from codes.
  bool sumsX() const {
    return layout.int8Activations && layout.hasZeroPoints &&
           problem.scheme.bits() == 8;
  }

  size_t sumsOfTile() const { return size_t(config.tokens) / 2; }
  int64_t rawWords() const {
    return layout.scaleBytes() / 2 + layout.hasZeroPoints;
  }

  //===--------------------------------------------------------------------===//
  // The end
  //===--------------------------------------------------------------------===//

  void finish(ArrayRef<Value> sums);
  /// A sum as large as it should be: less the factor of codes that were
  /// multiplied at the top of bytes, times x's scale (null: it has none).
  Value scaled(Value sum, Value xScale);
  void storeSums(ArrayRef<Value> sums);
  Values sumsOfGroups(Value slot, int64_t count);
  void storeResults(Value slot, ArrayRef<Value> sums, bool together);
  void forPlaces(int64_t step, llvm::function_ref<void(Value)> body);
  void storeAll(llvm::function_ref<Values(Value, int64_t)> sumsAt);
  void reduceBlocks();
  void reduceCluster(ArrayRef<Value> sums);
  void storePiece(Value piece, ArrayRef<Value> sums);
  void consumersBarrier() {
    hopper.namedBarrier(1, kGroupThreads * config.consumers());
  }
  Value loadShared(Type type, Value offset, int64_t alignment) {
    return mlir::LLVM::LoadOp::create(e, type, shared(offset), alignment);
  }

  Emitter &e;
  HopperEmitter hopper;
  mlir::gpu::GPUFuncOp kernel;
  const KernelChoice &choice;
  const MatmulProblem &problem;
  const WgmmaConfig &config;
  MmaLayout layout;
  const KernelArguments &args;
  MmaOperands operands;

  int64_t elementBytes;
  int64_t slices, sliceUnits, sliceAtoms;
  /// Atoms of a slice whose products are scaled together, and how many such
  /// pieces there are.
  int64_t pieceAtoms, pieces;
  bool wholeRow;

  Value ring, tid, group, inGroup, warp, lane, g, t;
  Value tokenBase, channelBlock;
  /// Slices of this block.
  Value begin, end;
  Value groupN, groupK;
  /// The producer's thread: the first of its rows, and how many there are.
  Value xRow, rowsLeft;
  /// The last tile of 16 channels.
  Value lastTile;
  /// The warp's tiles of 16 channels, one of each row tile.
  Values tileBase;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_WGMMAKERNEL_H
