//===- QuantLLMAttributes.cpp - Attributes and enums ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

#include "qk/Dialect/QuantLLM/IR/QuantLLMEnums.cpp.inc"

/// Bits of a code, or `e4m3`.
static ParseResult parseActivationCodes(AsmParser &parser, int64_t &bits,
                                        bool &isFloat) {
  isFloat = succeeded(parser.parseOptionalKeyword("e4m3"));
  bits = 8;
  if (isFloat)
    return success();
  return parser.parseInteger(bits);
}

static void printActivationCodes(AsmPrinter &printer, int64_t bits,
                                 bool isFloat) {
  if (isFloat)
    printer << "e4m3";
  else
    printer << bits;
}

#define GET_ATTRDEF_CLASSES
#include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.cpp.inc"

void QuantLLMDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// PartAttr
//===----------------------------------------------------------------------===//

/// Elements, and the largest number of one; nullopt where 63 bits don't do.
static std::optional<std::pair<int64_t, int64_t>>
measurePart(int64_t offset, ArrayRef<int64_t> sizes,
            ArrayRef<int64_t> strides) {
  int64_t count = 1, last = offset;
  for (auto [size, stride] : llvm::zip_equal(sizes, strides)) {
    int64_t way;
    if (llvm::MulOverflow(count, size, count) ||
        llvm::MulOverflow(size - 1, stride, way) ||
        llvm::AddOverflow(last, way, last))
      return std::nullopt;
  }
  return std::pair(count, last);
}

LogicalResult PartAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t offset, ArrayRef<int64_t> sizes,
                               ArrayRef<int64_t> strides) {
  // (C1)
  if (sizes.empty() || sizes.size() != strides.size())
    return emitError() << "expected at least one size and as many strides, got "
                       << sizes.size() << " and " << strides.size();
  // (C2)
  auto atLeast = [&](StringRef what, int64_t value, int64_t least) {
    if (value >= least)
      return success();
    return LogicalResult(emitError()
                         << "expected " << what << " of a part to be at least "
                         << least << ", got " << value);
  };
  if (failed(atLeast("the offset", offset, 0)))
    return failure();
  for (int64_t size : sizes)
    if (failed(atLeast("the sizes", size, 1)))
      return failure();
  for (int64_t stride : strides)
    if (failed(atLeast("the strides", stride, 0)))
      return failure();
  if (!measurePart(offset, sizes, strides))
    return emitError() << "expected elements of a part to be counted in 63 "
                          "bits, got offset "
                       << offset << ", sizes [" << sizes << "], strides ["
                       << strides << "]";
  return success();
}

int64_t PartAttr::getNumElements() const {
  return measurePart(getOffset(), getSizes(), getStrides())->first;
}

int64_t PartAttr::getLast() const {
  return measurePart(getOffset(), getSizes(), getStrides())->second;
}

//===----------------------------------------------------------------------===//
// SchemeAttr
//===----------------------------------------------------------------------===//

LogicalResult SchemeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 CodeType codeType, int64_t group,
                                 Type scaleType) {
  // (C1)
  if (group != -1 && group < 1)
    return emitError() << "expected group to be -1 (the whole row) or at "
                          "least 1, got "
                       << group;
  // (C2)
  if (!scaleType.isF16() && !scaleType.isBF16() && !scaleType.isF32())
    return emitError() << "expected scale to be f16, bf16 or f32, got "
                       << scaleType;
  return success();
}

numerics::Scheme SchemeAttr::getScheme() const {
  static_assert(static_cast<int>(CodeType::E4M3) ==
                static_cast<int>(numerics::CodeType::E4M3));
  numerics::Scheme scheme;
  scheme.codeType = static_cast<numerics::CodeType>(getCodeType());
  scheme.groupSize = getGroup();
  scheme.scaleType = getScaleType().isF16()    ? numerics::ScaleType::F16
                     : getScaleType().isBF16() ? numerics::ScaleType::BF16
                                               : numerics::ScaleType::F32;
  return scheme;
}

SchemeAttr SchemeAttr::get(MLIRContext *context,
                           const numerics::Scheme &scheme) {
  Type scaleType;
  switch (scheme.scaleType) {
  case numerics::ScaleType::F16:
    scaleType = Float16Type::get(context);
    break;
  case numerics::ScaleType::BF16:
    scaleType = BFloat16Type::get(context);
    break;
  case numerics::ScaleType::F32:
    scaleType = Float32Type::get(context);
    break;
  }
  return get(context, static_cast<CodeType>(scheme.codeType), scheme.groupSize,
             scaleType);
}

IntegerType SchemeAttr::getStorageType() const {
  return IntegerType::get(getContext(), getScheme().bits());
}

IntegerType SchemeAttr::getZeroPointType() const {
  return IntegerType::get(getContext(), getCodeType() == CodeType::U8 ? 16 : 8);
}

//===----------------------------------------------------------------------===//
// ActivationSchemeAttr
//===----------------------------------------------------------------------===//

LogicalResult
ActivationSchemeAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                             int64_t bits, Granularity granularity,
                             int64_t group, bool isFloat) {
  // (C1)
  if (bits != 8 && bits != 16)
    return emitError() << "expected 8 or 16 bits, got " << bits;
  if (isFloat && bits != 8)
    return emitError() << "expected 8 bits for e4m3, got " << bits;
  // (C2)
  if (granularity == Granularity::PerTokenGroup) {
    if (group < 1)
      return emitError() << "expected group to be at least 1, got " << group;
  } else if (group != -1) {
    return emitError() << "expected a group for per_token_group only, got "
                       << group << " for " << stringifyGranularity(granularity);
  }
  return success();
}
