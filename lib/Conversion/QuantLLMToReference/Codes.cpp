//===- Codes.cpp - Codes, scales and zero points as values ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace qk;
using Input = TensorProgram::Input;

Value qk::constantOf(ImplicitLocOpBuilder &b, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}

Value qk::decodeE4M3(ImplicitLocOpBuilder &b, Value byte) {
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  auto integer = [&](int64_t value) { return constantOf(b, i32, value); };
  Value code = arith::ExtUIOp::create(b, i32, byte);
  Value magnitude = arith::AndIOp::create(b, code, integer(0x7f));
  // Exponents are biased by 7 in place of 127.
  Value normal = arith::BitcastOp::create(
      b, f32,
      arith::AddIOp::create(b, arith::ShLIOp::create(b, magnitude, integer(20)),
                            integer(120 << 23)));
  Value steps =
      arith::MulFOp::create(b, arith::UIToFPOp::create(b, f32, magnitude),
                            constantOf(b, f32, 0x1p-9));
  auto is = [&](arith::CmpIPredicate predicate, int64_t value) -> Value {
    return arith::CmpIOp::create(b, predicate, magnitude, integer(value));
  };
  Value value = arith::SelectOp::create(b, is(arith::CmpIPredicate::ult, 8),
                                        steps, normal);
  value = arith::SelectOp::create(
      b, is(arith::CmpIPredicate::eq, numerics::kNaNE4M3),
      constantOf(b, f32, std::numeric_limits<double>::quiet_NaN()), value);
  Value sign = arith::ShLIOp::create(
      b, arith::AndIOp::create(b, code, integer(0x80)), integer(24));
  return arith::BitcastOp::create(
      b, f32,
      arith::OrIOp::create(b, arith::BitcastOp::create(b, i32, value), sign));
}

Value qk::encodeE4M3(ImplicitLocOpBuilder &b, Value value) {
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  auto integer = [&](int64_t value) { return constantOf(b, i32, value); };
  value = arith::MaxNumFOp::create(b, value,
                                   constantOf(b, f32, -numerics::kLargestE4M3));
  value = arith::MinNumFOp::create(b, value,
                                   constantOf(b, f32, numerics::kLargestE4M3));
  // Added to 1.5 · 2^(e + 20), whose last place is worth a step of numbers from
  // 2^e on, it loses what is finer; below 2^-6 steps stay what they are there.
  Value bits = arith::BitcastOp::create(b, i32, value);
  Value exponent = arith::MaxSIOp::create(
      b, arith::AndIOp::create(b, bits, integer(0x7f800000)),
      integer((127 - 6) << 23));
  Value large = arith::BitcastOp::create(
      b, f32,
      arith::OrIOp::create(
          b, arith::AddIOp::create(b, exponent, integer(20 << 23)),
          integer(1 << 22)));
  Value rounded =
      arith::SubFOp::create(b, arith::AddFOp::create(b, value, large), large);
  Value magnitude = arith::AndIOp::create(
      b, arith::BitcastOp::create(b, i32, rounded), integer(0x7fffffff));
  Value normal = arith::SubIOp::create(
      b, arith::ShRUIOp::create(b, magnitude, integer(20)), integer(120 << 3));
  Value steps = arith::FPToSIOp::create(
      b, i32,
      arith::MulFOp::create(b, arith::BitcastOp::create(b, f32, magnitude),
                            constantOf(b, f32, 0x1p9)));
  Value isSmall = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, magnitude,
                                        integer((127 - 6) << 23));
  // The sign of what was rounded to 0 stays.
  Value sign = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, bits, integer(24)), integer(0x80));
  Value code = arith::OrIOp::create(
      b, arith::SelectOp::create(b, isSmall, steps, normal), sign);
  return arith::TruncIOp::create(b, b.getI8Type(), code);
}

/// c - z as i32; without `zero` the scheme's default.
static Value centre(ImplicitLocOpBuilder &b, Value code, Value zero,
                    const numerics::Scheme &scheme) {
  Type i32 = b.getI32Type();
  Value wide = scheme.isSigned()
                   ? arith::ExtSIOp::create(b, i32, code).getResult()
                   : arith::ExtUIOp::create(b, i32, code);
  Value wideZero = zero ? arith::ExtSIOp::create(b, i32, zero).getResult()
                        : constantOf(b, i32, scheme.defaultZeroPoint());
  return arith::SubIOp::create(b, wide, wideZero);
}

/// The inputs codes, zero points (if any) and `more` of an expression over
/// (n, g, k).
static SmallVector<Input> groupInputs(Value codes, Value zeroPoints,
                                      ArrayRef<Input> more) {
  SmallVector<Input> inputs = {{codes, {0, 1, 2}}};
  llvm::append_range(inputs, more);
  if (zeroPoints)
    inputs.push_back({zeroPoints, {0, 1}});
  return inputs;
}

Value qk::subtractZeroPoints(TensorProgram &program, Value codes,
                             Value zeroPoints, const numerics::Scheme &scheme) {
  int64_t k = TensorProgram::typeOf(codes).getDimSize(1);
  Value groups = program.splitGroups(codes, scheme.groupLength(k));
  Value centred = program.compute(
      program.sizesOf(groups), program.getI32Type(),
      groupInputs(groups, zeroPoints, {}),
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        return centre(b, args[0], zeroPoints ? args[1] : Value(), scheme);
      });
  return program.joinGroups(centred, k);
}

Value qk::dequantizeToF32(TensorProgram &program, Value codes, Value scales,
                          Value zeroPoints, const numerics::Scheme &scheme) {
  int64_t k = TensorProgram::typeOf(codes).getDimSize(1);
  Value groups = program.splitGroups(codes, scheme.groupLength(k));
  Value weight = program.compute(
      program.sizesOf(groups), program.getF32Type(),
      groupInputs(groups, zeroPoints, {{scales, {0, 1}}}),
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value scale = extendToF32(b, args[1]);
        if (scheme.isFloat())
          return arith::MulFOp::create(b, scale, decodeE4M3(b, args[0]));
        Value centred =
            centre(b, args[0], zeroPoints ? args[2] : Value(), scheme);
        return arith::MulFOp::create(
            b, scale, arith::SIToFPOp::create(b, b.getF32Type(), centred));
      });
  return program.joinGroups(weight, k);
}

Value qk::roundAndClamp(ImplicitLocOpBuilder &b, Value value, int64_t min,
                        int64_t max, Type type) {
  Type f32 = b.getF32Type();
  value = math::RoundEvenOp::create(b, value);
  value = arith::MaxNumFOp::create(b, value, constantOf(b, f32, min));
  value = arith::MinNumFOp::create(b, value, constantOf(b, f32, max));
  // Unsigned bytes go beyond 127: convert to a wider type first.
  Value wide = arith::FPToSIOp::create(b, b.getI32Type(), value);
  if (type.isInteger(32))
    return wide;
  return arith::TruncIOp::create(b, type, wide);
}
