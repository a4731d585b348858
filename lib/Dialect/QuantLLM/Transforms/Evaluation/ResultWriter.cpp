//===- ResultWriter.cpp - Where evaluated weights go ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ResultWriter.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"
#include "qk/Numerics/BitPacking.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// No more than malloc gives: bytecode with blobs of a larger alignment can
/// only be read from memory that has it, which MLIR's own tools do not see to.
static constexpr size_t kBlobAlignment = 16;

/// The scope that results have.
static constexpr StringLiteral kScope = "quantized";

/// A result of a rounding op and what its parameter is called.
struct NamedResult {
  Value value;
  StringRef suffix;
};

static SmallVector<NamedResult> namedResults(Operation *rounding) {
  SmallVector<NamedResult> results;
  auto add = [&](Value value, StringRef suffix) {
    if (value)
      results.push_back({value, suffix});
  };
  if (auto op = dyn_cast<RoundToNearestOp>(rounding)) {
    add(op.getCodes(), ".codes");
    add(op.getScales(), ".scales");
    add(op.getZeroPoints(), ".zero_points");
  } else {
    auto gptq = cast<RoundCompensatedOp>(rounding);
    add(gptq.getCodes(), ".codes");
    add(gptq.getScales(), ".scales");
    add(gptq.getZeroPoints(), ".zero_points");
    add(gptq.getPermutation(), ".permutation");
  }
  return results;
}

static RankedTensorType storageType(Value value) {
  return ParameterOp::getStorageType(cast<RankedTensorType>(value.getType()));
}

ResultWriter::ResultWriter(ModuleOp module, StringRef path)
    : module(module), path(path.str()) {
  if (!path.empty())
    file.emplace(path);
}

LogicalResult ResultWriter::fail(llvm::Error error) {
  return emitError(module.getLoc()) << "can't write the quantised weights: "
                                    << llvm::toString(std::move(error));
}

LogicalResult ResultWriter::declare(Operation *rounding, StringRef layer) {
  if (!file)
    return success();
  for (NamedResult result : namedResults(rounding)) {
    RankedTensorType type = storageType(result.value);
    storage::DataType dataType = *getDataType(type.getElementType());
    // Signless i8 holds signed zero points and s8 codes.
    if (dataType == storage::DataType::U8 && result.suffix == ".zero_points")
      dataType = storage::DataType::I8;
    if (llvm::Error error = file->declare((layer + result.suffix).str(),
                                          dataType, type.getShape()))
      return fail(std::move(error));
  }
  return success();
}

