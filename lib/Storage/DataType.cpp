//===- DataType.cpp - element types of stored tensors -----------*- C++ -*-===//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//===----------------------------------------------------------------------===//

#include "qk/Storage/DataType.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace llvm;

namespace qk::storage {

namespace {
struct TypeRow {
  DataType type;
  StringLiteral name;
  int64_t width;
};
} // namespace

static constexpr TypeRow typeTable[] = {
    {DataType::Bool, "BOOL", 1}, {DataType::U8, "U8", 1},
    {DataType::I8, "I8", 1},     {DataType::U16, "U16", 2},
    {DataType::I16, "I16", 2},   {DataType::F16, "F16", 2},
    {DataType::BF16, "BF16", 2}, {DataType::U32, "U32", 4},
    {DataType::I32, "I32", 4},   {DataType::F32, "F32", 4},
    {DataType::U64, "U64", 8},   {DataType::I64, "I64", 8},
    {DataType::F64, "F64", 8},   {DataType::F8E4M3, "F8_E4M3", 1},
};

int64_t byteWidth(DataType type) {
  return typeTable[static_cast<size_t>(type)].width;
}

StringRef spelling(DataType type) {
  return typeTable[static_cast<size_t>(type)].name;
}

std::optional<DataType> parseDataType(StringRef name) {
  for (const TypeRow &row : typeTable)
    if (row.name == name)
      return row.type;
  return std::nullopt;
}

std::string describe(DataType type, ArrayRef<int64_t> shape) {
  std::string text = (spelling(type) + "[").str();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i)
      text += 'x';
    text += shape[i] < 0 ? "?" : llvm::utostr(shape[i]);
  }
  return text + "]";
}

std::optional<int64_t> byteSize(DataType type, ArrayRef<int64_t> shape) {
  // A zero dimension doesn't excuse an overflow of the others: readers that
  // multiply in another order would trip over it.
  int64_t size = byteWidth(type);
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      return std::nullopt;
    if (dim == 0) {
      empty = true;
      continue;
    }
    std::optional<int64_t> product = checkedMul(size, dim);
    if (!product)
      return std::nullopt;
    size = *product;
  }
  return empty ? 0 : size;
}

Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

} // namespace qk::storage
