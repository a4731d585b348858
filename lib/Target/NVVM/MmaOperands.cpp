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
/// codes, a factor that is taken out at the very end. Or they are shifted to
/// the bottom and a zero point is subtracted from all four at once.
///
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace qk::nvvm {

MmaOperands::MmaOperands(Emitter &e, const MatmulProblem &problem,
                         bool subtractsZeros)
    : e(e), problem(problem), layout(problem.mmaLayout()),
      subtractsZeros(subtractsZeros) {
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

Value MmaOperands::decodeScale(ArrayRef<Value> raw, int half) {
  switch (problem.scheme.scaleType) {
  case numerics::ScaleType::F32:
    return e.bitcast(e.getF32Type(), raw[half]);
  case numerics::ScaleType::BF16:
    return e.bitcast(e.getF32Type(), half ? e.bitAnd(raw[0], e.i32(0xffff0000))
                                          : e.shl(raw[0], 16));
  case numerics::ScaleType::F16:
    break;
  }
  Value bits =
      arith::TruncIOp::create(e, e.getI16Type(), e.shr(raw[0], 16 * half));
  return e.toF32(e.bitcast(e.getF16Type(), bits));
}

Value MmaOperands::decodeZero(Value word, Value g, int half) {
  int bits = int(8 * layout.zeroBytes());
  if (bits == 8)
    // The second pair is that of an odd g.
    word = arith::ShRUIOp::create(e, word, e.shl(e.bitAnd(g, e.i32(1)), 4));
  word = e.shl(word, 32 - bits * (half + 1));
  return arith::ShRSIOp::create(e, word, e.i32(32 - bits));
}

MmaOperands::Offsets MmaOperands::offsets(ArrayRef<Value> stored) {
  Offsets result;
  if (layout.int8Activations) {
    // Stored zero points are less the same as stored codes.
    int64_t largest = 128 - layout.storedOffset();
    for (int half = 0; half < 2 && !stored.empty(); ++half)
      result.inBytes[half] = e.sub(e.i32(largest * 0x01010101),
                                   e.mul(stored[half], e.i32(0x01010101)));
    return result;
  }
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

/// Up by so many bits, or down.
Value MmaOperands::moved(Value word, int by) {
  return by < 0 ? e.shr(word, -by) : e.shl(word, by);
}

/// Four codes, at the top of bytes; or with `offset` less their zero points.
Value MmaOperands::toBytes(ArrayRef<Value> words, MmaLayout::PairPlace place,
                           Value offset) {
  int bits = problem.scheme.bits();
  if (bits == 8)
    return words[place.word];
  auto inBytes = [&](int64_t byte) { return e.i32(byte * 0x01010101); };
  // Where the lowest bit of a code goes.
  int to = offset ? 0 : 8 - bits;
  int64_t mask = ((1 << bits) - 1) << to, lowest = 1 << to;
  Value word = moved(words[place.word], to - place.shift);
  if (place.lowWord >= 0) {
    Value high = e.bitAnd(word, inBytes(mask & ~lowest));
    Value low = moved(words[place.lowWord], to - place.lowShift);
    // high | (low & mask)
    word = e.lop3(high, low, inBytes(lowest), 0xf0 | (0xcc & 0xaa));
    if (!offset)
      return word;
    word = e.bitXor(word, inBytes(1 << (bits - 1)));
  } else if (offset) {
    // (word & mask) ^ sign: the scheme's code of the stored one.
    word = e.lop3(word, inBytes(mask), inBytes(1 << (bits - 1)),
                  (0xf0 & 0xcc) ^ 0xaa);
  } else {
    return e.bitAnd(word, inBytes(mask));
  }
  // 128 + code - zero is a byte and carries nothing into the next one; less 128
  // is the other sign.
  return e.bitXor(e.add(word, offset), inBytes(0x80));
}

SmallVector<Value> MmaOperands::registers(ArrayRef<Value> words, int atom,
                                          int step, const Offsets &offsets) {
  SmallVector<Value> result;
  for (int reg = 0; reg < 4; ++reg) {
    MmaLayout::PairPlace place = layout.place(atom, step, reg);
    if (layout.int8Activations) {
      result.push_back(toBytes(words, place, offsets.inBytes[reg & 1]));
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
