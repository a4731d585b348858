//===- QuantizedConstant.cpp - Reading others' quantised constants --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "LookThrough.h"
#include "QuantizedForm.h"
#include "UnlinkedOps.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

Value qk::quant_llm::findConstantRoot(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (isConstant(value))
      return value;
    if (Value source = reshapedFrom(op)) {
      value = source;
      continue;
    }
    UnlinkedKind kind = getUnlinkedKind(op);
    if (kind != UnlinkedKind::Identity && kind != UnlinkedKind::Reshape)
      return {};
    value = op->getOperand(0);
  }
  return {};
}

/// Calls `read` with the bytes of a constant: its elements, those of fewer than
/// 8 bits packed by row for a parameter.
static bool withBytes(Value root, std::string &reason,
                      function_ref<void(ArrayRef<uint8_t>, bool packed)> read) {
  std::optional<ConstantTensor> constant = getConstant(root);
  if (!constant) {
    reason = "it isn't a constant";
    return false;
  }
  // A weight that can't be read stays as it is: no error.
  std::string message;
  ScopedDiagnosticHandler handler(root.getContext(), [&](Diagnostic &why) {
    message = ": " + why.str();
    return success();
  });
  // The op's own elements; of sub-byte types one a byte.
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(constant->value);
  bool inModule = constant->value &&
                  !(resource && !resource.getRawHandle().getBlob()) &&
                  !root.getDefiningOp<ParameterOp>();
  if (inModule) {
    FailureOr<ParameterData> data = getElementsData(
        constant->value, [&] { return root.getDefiningOp()->emitError(); });
    if (failed(data)) {
      reason = "its data can't be read" + message;
      return false;
    }
    read(data->bytes, /*packed=*/false);
    return true;
  }
  // In a file: by way of a parameter, whose type has no sign.
  auto parameter = root.getDefiningOp<ParameterOp>();
  OpBuilder builder(root.getContext());
  builder.setInsertionPointAfterValue(root);
  Value made = root;
  if (!parameter) {
    Type element = constant->type.getElementType();
    if (auto integer = dyn_cast<IntegerType>(element))
      constant->type = constant->type.clone(
          IntegerType::get(root.getContext(), integer.getWidth()));
    FailureOr<Value> created =
        createParameter(builder, root.getLoc(), *constant, "weight");
    if (failed(created)) {
      reason = "its data can't be read" + message;
      return false;
    }
    made = *created;
    parameter = made.getDefiningOp<ParameterOp>();
  }
  bool ok = false;
  if (!parameter) {
    reason = "its file holds it in another type or order";
  } else if (FailureOr<ParameterData> data = getParameterData(parameter);
             succeeded(data)) {
    read(data->bytes, parameter.getStorageType() != parameter.getType());
    ok = true;
  } else {
    reason = "its data can't be read" + message;
  }
  if (made != root)
    eraseUnused(made.getDefiningOp());
  return ok;
}

std::optional<std::vector<int64_t>>
qk::quant_llm::readIntegers(Value root, bool isSigned, std::string &reason) {
  std::optional<ConstantTensor> constant = getConstant(root);
  auto type = constant ? dyn_cast<IntegerType>(constant->type.getElementType())
                       : IntegerType();
  if (!type || type.getWidth() > 64) {
    reason = "it isn't a constant of integers";
    return std::nullopt;
  }
  unsigned bits = type.getWidth(), bytes = (bits + 7) / 8;
  if (!type.isSignless())
    isSigned = type.isSigned();
  int64_t count = constant->type.getNumElements();
  int64_t row = constant->type.getRank() ? constant->type.getShape().back() : 1;
  std::vector<int64_t> values(count);
  auto extend = [&](uint64_t value) -> int64_t {
    if (bits < 64)
      value &= (uint64_t(1) << bits) - 1;
    if (isSigned && bits < 64 && (value >> (bits - 1)))
      value |= ~uint64_t(0) << bits;
    return static_cast<int64_t>(value);
  };
  bool ok = withBytes(root, reason, [&](ArrayRef<uint8_t> data, bool packed) {
    for (int64_t i = 0; i < count; ++i) {
      uint64_t value = 0;
      if (packed) {
        int64_t bit = (i % row) * bits;
        const uint8_t *start = &data[i / row * ((row * bits + 7) / 8)];
        value = start[bit / 8];
        if (bit % 8 + bits > 8)
          value |= uint64_t(start[bit / 8 + 1]) << 8;
        value >>= bit % 8;
      } else {
        std::memcpy(&value, &data[i * bytes], bytes);
      }
      values[i] = extend(value);
    }
  });
  if (!ok)
    return std::nullopt;
  return values;
}

