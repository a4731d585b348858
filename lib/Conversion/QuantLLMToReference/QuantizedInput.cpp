//===- QuantizedInput.cpp - Products with quantised inputs ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizedInput.h"

#include "Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numeric>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using Input = TensorProgram::Input;
using Sizes = TensorProgram::Sizes;
static constexpr int64_t kOne = TensorProgram::kOne;

Value qk::flattenInput(TensorProgram &program, Value x, int64_t k) {
  x = program.flatten(x);
  RankedTensorType type = TensorProgram::typeOf(x);
  return program.castTo(x, type.clone({type.getDimSize(0), k}));
}

Value qk::permuteColumns(TensorProgram &program, Value x, Value permutation) {
  return program.compute(
      program.sizesOf(x), TensorProgram::elementOf(x), {{permutation, {1}}},
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value row = linalg::IndexOp::create(b, 0);
        Value column = arith::IndexCastOp::create(b, b.getIndexType(), args[0]);
        return tensor::ExtractOp::create(b, x, ValueRange{row, column});
      });
}

QuantizedInput qk::readQuantizedInput(TensorProgram &program, Value x,
                                      Value scales, Value zeroPoints,
                                      ActivationSchemeAttr scheme, int64_t k) {
  bool grouped = scheme.getGranularity() == Granularity::PerTokenGroup;
  QuantizedInput input;
  input.codes = flattenInput(program, x, k);
  input.scales = program.flatten(scales);
  if (zeroPoints)
    input.zeroPoints = program.flatten(zeroPoints);
  input.length = grouped ? std::min(scheme.getGroup(), k) : k;
  input.perTensor = scheme.getGranularity() == Granularity::PerTensor;
  input.isFloat = scheme.getIsFloat();
  return input;
}

/// x - z as i32, [M,K].
static Value centreInput(TensorProgram &program, const QuantizedInput &x) {
  int64_t k = TensorProgram::typeOf(x.codes).getDimSize(1);
  Value groups = program.splitGroups(x.codes, x.length);
  SmallVector<Input> inputs = {{groups, {0, 1, 2}}};
  if (x.zeroPoints)
    inputs.push_back({x.zeroPoints, {x.row(0), x.perTensor ? kOne : 1}});
  Value centred = program.compute(
      program.sizesOf(groups), program.getI32Type(), inputs,
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value code = arith::ExtSIOp::create(b, b.getI32Type(), args[0]);
        if (!x.zeroPoints)
          return code;
        return arith::SubIOp::create(
            b, code, arith::ExtSIOp::create(b, b.getI32Type(), args[1]));
      });
  return program.joinGroups(centred, k);
}

Value qk::dequantizeInput(TensorProgram &program, const QuantizedInput &x) {
  int64_t k = TensorProgram::typeOf(x.codes).getDimSize(1);
  Value groups = program.splitGroups(
      x.isFloat ? x.codes : centreInput(program, x), x.length);
  Value values = program.compute(
      program.sizesOf(groups), program.getF32Type(),
      {Input{groups, {0, 1, 2}},
       Input{x.scales, {x.row(0), x.perTensor ? kOne : 1}}},
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value code = x.isFloat
                         ? decodeE4M3(b, args[0])
                         : arith::SIToFPOp::create(b, b.getF32Type(), args[0])
                               .getResult();
        return arith::MulFOp::create(b, args[1], code);
      });
  return program.joinGroups(values, k);
}

/// `scales` [R,G] over groups of `length`, for stretches of `stretch`: the
/// input of an expression whose dimension `row` is R and whose dimension
/// `column` counts stretches.
static Input scalesOfStretches(TensorProgram &program, Value scales,
                               int64_t length, int64_t stretch, int64_t k,
                               int64_t row, int64_t column) {
  if (length >= k)
    return {scales, {row, kOne}};
  if (length == stretch)
    return {scales, {row, column}};
  // Each group is several stretches. (An index computed in the body: a map
  // with a floordiv is what the vectorizer and tiling get wrong.)
  Sizes sizes = program.sizesOf(scales);
  sizes[1] = program.getIndexAttr((k + stretch - 1) / stretch);
  Value repeated = program.compute(
      sizes, TensorProgram::elementOf(scales), {},
      [&](ImplicitLocOpBuilder &b, ValueRange) -> Value {
        Value group = arith::DivUIOp::create(
            b, linalg::IndexOp::create(b, 1),
            arith::ConstantIndexOp::create(b, length / stretch));
        Value at = linalg::IndexOp::create(b, 0);
        return tensor::ExtractOp::create(b, scales, ValueRange{at, group});
      });
  return {repeated, {row, column}};
}

int64_t qk::stretchLength(int64_t xLength, int64_t groupLength, int64_t k) {
  return xLength >= k       ? groupLength
         : groupLength >= k ? xLength
                            : std::gcd(xLength, groupLength);
}

Value qk::integerMatmul(TensorProgram &program, const QuantizedInput &x,
                        Value weight, Value scales, int64_t groupLength,
                        IntegerType accumulator) {
  int64_t k = TensorProgram::typeOf(x.codes).getDimSize(1);
  Sizes weightSizes = program.sizesOf(weight);
  int64_t stretch = TensorProgram::typeOf(weight).getDimSize(2);
  // Codes without zero points are multiplied as narrow as they are.
  Value codes = x.zeroPoints ? centreInput(program, x) : x.codes;
  Value a = program.splitGroups(codes, stretch);
  Sizes sizes = {program.sizesOf(a)[0], weightSizes[0], weightSizes[1],
                 weightSizes[2]};
  Value sums = program.reduce(
      sizes, 1, program.getIntegerAttr(accumulator, 0),
      {Input{a, {0, 2, 3}}, Input{weight, {1, 2, 3}}},
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        auto widen = [&](Value value) -> Value {
          if (value.getType() == accumulator)
            return value;
          return arith::ExtSIOp::create(b, accumulator, value);
        };
        return arith::AddIOp::create(
            b, args[2],
            arith::MulIOp::create(b, widen(args[0]), widen(args[1])));
      });
  return program.reduce(
      ArrayRef(sizes).drop_back(), 1, program.getF32FloatAttr(0),
      {Input{sums, {0, 1, 2}},
       scalesOfStretches(program, x.scales, x.length, stretch, k, x.row(0), 2),
       scalesOfStretches(program, scales, groupLength, stretch, k, 1, 2)},
      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value scale =
            arith::MulFOp::create(b, args[1], extendToF32(b, args[2]));
        Value sum = arith::SIToFPOp::create(b, b.getF32Type(), args[0]);
        return arith::AddFOp::create(b, args[3],
                                     arith::MulFOp::create(b, scale, sum));
      });
}
