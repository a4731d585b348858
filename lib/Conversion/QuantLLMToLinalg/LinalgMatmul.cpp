//===- LinalgMatmul.cpp - Matmuls on expanded groups ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinalgMatmul.h"

#include "../QuantLLMToReference/Codes.h"
#include "../QuantLLMToReference/QuantizedInput.h"
#include "../QuantLLMToReference/TensorProgram.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;
using Input = TensorProgram::Input;
using Sizes = TensorProgram::Sizes;

static int64_t columnsOf(MatmulOp op) {
  return cast<RankedTensorType>(op.getCodes().getType()).getDimSize(1);
}

/// Whether codes of x are multiplied with codes of the weight: there are
/// columns in which no scale changes.
static bool multipliesIntegers(MatmulOp op) {
  ActivationSchemeAttr x = op.getXSchemeAttr();
  if (op.getScheme().getScheme().isFloat() || (x && x.getIsFloat()))
    return false;
  return x && !(op.getPermutation() &&
                x.getGranularity() == Granularity::PerTokenGroup &&
                x.getGroup() < columnsOf(op));
}

/// The smallest and largest zero point of an evaluated matmul.
static FailureOr<std::pair<int64_t, int64_t>> zeroPointRange(MatmulOp op) {
  int64_t absent = op.getScheme().getScheme().defaultZeroPoint();
  if (!op.getZeroPoints())
    return std::make_pair(absent, absent);
  auto parameter = op.getZeroPoints().getDefiningOp<ParameterOp>();
  if (!parameter)
    return op.emitError() << "expected zero points to be a parameter, which "
                             "evaluating the recipe leaves; run "
                             "quant-llm-evaluate first";
  FailureOr<ParameterData> data = getParameterData(parameter);
  if (failed(data))
    return failure();
  auto type = cast<RankedTensorType>(op.getZeroPoints().getType());
  bool wide = type.getElementType().isInteger(16);
  int64_t smallest = INT64_MAX, largest = INT64_MIN;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    int64_t zero = static_cast<int8_t>(data->bytes[i * (wide ? 2 : 1)]);
    if (wide) {
      int16_t value;
      std::memcpy(&value, &data->bytes[2 * i], 2);
      zero = value;
    }
    smallest = std::min(smallest, zero);
    largest = std::max(largest, zero);
  }
  return std::make_pair(smallest, largest);
}

FailureOr<LinalgMatmuls::Codes> LinalgMatmuls::plan(MatmulOp op) {
  auto parameter = op.getCodes().getDefiningOp<ParameterOp>();
  if (!parameter)
    return op.emitError() << "expected codes to be a parameter, which "
                             "evaluating the recipe leaves; run "
                             "quant-llm-evaluate first";
  MLIRContext *context = op.getContext();
  numerics::Scheme scheme = op.getScheme().getScheme();
  int64_t n = cast<RankedTensorType>(parameter.getType()).getDimSize(0);
  int64_t k = columnsOf(op), length = scheme.groupLength(k);
  Codes codes;
  if (multipliesIntegers(op)) {
    auto range = zeroPointRange(op);
    if (failed(range))
      return failure();
    ActivationSchemeAttr x = op.getXSchemeAttr();
    int64_t xLength = x.getGranularity() == Granularity::PerTokenGroup
                          ? std::min(x.getGroup(), k)
                          : k;
    length = stretchLength(xLength, length, k);
    int64_t smallest = scheme.codeMin() - range->second;
    int64_t largest = scheme.codeMax() - range->first;
    codes.isCentred = true;
    codes.largest = std::max(-smallest, largest);
    bool fits = smallest >= -128 && largest <= 127;
    codes.type =
        RankedTensorType::get({n, (k + length - 1) / length, length},
                              IntegerType::get(context, fits ? 8 : 16));
    codes.name = (op.getLayer() + ".centred").str();
    return codes;
  }
  // Three bits are no type that compilers pack.
  bool packs = tensors.areNamed() && scheme.bits() != 3;
  codes.type = RankedTensorType::get(
      {n, (k + length - 1) / length, length},
      IntegerType::get(context, packs ? scheme.bits() : 8));
  codes.name = (op.getLayer() + ".codes").str();
  codes.isTaken = tensors.areNamed() && !parameter.getValueAttr() && packs &&
                  k % length == 0 && (k * scheme.bits()) % 8 == 0;
  return codes;
}

