//===- MmaOperands.cpp - Codes to registers of mma.sync ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Two codes at once, in the halves of a word, become two f16 or bf16: masked
/// in place and or-ed into the bits of 2^m (m = 10 or 7 bits of mantissa), a
/// code c at bit s is 2^m + c·2^s, and one fused multiply-add by 2^-s and
/// -(2^(m-s) + zero) leaves c - zero, exactly, for every zero point of 8 bits.
/// Where the mantissa has no room the word is shifted down first.
///
/// For activations of bytes four codes at once, in the bytes of a word, are
/// shifted to the top and masked: signed bytes that are 2^(8 - bits) times the
/// codes. No zero point is subtracted for it, and the factor is taken out at
/// the very end.
///
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {

MmaOperands::MmaOperands(Emitter &e, const MatmulProblem &problem)
    : e(e), problem(problem), layout(problem.mmaLayout()) {
  isBFloat = problem.type == ElementType::BF16;
  pair =
      VectorType::get({2}, isBFloat ? Type(e.getBF16Type()) : e.getF16Type());
  mantissa = isBFloat ? 7 : 10;
  cut = mantissa / problem.scheme.bits() * problem.scheme.bits();
  magic = isBFloat ? 0x43004300 : 0x64006400;
}

/// The halves of a word.
Value MmaOperands::asPair(Value word) {
  return LLVM::BitcastOp::create(e, pair, word);
}

/// The value in both halves.
Value MmaOperands::constant(float value) {
  llvm::APFloat number(value);
  bool loses;
  number.convert(isBFloat ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf(),
                 llvm::APFloat::rmNearestTiesToEven, &loses);
  assert(!loses && "constants of the kernels are exact");
  return arith::ConstantOp::create(e, DenseElementsAttr::get(pair, number));
}

MmaOperands::Offsets MmaOperands::offsets(ArrayRef<Value> stored) {
  Offsets result;
  if (problem.scheme.bits() == 8)
    return result;
  for (int half = 0; half < 2; ++half) {
    Value zero;
    if (!stored.empty())
      zero = arith::SIToFPOp::create(e, e.getF32Type(), stored[half]);
    for (int at = 0; at < cut; at += problem.scheme.bits()) {
      float base = float(1 << mantissa) / float(1 << at);
      Value &offset = result.byPlace[half][at];
      if (!zero) {
        offset = constant(-base - float(problem.scheme.defaultZeroPoint()));
        continue;
      }
      Value sum = e.fromF32(pair.getElementType(), e.subf(e.f32(-base), zero));
      offset = vector::BroadcastOp::create(e, pair, sum);
    }
  }
  return result;
}

/// Two's complement in bits 0-7 of each half.
Value MmaOperands::unpackByte(Value word) {
  if (!isBFloat) {
    // 1024 + 128 + code.
    Value bits = e.lop3(word, e.i32(0x00ff00ff), e.i32(0x64806480),
                        (0xf0 & 0xcc) ^ 0xaa);
    return e.fma(asPair(bits), constant(1), constant(-1152));
  }
  // 128 + the lower seven bits; 128, or 256 where the sign is set.
  Value low = asPair(e.maskOr(word, 0x007f007f, magic));
  Value sign = asPair(e.maskOr(word, 0x00800080, magic));
  return e.fma(sign, constant(-1), low);
}

Value MmaOperands::unpack(ArrayRef<Value> words, MmaLayout::PairPlace place,
                          const DenseMap<int, Value> &offsets) {
  if (problem.scheme.bits() == 8)
    return unpackByte(e.shr(words[place.word], place.shift));
  if (place.shift < 0) {
    Value bits = e.maskOr(e.shr(words[place.word], 15), 0x00010001, magic);
    for (int bit = 1; bit < 3; ++bit)
      // bits | (word & mask)
      bits = e.lop3(bits, e.shr(words[place.word + bit], 15 - bit),
                    e.i32(0x00010001 << bit), 0xf0 | (0xcc & 0xaa));
    return e.fma(asPair(bits), constant(1), offsets.lookup(0));
  }
  int at = placeOf(place.shift);
  Value word = e.shr(words[place.word], place.shift - at);
  int64_t mask = ((int64_t(1) << problem.scheme.bits()) - 1) << at;
  Value bits = e.maskOr(word, mask << 16 | mask, magic);
  return e.fma(asPair(bits), constant(1.0f / float(1 << at)),
               offsets.lookup(at));
}

/// Codes at the top of four bytes.
Value MmaOperands::toBytes(ArrayRef<Value> words, MmaLayout::PairPlace place) {
  int bits = problem.scheme.bits();
  if (bits == 8)
    return words[place.word];
  auto inBytes = [](int64_t mask) { return mask * 0x01010101; };
  int64_t top = 0xff & ~((1 << (8 - bits)) - 1);
  Value moved = e.shl(words[place.word], 8 - bits - place.shift);
  if (place.lowWord < 0)
    return e.bitAnd(moved, e.i32(inBytes(top)));
  int64_t lowest = 1 << (8 - bits);
  Value high = e.bitAnd(moved, e.i32(inBytes(top & ~lowest)));
  Value low = e.shl(words[place.lowWord], 8 - bits - place.lowShift);
  // high | (low & mask)
  return e.lop3(high, low, e.i32(inBytes(lowest)), 0xf0 | (0xcc & 0xaa));
}

SmallVector<Value> MmaOperands::registers(ArrayRef<Value> words, int atom,
                                          int step, const Offsets &offsets) {
  SmallVector<Value> result;
  for (int reg = 0; reg < 4; ++reg) {
    MmaLayout::PairPlace place = layout.place(atom, step, reg);
    if (layout.int8Activations) {
      result.push_back(toBytes(words, place));
      continue;
    }
    Value both = unpack(words, place, offsets.byPlace[reg & 1]);
    // mma.sync takes bf16 as words.
    if (isBFloat)
      both = LLVM::BitcastOp::create(e, e.getI32Type(), both);
    result.push_back(both);
  }
  return result;
}

SmallVector<Value> MmaOperands::multiply(ArrayRef<Value> a, ArrayRef<Value> b,
                                         ArrayRef<Value> c) {
  SmallVector<Value> result;
  if (layout.int8Activations && problem.scheme.isFloat()) {
    SmallVector<Value> inputs(a);
    llvm::append_range(inputs, b);
    llvm::append_range(inputs, c);
    Type f32 = e.getF32Type();
    Value product = e.inlineAsm(
        kMmaE4M3Asm, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f",
        LLVM::LLVMStructType::getLiteral(e.getContext(), {f32, f32, f32, f32}),
        inputs);
    for (int64_t i = 0; i < 4; ++i)
      result.push_back(LLVM::ExtractValueOp::create(e, product, i));
    return result;
  }
  SmallVector<Value> right(b);
  if (!layout.int8Activations && !isBFloat)
    for (Value &word : right)
      word = asPair(word);
  Type sum = layout.int8Activations ? Type(e.getI32Type()) : e.getF32Type();
  auto type =
      LLVM::LLVMStructType::getLiteral(e.getContext(), {sum, sum, sum, sum});
  using NVVM::MMATypes;
  std::optional<std::array<MMATypes, 2>> types;
  std::optional<NVVM::MMAIntOverflow> overflow;
  if (layout.int8Activations) {
    types = {MMATypes::s8, MMATypes::s8};
    overflow = NVVM::MMAIntOverflow::wrapped;
  } else if (isBFloat) {
    types = {MMATypes::bf16, MMATypes::bf16};
  }
  int64_t depth = layout.int8Activations ? 32 : 16;
  Value product = NVVM::MmaOp::create(
      e, type, a, right, c, {16, 8, depth}, std::nullopt, overflow, types,
      std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
  for (int64_t i = 0; i < 4; ++i)
    result.push_back(LLVM::ExtractValueOp::create(e, product, i));
  return result;
}

} // namespace qk::nvvm
