//===- ArrangeWeight.cpp - From others' constants to a scheme -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizedForm.h"

#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

//===----------------------------------------------------------------------===//
// Which scale an element has
//===----------------------------------------------------------------------===//

ValueMap qk::quant_llm::mapToOne(MLIRContext *context, int64_t rank) {
  return {AffineMap::get(rank, 0, {}, context), {}};
}

ValueMap qk::quant_llm::mapToBlocks(MLIRContext *context,
                                    ArrayRef<int64_t> shape,
                                    ArrayRef<int64_t> blocks) {
  ValueMap result;
  SmallVector<AffineExpr> exprs;
  for (auto [dim, sizes] : llvm::enumerate(llvm::zip(shape, blocks))) {
    auto [size, block] = sizes;
    if (block == 0)
      continue;
    AffineExpr expr = getAffineDimExpr(dim, context);
    exprs.push_back(block == 1 ? expr : expr.floorDiv(block));
    result.shape.push_back((size + block - 1) / block);
  }
  result.map = AffineMap::get(shape.size(), 0, exprs, context);
  return result;
}

/// The value of `expr` at `dims`; nullopt for what no index map has.
static std::optional<int64_t> evaluate(AffineExpr expr,
                                       ArrayRef<int64_t> dims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  auto left = evaluate(binary.getLHS(), dims);
  auto right = evaluate(binary.getRHS(), dims);
  if (!left || !right)
    return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *left + *right;
  case AffineExprKind::Mul:
    return *left * *right;
  case AffineExprKind::FloorDiv:
    return *right > 0 && *left >= 0 ? std::optional(*left / *right)
                                    : std::nullopt;
  case AffineExprKind::Mod:
    return *right > 0 && *left >= 0 ? std::optional(*left % *right)
                                    : std::nullopt;
  default:
    return std::nullopt;
  }
}

/// For each element of a tensor of `shape` which value it has; nullopt where
/// the map leaves the values' shape.
static std::optional<std::vector<int32_t>> indicesOf(const ValueMap &values,
                                                     ArrayRef<int64_t> shape) {
  int64_t count = ShapedType::getNumElements(shape);
  std::vector<int32_t> indices(count);
  SmallVector<int64_t> dims(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t index = 0;
    for (auto [expr, size] : llvm::zip(values.map.getResults(), values.shape)) {
      std::optional<int64_t> at = evaluate(expr, dims);
      if (!at || *at < 0 || *at >= size)
        return std::nullopt;
      index = index * size + *at;
    }
    indices[i] = static_cast<int32_t>(index);
    for (int64_t d = shape.size() - 1; d >= 0 && ++dims[d] == shape[d]; --d)
      dims[d] = 0;
  }
  return indices;
}

//===----------------------------------------------------------------------===//
// Arranging
//===----------------------------------------------------------------------===//

/// The narrowest scheme that holds all codes, which have at most 8 bits, and
/// what to add to them.
static void chooseCodes(const QuantizedConstant &constant,
                        numerics::Scheme &scheme, int &offset) {
  auto [low, high] =
      std::minmax_element(constant.codes.begin(), constant.codes.end());
  int smallest = *low, largest = *high;
  for (unsigned bits : {2u, 3u, 4u, 8u}) {
    if (constant.bits > bits)
      continue;
    int first = constant.isSigned ? -(1 << (bits - 1)) : 0;
    if (bits < 8 && (smallest < first || largest >= first + (1 << bits)))
      continue;
    scheme.codeType = bits == 2           ? numerics::CodeType::U2
                      : bits == 3         ? numerics::CodeType::U3
                      : bits == 4         ? numerics::CodeType::U4
                      : constant.isSigned ? numerics::CodeType::S8
                                          : numerics::CodeType::U8;
    offset = bits < 8 ? -first : 0;
    return;
  }
}

std::optional<numerics::QuantizedWeight>
qk::quant_llm::arrangeWeight(const QuantizedConstant &constant, int64_t n,
                             int64_t k, bool transposed, std::string &reason) {
  llvm::raw_string_ostream why(reason);
  if (n * k != static_cast<int64_t>(constant.codes.size()) || n * k == 0) {
    why << "it has " << constant.codes.size() << " codes; expected " << n * k
        << " for " << n << "x" << k;
    return std::nullopt;
  }
  auto scaleAt = indicesOf(constant.scaleMap, constant.shape);
  bool hasZeros = !constant.zeroPoints.empty();
  auto zeroAt = hasZeros ? indicesOf(constant.zeroMap, constant.shape)
                         : std::vector<int32_t>(constant.codes.size(), 0);
  if (!scaleAt || !zeroAt) {
    why << "its scales or zero points are fewer than its groups";
    return std::nullopt;
  }
  auto at = [&](int64_t row, int64_t column) {
    return transposed ? column * n + row : row * k + column;
  };
  // Groups begin where some row's scale or zero point does.
  int64_t length = 0;
  for (int64_t column = 1; column < k; ++column)
    for (int64_t row = 0; row < n; ++row) {
      int64_t here = at(row, column), before = at(row, column - 1);
      if ((*scaleAt)[here] != (*scaleAt)[before] ||
          (*zeroAt)[here] != (*zeroAt)[before]) {
        length = std::gcd(length, column);
        break;
      }
    }
  if (length == 1 && k > 1) {
    why << "its scales change from input channel to input channel; expected "
           "groups of them to share one";
    return std::nullopt;
  }
  numerics::QuantizedWeight weight;
  weight.n = n;
  weight.k = k;
  weight.scheme.groupSize = length == 0 ? -1 : length;
  weight.scheme.scaleType = constant.scaleType;
  int offset = 0;
  chooseCodes(constant, weight.scheme, offset);
  weight.codes.resize(n * k);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t column = 0; column < k; ++column)
      weight.codes[row * k + column] =
          static_cast<uint8_t>(constant.codes[at(row, column)] + offset);
  int64_t groups = weight.scheme.groups(k);
  int64_t groupLength = weight.scheme.groupLength(k);
  bool isDefault = true;
  int limit = weight.scheme.codeType == numerics::CodeType::U8 ? 32767 : 127;
  for (int64_t row = 0; row < n; ++row)
    for (int64_t group = 0; group < groups; ++group) {
      int64_t element = at(row, group * groupLength);
      float scale = constant.scales[(*scaleAt)[element]];
      if (!std::isfinite(scale)) {
        why << "it has a scale of " << scale << "; expected finite ones";
        return std::nullopt;
      }
      weight.scales.push_back(scale);
      int zero =
          (hasZeros ? constant.zeroPoints[(*zeroAt)[element]] : 0) + offset;
      if (zero < -limit - 1 || zero > limit) {
        why << "it has a zero point of " << zero - offset
            << ", which its codes' type can't have";
        return std::nullopt;
      }
      weight.zeroPoints.push_back(static_cast<int16_t>(zero));
      isDefault &= zero == weight.scheme.defaultZeroPoint();
    }
  if (isDefault)
    weight.zeroPoints.clear();
  return weight;
}
