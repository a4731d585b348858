//===- Embeddings.cpp - Tables that rows are looked up in -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Embeddings.h"

#include "Constants.h"
#include "LookThrough.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/StringSwitch.h"

#include <cstring>

using namespace mlir;
using namespace qk::quant_llm;

/// The operand that `op` looks rows up in by index; null for an op that does
/// nothing like it.
static Value gatheredOperand(Operation *op) {
  if (isa<tensor::ExtractOp, tensor::GatherOp, tosa::GatherOp>(op))
    return op->getOperand(0);
  if (op->isRegistered() || op->getNumOperands() == 0)
    return {};
  StringRef name = op->getName().getStringRef();
  if (name == "torch.operator")
    if (auto wrapped = op->getAttrOfType<StringAttr>("name"))
      name = wrapped.getValue();
  bool gathers = llvm::StringSwitch<bool>(name)
                     .Cases({"stablehlo.gather", "stablehlo.dynamic_gather",
                             "stablehlo.torch_index_select"},
                            true)
                     .Cases({"torch.aten.embedding", "torch.aten.index_select",
                             "torch.aten.index.Tensor",
                             "torch.aten.index.Tensor_hacked_twin"},
                            true)
                     .Cases({"onnx.Gather", "onnx.GatherND"}, true)
                     .Default(false);
  return gathers ? op->getOperand(0) : Value();
}

/// What `table` is behind casts, conversions and reshapes.
static Value sourceOf(Value table) {
  while (!isConstant(table)) {
    if (auto view = viewOfConstant(table))
      return view->root;
    Operation *producer = table.getDefiningOp();
    Value source = producer ? reshapedFrom(producer) : Value();
    if (producer && !source)
      source = convertedFrom(producer);
    if (!source && producer && !producer->isRegistered() &&
        producer->getNumOperands() > 0)
      source = producer->getOperand(0);
    if (!source)
      break;
    table = source;
  }
  return table;
}

/// The constants that `table` may be: itself, or what callers give a helper
/// function for it.
static void collectConstants(Value table, unsigned depth,
                             SmallVectorImpl<Value> &constants) {
  table = sourceOf(table);
  if (isConstant(table)) {
    constants.push_back(table);
    return;
  }
  auto argument = dyn_cast<BlockArgument>(table);
  auto function =
      argument
          ? dyn_cast_or_null<func::FuncOp>(argument.getOwner()->getParentOp())
          : func::FuncOp();
  if (!function || function.isPublic() || depth == 0)
    return;
  // Not by the symbol's uses: with ops of unlinked dialects these are unknown.
  function->getParentOp()->walk([&](func::CallOp call) {
    if (call.getCallee() == function.getName())
      collectConstants(call.getOperand(argument.getArgNumber()), depth - 1,
                       constants);
  });
}

Embeddings::Embeddings(ModuleOp module) {
  // Helpers call helpers, not deeply.
  constexpr unsigned maxDepth = 4;
  module.walk([&](Operation *op) {
    Value table = gatheredOperand(op);
    SmallVector<Value> constants;
    if (table)
      collectConstants(table, maxDepth, constants);
    for (Value constant : constants)
      if (keys.insert(getConstantKey(constant)).second)
        tables.push_back(constant);
  });
}

/// The bytes of a constant of at least byte elements; nothing for one whose
/// file isn't known.
static std::optional<ParameterData> bytesOf(Value value) {
  std::optional<ConstantTensor> constant = getConstant(value);
  if (!constant || constant->type.getElementTypeBitWidth() % 8 != 0)
    return std::nullopt;
  auto take = [](FailureOr<ParameterData> data) {
    return succeeded(data) ? std::optional(std::move(*data)) : std::nullopt;
  };
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(constant->value);
  if (resource && !resource.getRawHandle().getBlob())
    return std::nullopt;
  if (constant->value)
    return take(getElementsData(constant->value,
                                [&] { return emitError(value.getLoc()); }));
  auto parameter = value.getDefiningOp<ParameterOp>();
  if (!parameter)
    return std::nullopt;
  auto weights =
      parameter->getParentOfType<ModuleOp>()->getAttrOfType<DictionaryAttr>(
          QuantLLMDialect::kWeightsAttr);
  if (!weights || !weights.contains(parameter.getScope()))
    return std::nullopt;
  return take(getParameterData(parameter));
}

/// Whether element [i,j] of `a`, rows x columns, equals element [j,i] of `b`.
static bool isTransposeOf(ArrayRef<uint8_t> a, ArrayRef<uint8_t> b,
                          int64_t rows, int64_t columns, int64_t width) {
  // Blocks of both that fit the cache. Different tensors differ at once.
  constexpr int64_t block = 64;
  for (int64_t i0 = 0; i0 < rows; i0 += block)
    for (int64_t j0 = 0; j0 < columns; j0 += block)
      for (int64_t i = i0; i < std::min(i0 + block, rows); ++i)
        for (int64_t j = j0; j < std::min(j0 + block, columns); ++j)
          if (std::memcmp(&a[(i * columns + j) * width],
                          &b[(j * rows + i) * width], width) != 0)
            return false;
  return true;
}

bool Embeddings::contains(Value weight, bool transposed) const {
  if (keys.contains(getConstantKey(weight)))
    return true;
  std::optional<ConstantTensor> constant = getConstant(weight);
  std::optional<ParameterData> bytes;
  for (Value table : tables) {
    std::optional<ConstantTensor> other = getConstant(table);
    if (!constant || !other ||
        other->type.getElementType() != constant->type.getElementType() ||
        other->type.getNumElements() != constant->type.getNumElements())
      continue;
    // A table of fewer than two dimensions isn't one of rows.
    SmallVector<int64_t> shape;
    for (int64_t size : other->type.getShape())
      if (size != 1)
        shape.push_back(size);
    if (shape.size() != 2)
      continue;
    if (!bytes)
      bytes = bytesOf(weight);
    std::optional<ParameterData> otherBytes = bytesOf(table);
    if (!bytes || !otherBytes ||
        bytes->bytes.size() != otherBytes->bytes.size())
      continue;
    int64_t width = constant->type.getElementTypeBitWidth() / 8;
    if (transposed ? isTransposeOf(otherBytes->bytes, bytes->bytes, shape[0],
                                   shape[1], width)
                   : otherBytes->bytes == bytes->bytes)
      return true;
  }
  return false;
}