/// The same for matmuls whose codes are the same bytes in one arrangement.
static std::string keyOf(MatmulOp op, bool isCentred) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  auto add = [&](Value value) {
    auto parameter = value.getDefiningOp<ParameterOp>();
    stream << parameter.getScope() << "::" << parameter.getName() << "\n";
  };
  add(op.getCodes());
  if (!isCentred)
    return key;
  if (op.getZeroPoints())
    add(op.getZeroPoints());
  stream << op.getScheme();
  return key;
}

LogicalResult LinalgMatmuls::declare(ArrayRef<MatmulOp> ops) {
  for (MatmulOp op : ops) {
    FailureOr<Codes> codes = plan(op);
    if (failed(codes))
      return failure();
    Key key(keyOf(op, codes->isCentred), codes->type.getAsOpaquePointer());
    if (planned.count(key))
      continue;
    // Another layer of that name, or another arrangement.
    if (unsigned number = names[codes->name]++)
      codes->name += "_" + std::to_string(number);
    if (!codes->isTaken &&
        failed(tensors.declare(op.getLoc(), codes->name, codes->type)))
      return failure();
    planned[key] = *codes;
  }
  return success();
}

FailureOr<Value> LinalgMatmuls::makeCodes(MatmulOp op, Codes &codes,
                                          OpBuilder &builder) {
  if (codes.isTaken)
    return tensors.take(builder, op.getCodes().getDefiningOp<ParameterOp>(),
                        codes.type);
  if (codes.isCreated)
    return tensors.load(builder, op.getLoc(), codes.name);
  FailureOr<numerics::QuantizedWeight> weight =
      readQuantizedWeight(op, op.getScheme(), op.getCodes(), op.getScales(),
                          op.getZeroPoints(), op.getPermutation());
  if (failed(weight))
    return failure();
  codes.isCreated = true;
  int64_t groups = weight->scheme.groups(weight->k);
  int64_t groupLength = weight->scheme.groupLength(weight->k);
  int64_t columns = codes.type.getDimSize(1) * codes.type.getDimSize(2);
  int64_t size = codes.type.getElementTypeBitWidth() == 16 ? 2 : 1;
  std::vector<uint8_t> elements(weight->n * columns * size, 0);
  for (int64_t n = 0; n < weight->n; ++n)
    for (int64_t k = 0; k < weight->k; ++k) {
      uint8_t code = weight->codes[n * weight->k + k];
      uint8_t *element = &elements[(n * columns + k) * size];
      if (!codes.isCentred) {
        *element = code;
        continue;
      }
      int16_t centred =
          (weight->scheme.isSigned() ? static_cast<int8_t>(code) : code) -
          (weight->zeroPoints.empty()
               ? weight->scheme.defaultZeroPoint()
               : weight->zeroPoints[n * groups + k / groupLength]);
      std::memcpy(element, &centred, size);
    }
  return tensors.create(builder, op.getLoc(), codes.name, codes.type, elements);
}

/// Integers [N,G] as f32.
static Value integersToF32(TensorProgram &program, Value tensor) {
  return program.compute(
      program.sizesOf(tensor), program.getF32Type(), {{tensor, {0, 1}}},
      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        return arith::SIToFPOp::create(b, b.getF32Type(), args[0]);
      });
}