std::optional<std::vector<float>>
qk::quant_llm::readFloats(Value root, std::string &reason) {
  std::optional<ConstantTensor> constant = getConstant(root);
  Type type = constant ? constant->type.getElementType() : Type();
  if (!type ||
      !(type.isF16() || type.isBF16() || type.isF32() || type.isF64())) {
    reason = "it isn't a constant of floats";
    return std::nullopt;
  }
  std::vector<float> values(constant->type.getNumElements());
  unsigned bytes = type.getIntOrFloatBitWidth() / 8;
  bool isExact = true;
  bool ok = withBytes(root, reason, [&](ArrayRef<uint8_t> data, bool) {
    for (size_t i = 0; i < values.size(); ++i) {
      uint64_t bits = 0;
      std::memcpy(&bits, &data[i * bytes], bytes);
      llvm::APFloat value(cast<FloatType>(type).getFloatSemantics(),
                          llvm::APInt(bytes * 8, bits));
      bool loses = false;
      value.convert(llvm::APFloat::IEEEsingle(),
                    llvm::APFloat::rmNearestTiesToEven, &loses);
      isExact &= !loses;
      values[i] = value.convertToFloat();
    }
  });
  if (!ok)
    return std::nullopt;
  if (!isExact) {
    reason = "its values are not exact in f32";
    return std::nullopt;
  }
  return values;
}

bool qk::quant_llm::readScales(QuantizedConstant &constant, Value value,
                               std::string &reason) {
  Value root = findConstantRoot(value);
  auto values = root ? readFloats(root, reason) : std::nullopt;
  if (!values) {
    reason = "its scales are no constant of floats that can be read" +
             (root ? ": " + reason : std::string());
    return false;
  }
  Type type = getConstant(root)->type.getElementType();
  constant.scaleType = type.isF16()    ? numerics::ScaleType::F16
                       : type.isBF16() ? numerics::ScaleType::BF16
                                       : numerics::ScaleType::F32;
  constant.scales = std::move(*values);
  return true;
}

bool qk::quant_llm::readZeroPoints(QuantizedConstant &constant, Value value,
                                   bool isSigned, std::string &reason) {
  Value root = findConstantRoot(value);
  if (!root) {
    reason = "its zero points are no constant";
    return false;
  }
  std::vector<int64_t> whole;
  if (isa<FloatType>(getConstant(root)->type.getElementType())) {
    auto values = readFloats(root, reason);
    if (!values) {
      reason = "its zero points: " + reason;
      return false;
    }
    for (float zero : *values) {
      if (zero != std::rint(zero) || std::abs(zero) > 32767) {
        llvm::raw_string_ostream(reason)
            << "it has a zero point of " << zero
            << "; expected integers, which real-valued ones are not";
        return false;
      }
      whole.push_back(static_cast<int64_t>(zero));
    }
  } else {
    auto values = readIntegers(root, isSigned, reason);
    if (!values) {
      reason = "its zero points: " + reason;
      return false;
    }
    whole = std::move(*values);
  }
  for (int64_t zero : whole) {
    if (std::abs(zero) > 32767) {
      llvm::raw_string_ostream(reason)
          << "it has a zero point of " << zero
          << "; expected at most 32767 in magnitude";
      return false;
    }
    constant.zeroPoints.push_back(static_cast<int16_t>(zero));
  }
  return true;
}

bool qk::quant_llm::readCodes(QuantizedConstant &constant, Value value,
                              bool isSigned, std::string &reason) {
  Value root = findConstantRoot(value);
  RankedTensorType type = getTensorType(value);
  if (!root || !type || !type.hasStaticShape()) {
    reason = "its codes are no constant";
    return false;
  }
  auto element =
      dyn_cast<IntegerType>(getConstant(root)->type.getElementType());
  auto codes = readIntegers(root, isSigned, reason);
  if (!codes || element.getWidth() > 8) {
    reason = codes ? "its codes have " + std::to_string(element.getWidth()) +
                         " bits; expected at most 8"
                   : "its codes: " + reason;
    return false;
  }
  constant.isSigned = element.isSignless() ? isSigned : element.isSigned();
  if (element.getWidth() < 8)
    constant.bits = element.getWidth();
  constant.shape.assign(type.getShape().begin(), type.getShape().end());
  constant.codes.assign(codes->begin(), codes->end());
  constant.name = getConstant(root)->name;
  return true;
}

std::vector<int16_t> qk::quant_llm::unpackBytes(ArrayRef<int64_t> bytes,
                                                unsigned bits) {
  std::vector<int16_t> values;
  for (int64_t byte : bytes)
    for (unsigned shift = 0; shift < 8; shift += bits)
      values.push_back((byte >> shift) & ((1 << bits) - 1));
  return values;
}