/// Elements in their storage type, in which every value is representable.
static std::vector<uint8_t> floatBytes(ArrayRef<float> values, Type type) {
  std::vector<uint8_t> bytes;
  auto append = [&](const void *data, size_t size) {
    auto *begin = static_cast<const uint8_t *>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  for (float value : values) {
    if (type.isF32()) {
      append(&value, 4);
    } else if (type.isF16()) {
      auto half = static_cast<_Float16>(value);
      append(&half, 2);
    } else {
      uint32_t bits;
      std::memcpy(&bits, &value, 4);
      auto upper = static_cast<uint16_t>(bits >> 16);
      append(&upper, 2);
    }
  }
  return bytes;
}

static std::vector<uint8_t> zeroPointBytes(const std::vector<int16_t> &zeros,
                                           Type element) {
  std::vector<uint8_t> bytes;
  for (int16_t zero : zeros) {
    bytes.push_back(static_cast<uint8_t>(zero));
    if (element.isInteger(16))
      bytes.push_back(static_cast<uint8_t>(zero >> 8));
  }
  return bytes;
}

FailureOr<Value> ResultWriter::emit(OpBuilder &builder, Value result,
                                    StringRef name, ArrayRef<uint8_t> bytes) {
  ElementsAttr value;
  if (file) {
    if (llvm::Error error = file->write(name, bytes))
      return fail(std::move(error));
  } else {
    ArrayRef<char> chars(reinterpret_cast<const char *>(bytes.data()),
                         bytes.size());
    value = DenseResourceElementsAttr::get(
        storageType(result), name,
        HeapAsmResourceBlob::allocateAndCopyWithAlign(chars, kBlobAlignment,
                                                      /*dataIsMutable=*/false));
  }
  return ParameterOp::create(builder, result.getLoc(), result.getType(), kScope,
                             name, value)
      .getResult();
}

LogicalResult ResultWriter::declareTensor(Value value, StringRef name) {
  if (!file)
    return success();
  auto type = cast<RankedTensorType>(value.getType());
  if (llvm::Error error = file->declare(
          name.str(), *getDataType(type.getElementType()), type.getShape()))
    return fail(std::move(error));
  return success();
}

LogicalResult ResultWriter::writeTensor(Value value, StringRef name,
                                        ArrayRef<float> elements,
                                        function_ref<bool(OpOperand &)> keeps) {
  OpBuilder builder(value.getDefiningOp());
  FailureOr<Value> parameter =
      emit(builder, value, name,
           floatBytes(elements, storageType(value).getElementType()));
  if (failed(parameter))
    return failure();
  value.replaceUsesWithIf(*parameter,
                          [&](OpOperand &use) { return !keeps(use); });
  return success();
}

LogicalResult ResultWriter::write(Operation *rounding, StringRef layer,
                                  const numerics::QuantizedWeight &weight) {
  OpBuilder builder(rounding);
  for (NamedResult result : namedResults(rounding)) {
    std::vector<uint8_t> bytes;
    if (result.suffix == ".codes") {
      bytes = numerics::packRows(weight.codes.data(), weight.n, weight.k,
                                 weight.scheme.bits());
    } else if (result.suffix == ".scales") {
      bytes =
          floatBytes(weight.scales, storageType(result.value).getElementType());
    } else if (result.suffix == ".zero_points") {
      bytes = zeroPointBytes(weight.zeroPoints,
                             storageType(result.value).getElementType());
    } else {
      bytes.resize(weight.permutation.size() * sizeof(int32_t));
      std::memcpy(bytes.data(), weight.permutation.data(), bytes.size());
    }
    FailureOr<Value> parameter =
        emit(builder, result.value, (layer + result.suffix).str(), bytes);
    if (failed(parameter))
      return failure();
    result.value.replaceAllUsesWith(*parameter);
  }
  rounding->erase();
  return success();
}

LogicalResult ResultWriter::commit() {
  if (!file)
    return success();
  if (llvm::Error error = file->commit())
    return fail(std::move(error));
  recordWeights(module, kScope, path);
  return success();
}

static Type scaleTypeOf(numerics::ScaleType type, MLIRContext *context) {
  switch (type) {
  case numerics::ScaleType::F16:
    return Float16Type::get(context);
  case numerics::ScaleType::BF16:
    return BFloat16Type::get(context);
  case numerics::ScaleType::F32:
    return Float32Type::get(context);
  }
  return {};
}

WeightParameters
qk::quant_llm::createWeightParameters(OpBuilder &builder, Location location,
                                      StringRef layer,
                                      const numerics::QuantizedWeight &weight) {
  MLIRContext *context = builder.getContext();
  auto create = [&](RankedTensorType type, StringRef suffix,
                    ArrayRef<uint8_t> bytes) -> Value {
    std::string name = (layer + suffix).str();
    ArrayRef<char> chars(reinterpret_cast<const char *>(bytes.data()),
                         bytes.size());
    auto value = DenseResourceElementsAttr::get(
        ParameterOp::getStorageType(type), name,
        HeapAsmResourceBlob::allocateAndCopyWithAlign(chars, kBlobAlignment,
                                                      /*dataIsMutable=*/false));
    return ParameterOp::create(builder, location, type, kScope, name, value);
  };
  const numerics::Scheme &scheme = weight.scheme;
  Type scaleType = scaleTypeOf(scheme.scaleType, context);
  WeightParameters made;
  made.scheme = SchemeAttr::get(context, static_cast<CodeType>(scheme.codeType),
                                scheme.groupSize, scaleType);
  made.codes =
      create(RankedTensorType::get({weight.n, weight.k},
                                   builder.getIntegerType(scheme.bits())),
             ".codes",
             numerics::packRows(weight.codes.data(), weight.n, weight.k,
                                scheme.bits()));
  SmallVector<int64_t> grid = {weight.n, scheme.groups(weight.k)};
  made.scales = create(RankedTensorType::get(grid, scaleType), ".scales",
                       floatBytes(weight.scales, scaleType));
  if (!weight.zeroPoints.empty()) {
    Type element = scheme.codeType == numerics::CodeType::U8
                       ? builder.getI16Type()
                       : builder.getI8Type();
    made.zeroPoints =
        create(RankedTensorType::get(grid, element), ".zero_points",
               zeroPointBytes(weight.zeroPoints, element));
  }
  if (!weight.permutation.empty()) {
    std::vector<uint8_t> bytes(weight.permutation.size() * sizeof(int32_t));
    std::memcpy(bytes.data(), weight.permutation.data(), bytes.size());
    made.permutation =
        create(RankedTensorType::get({weight.k}, builder.getI32Type()),
               ".permutation", bytes);
  }
  return made;
}