Value LinalgMatmuls::multiplyFloats(MatmulOp op, TensorProgram &program,
                                    Value x, Value codes) {
  numerics::Scheme scheme = op.getScheme().getScheme();
  if (op.getPermutation())
    x = permuteColumns(program, x, op.getPermutation());
  int64_t length = TensorProgram::typeOf(codes).getDimSize(2);
  x = program.splitGroups(x, length);
  SmallVector<Input> inputs = {{codes, {0, 1, 2}},
                               {program.toF32(op.getScales()), {0, 1}}};
  if (op.getZeroPoints())
    inputs.push_back({integersToF32(program, op.getZeroPoints()), {0, 1}});
  // The order of these four is what IREE looks for.
  Value weight = program.compute(
      program.sizesOf(codes), program.getF32Type(), inputs,
      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Type i32 = b.getI32Type(), f32 = b.getF32Type();
        Value value;
        if (scheme.isFloat())
          value = decodeE4M3(b, args[0]);
        else if (scheme.isSigned())
          value = arith::SIToFPOp::create(
              b, f32, arith::ExtSIOp::create(b, i32, args[0]));
        else
          value = arith::UIToFPOp::create(
              b, f32, arith::ExtUIOp::create(b, i32, args[0]));
        int zero = scheme.defaultZeroPoint();
        if (op.getZeroPoints())
          value = arith::SubFOp::create(b, value, args[2]);
        else if (zero != 0)
          value = arith::SubFOp::create(
              b, value, arith::ConstantOp::create(b, b.getF32FloatAttr(zero)));
        return arith::MulFOp::create(b, value, args[1]);
      });
  Sizes groups = program.sizesOf(codes);
  return program.reduce(
      Sizes{program.sizesOf(x)[0], groups[0], groups[1], groups[2]}, 2,
      program.getF32FloatAttr(0), {{x, {0, 2, 3}}, {weight, {1, 2, 3}}},
      [](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value product = arith::MulFOp::create(b, args[0], args[1]);
        return arith::AddFOp::create(b, product, args[2]);
      });
}

Value LinalgMatmuls::multiplyIntegers(MatmulOp op, TensorProgram &program,
                                      const Codes &plan, Value codes) {
  int64_t k = columnsOf(op);
  QuantizedInput x =
      readQuantizedInput(program, op.getX(), op.getXScales(),
                         op.getXZeroPoints(), op.getXSchemeAttr(), k);
  if (op.getPermutation())
    x.codes = permuteColumns(program, x.codes, op.getPermutation());
  // Codes of x with zero points may have any value of their type.
  int64_t bits = op.getXSchemeAttr().getBits();
  int64_t largest =
      op.getXZeroPoints() ? (int64_t(1) << bits) - 1 : int64_t(1) << (bits - 1);
  bool fits = largest * plan.largest * plan.type.getDimSize(2) <= INT32_MAX;
  return integerMatmul(program, x, codes, op.getScales(),
                       op.getScheme().getScheme().groupLength(k),
                       fits ? program.getI32Type() : program.getI64Type());
}

LogicalResult LinalgMatmuls::replace(MatmulOp op) {
  FailureOr<Codes> plan = this->plan(op);
  if (failed(plan))
    return failure();
  Codes &codes =
      planned.at({keyOf(op, plan->isCentred), plan->type.getAsOpaquePointer()});
  OpBuilder builder(op);
  FailureOr<Value> tensor = makeCodes(op, codes, builder);
  if (failed(tensor))
    return failure();

  TensorProgram program(op.getLoc(), builder);
  Value sum;
  if (codes.isCentred) {
    sum = multiplyIntegers(op, program, codes, *tensor);
  } else {
    int64_t k = columnsOf(op);
    Value x = op.getXScheme()
                  ? dequantizeInput(program,
                                    readQuantizedInput(program, op.getX(),
                                                       op.getXScales(),
                                                       op.getXZeroPoints(),
                                                       op.getXSchemeAttr(), k))
                  : program.toF32(flattenInput(program, op.getX(), k));
    sum = multiplyFloats(op, program, x, *tensor);
  }
  Value y =
      program.addBias(sum, op.getBias(), TensorProgram::elementOf(op.getY()));
  y = program.castTo(program.unflatten(y, op.getX()), op.getY().getType());
  op.getY().replaceAllUsesWith(y);
  op.erase();
  return success();
}
