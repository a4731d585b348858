//===- MmaKernel.h - Emits kernels on mma.sync ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_MMAKERNEL_H
#define QK_LIB_TARGET_NVVM_MMAKERNEL_H

#include "Kernels.h"

namespace qk::nvvm {

/// The A operand: codes of a unit become registers of mma.sync.
class MmaOperands {
public:
  /// `subtractsZeros`: from codes of less than 8 bits for activations of 8;
  /// from codes for floats they always are.
  MmaOperands(Emitter &e, const MatmulProblem &problem, bool subtractsZeros);

  /// Bytes are 2^this times what they stand for, and so are sums of products.
  int sumShift() const { return subtractsZeros ? 0 : layout.sumShift(); }

  /// The scale of channel g + 8·half, as f32: of the words that have both.
  mlir::Value decodeScale(llvm::ArrayRef<mlir::Value> raw, int half);
  /// Its zero point, as i32: of the four bytes that have both.
  mlir::Value decodeZero(mlir::Value word, mlir::Value g, int half);

  /// What subtracts the zero points of the two channels of a lane: for each
  /// place of a code in its half, -(magic + zero) in both halves; for bytes,
  /// 128 less zero in each. `stored` are the zero points of channels g and g +
  /// 8 (i32), or empty.
  struct Offsets {
    llvm::DenseMap<int, mlir::Value> byPlace[2];
    mlir::Value inBytes[2];
  };
  Offsets offsets(llvm::ArrayRef<mlir::Value> stored);

  /// a0 … a3 of `step` of `atom` from the words of a unit.
  llvm::SmallVector<mlir::Value> registers(llvm::ArrayRef<mlir::Value> words,
                                           int atom, int step,
                                           const Offsets &offsets);

  /// c + A · B, four values; f32, or i32 where activations are i8. `b` are
  /// two words.
  llvm::SmallVector<mlir::Value> multiply(llvm::ArrayRef<mlir::Value> a,
                                          llvm::ArrayRef<mlir::Value> b,
                                          llvm::ArrayRef<mlir::Value> c);

private:
  using Value = mlir::Value;
  int placeOf(int shift) const { return shift % cut; }
  Value asPair(Value word);
  Value constant(float value);
  Value unpack(llvm::ArrayRef<Value> words, MmaLayout::PairPlace place,
               const llvm::DenseMap<int, Value> &offsets);
  Value unpackByte(Value word);
  Value moved(Value word, int by);
  Value toBytes(llvm::ArrayRef<Value> words, MmaLayout::PairPlace place,
                Value offset);

  Emitter &e;
  const MatmulProblem &problem;
  MmaLayout layout;
  bool subtractsZeros;
  mlir::VectorType pair;
  bool isBFloat;
  /// Bits of the type's mantissa; of those, what whole codes fill.
  int mantissa, cut;
  /// The bits of 2^mantissa, in both halves.
  int64_t magic;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_MMAKERNEL_H
