//===- Codes.cpp - Codes, scales and zero points as values ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace qk;
using Input = TensorProgram::Input;

Value qk::constantOf(ImplicitLocOpBuilder &b, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
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
        Value centred =
            centre(b, args[0], zeroPoints ? args[2] : Value(), scheme);
        return arith::MulFOp::create(
            b, extendToF32(b, args[1]),
            arith::SIToFPOp::create(b, b.getF32Type(), centred));
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
