//===- DequantizeLinalg.cpp - Dequantisation written in linalg ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// scale * (code - zero point) as the body of an elementwise generic, in any
/// integer and float types, the subtraction before or after the conversion to
/// float, each operand indexed by any affine map: expanded groups
/// (n, g, k) -> (n, g), `k floordiv 128`, one a channel, one for all. And
/// IREE's op for the same.
///
//===----------------------------------------------------------------------===//

#include "LookThrough.h"
#include "QuantizedForm.h"
#include "UnlinkedOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace qk::quant_llm;

namespace {

/// What the body computes; values are the body's.
struct Formula {
  Value code, scale, zeroPoint;
  bool codeIsSigned = false, zeroIsSigned = false;
};

} // namespace

/// `value` behind extensions of integers, and what reads the stored value as
/// signed or not; null where they say one thing inside and another outside.
/// `isSigned`: as what the result is read, then the stored value.
static Value skipExtensions(Value value, bool &isSigned) {
  while (Operation *op = value.getDefiningOp()) {
    if (isa<arith::ExtSIOp>(op)) {
      if (!isSigned)
        return {};
    } else if (isa<arith::ExtUIOp>(op)) {
      isSigned = false;
    } else {
      return value;
    }
    value = op->getOperand(0);
  }
  return value;
}

/// As above, for zero points, whose range is checked where they are read: to 32
/// bits and more they may be truncated, too.
static Value skipToZeroPoint(Value value, bool &isSigned) {
  Value source = skipExtensions(value, isSigned);
  if (source && isSigned && source.getType().getIntOrFloatBitWidth() >= 32)
    if (auto truncation = source.getDefiningOp<arith::TruncIOp>())
      return skipExtensions(truncation.getIn(), isSigned);
  return source;
}

/// Whether the difference of what is stored in `code` and `zeroPoint` can't
/// wrap in the type of `difference`. (Zero points of 16 bits are the largest
/// that are read.)
static bool holdsDifference(Value difference, Value code, Value zeroPoint) {
  unsigned bits = difference.getType().getIntOrFloatBitWidth();
  return bits >= 32 ||
         bits > std::max(code.getType().getIntOrFloatBitWidth(),
                         zeroPoint.getType().getIntOrFloatBitWidth());
}

/// The integer that `value` is converted from, or null.
static Value convertedInteger(Value value, bool &isSigned) {
  value = skipFloatConversions(value);
  Operation *op = value.getDefiningOp();
  if (!isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(op))
    return {};
  isSigned = isa<arith::SIToFPOp>(op);
  return op->getOperand(0);
}

/// Fills in code and zero point of `code - zero point`, or of `code` alone.
static bool matchCentred(Value value, Formula &formula) {
  value = skipFloatConversions(value);
  if (auto sub = value.getDefiningOp<arith::SubFOp>()) {
    Value code = convertedInteger(sub.getLhs(), formula.codeIsSigned);
    if (!code)
      return false;
    formula.code = skipExtensions(code, formula.codeIsSigned);
    formula.zeroPoint = skipFloatConversions(sub.getRhs());
    if (Value zero = convertedInteger(sub.getRhs(), formula.zeroIsSigned))
      formula.zeroPoint = skipToZeroPoint(zero, formula.zeroIsSigned);
    return formula.code && formula.zeroPoint;
  }
  Value centred = convertedInteger(value, formula.codeIsSigned);
  if (!centred)
    return false;
  auto sub = centred.getDefiningOp<arith::SubIOp>();
  if (!sub) {
    formula.code = skipExtensions(centred, formula.codeIsSigned);
    return formula.code != nullptr;
  }
  // Differences may be negative. Without an extension the type's own sign
  // counts.
  if (!formula.codeIsSigned)
    return false;
  formula.zeroIsSigned = true;
  formula.code = skipExtensions(sub.getLhs(), formula.codeIsSigned);
  formula.zeroPoint = skipToZeroPoint(sub.getRhs(), formula.zeroIsSigned);
  return formula.code && formula.zeroPoint &&
         holdsDifference(sub, formula.code, formula.zeroPoint);
}

/// What a body that yields `value` computes; nullopt for anything else.
static std::optional<Formula> matchFormula(Value value) {
  auto product = skipFloatConversions(value).getDefiningOp<arith::MulFOp>();
  if (!product)
    return std::nullopt;
  for (bool swapped : {false, true}) {
    Formula formula;
    Value centred = swapped ? product.getRhs() : product.getLhs();
    formula.scale =
        skipFloatConversions(swapped ? product.getLhs() : product.getRhs());
    if (matchCentred(centred, formula))
      return formula;
  }
  return std::nullopt;
}

/// The operand that a body's value is of `op`, with its map; or, for a constant
/// of the body, nothing.
static OpOperand *operandOf(linalg::GenericOp op, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != op.getBlock() ||
      argument.getArgNumber() >= op.getNumDpsInputs())
    return nullptr;
  return op.getDpsInputOperand(argument.getArgNumber());
}

static ValueMap mapOf(linalg::GenericOp op, OpOperand *operand) {
  return {op.getMatchingIndexingMap(operand),
          SmallVector<int64_t>(
              cast<RankedTensorType>(operand->get().getType()).getShape())};
}

/// Whether the operand holds codes: constant integers of at most 8 bits.
static bool holdsCodes(OpOperand *operand) {
  if (!operand)
    return false;
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  return type && isa<IntegerType>(type.getElementType()) &&
         type.getElementTypeBitWidth() <= 8 && findConstantRoot(operand->get());
}

/// What `value` is converted from, elementwise and exactly: scales stored as
/// f16, zero points stored as integers, which are signed or not.
static Value skipConversion(Value value, bool &isSigned) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || !generic.hasPureTensorSemantics() ||
      generic.getNumDpsInputs() != 1 || generic.getNumDpsInits() != 1 ||
      llvm::any_of(generic.getIndexingMapsArray(),
                   [](AffineMap map) { return !map.isIdentity(); }))
    return value;
  Value inner = generic.getBody()->getTerminator()->getOperand(0);
  while (auto extension = inner.getDefiningOp<arith::ExtFOp>())
    inner = extension.getIn();
  bool isF32 = inner.getType().isF32();
  bool innerIsSigned = isSigned;
  if (isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(inner.getDefiningOp()))
    inner =
        skipExtensions(convertedInteger(inner, innerIsSigned), innerIsSigned);
  // In less than f32 integers of more than 8 bits are rounded.
  bool isExact = inner && (isF32 || isa<FloatType>(inner.getType()) ||
                           inner.getType().getIntOrFloatBitWidth() <= 8);
  if (!isExact || inner != generic.getBody()->getArgument(0))
    return value;
  isSigned = innerIsSigned;
  return generic.getDpsInputOperand(0)->get();
}

/// Codes in the order of the result, whose indices `map` takes to theirs.
static bool reorderCodes(QuantizedConstant &constant, AffineMap map,
                         ArrayRef<int64_t> shape) {
  if (map.isIdentity())
    return llvm::equal(constant.shape, shape);
  if (!map.isPermutation())
    return false;
  std::vector<int16_t> codes(constant.codes.size());
  SmallVector<int64_t> dims(shape.size(), 0), strides(shape.size(), 0);
  int64_t stride = 1;
  for (int64_t i = map.getNumResults() - 1; i >= 0; --i) {
    strides[map.getDimPosition(i)] = stride;
    stride *= constant.shape[i];
  }
  for (int16_t &code : codes) {
    int64_t at = 0;
    for (auto [dim, step] : llvm::zip(dims, strides))
      at += dim * step;
    code = constant.codes[at];
    for (int64_t d = shape.size() - 1; d >= 0 && ++dims[d] == shape[d]; --d)
      dims[d] = 0;
  }
  constant.codes = std::move(codes);
  constant.shape.assign(shape.begin(), shape.end());
  return true;
}

QuantizedFinding qk::quant_llm::findLinalgDequantization(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || !generic.hasPureTensorSemantics() ||
      generic.getNumResults() != 1 ||
      generic.getNumParallelLoops() != generic.getNumLoops() ||
      generic.getBody()->empty())
    return QuantizedFinding::unrelated();
  auto type = dyn_cast<RankedTensorType>(generic.getResult(0).getType());
  if (!type || !isa<FloatType>(type.getElementType()))
    return QuantizedFinding::unrelated();
  auto formula =
      matchFormula(generic.getBody()->getTerminator()->getOperand(0));
  if (!formula)
    return QuantizedFinding::unrelated();
  OpOperand *codes = operandOf(generic, formula->code);
  if (!holdsCodes(codes))
    return QuantizedFinding::unrelated();
  // From here on it is a quantised weight, and what isn't raised is said.
  if (!type.hasStaticShape() ||
      !generic.getMatchingIndexingMap(generic.getDpsInitOperand(0))
           .isIdentity())
    return QuantizedFinding::rejected("its result isn't written in order");
  QuantizedFinding finding;
  QuantizedConstant constant;
  if (!readCodes(constant, codes->get(), formula->codeIsSigned, finding.reason))
    return finding;
  if (!reorderCodes(constant, generic.getMatchingIndexingMap(codes),
                    type.getShape()))
    return QuantizedFinding::rejected(
        "its codes are not indexed by all dimensions once");

  int64_t rank = type.getRank();
  if (OpOperand *scales = operandOf(generic, formula->scale)) {
    bool isSigned = false;
    if (!readScales(constant, skipConversion(scales->get(), isSigned),
                    finding.reason))
      return finding;
    constant.scaleMap = mapOf(generic, scales);
  } else {
    FloatAttr scale;
    if (!matchPattern(formula->scale, m_Constant(&scale)))
      return QuantizedFinding::rejected("its scale is computed");
    constant.scales = {static_cast<float>(scale.getValueAsDouble())};
    constant.scaleMap = mapToOne(op->getContext(), rank);
  }
  if (formula->zeroPoint) {
    if (OpOperand *zeros = operandOf(generic, formula->zeroPoint)) {
      Value stored = skipConversion(zeros->get(), formula->zeroIsSigned);
      if (!readZeroPoints(constant, stored, formula->zeroIsSigned,
                          finding.reason))
        return finding;
      constant.zeroMap = mapOf(generic, zeros);
    } else {
      Attribute zero;
      if (!matchPattern(formula->zeroPoint, m_Constant(&zero)))
        return QuantizedFinding::rejected("its zero point is computed");
      double value = 0.5;
      if (auto number = dyn_cast<FloatAttr>(zero))
        value = number.getValueAsDouble();
      else if (auto number = dyn_cast<IntegerAttr>(zero))
        value = formula->zeroIsSigned ||
                        number.getType().getIntOrFloatBitWidth() > 16
                    ? number.getValue().getSExtValue()
                    : number.getValue().getZExtValue();
      if (value != std::rint(value) || std::abs(value) > 32767)
        return QuantizedFinding::rejected("it has a zero point of " +
                                          std::to_string(value) +
                                          "; expected integers");
      constant.zeroPoints = {static_cast<int16_t>(value)};
      constant.zeroMap = mapToOne(op->getContext(), rank);
    }
  }
  finding.constant = std::move(constant);
  return finding;
}

/// A scalar operand's number or a tensor operand's values.
static bool readIreeScales(QuantizedConstant &constant, Value value,
                           AffineMap map, std::string &reason) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
    constant.scaleMap = {map, SmallVector<int64_t>(type.getShape())};
    return readScales(constant, value, reason);
  }
  FloatAttr scale;
  if (!matchPattern(value, m_Constant(&scale))) {
    reason = "its scale is no constant";
    return false;
  }
  constant.scaleMap = {map, {}};
  constant.scales = {static_cast<float>(scale.getValueAsDouble())};
  return true;
}

static bool readIreeZeroPoints(QuantizedConstant &constant, Value value,
                               AffineMap map, std::string &reason) {
  if (auto type = dyn_cast<RankedTensorType>(value.getType())) {
    constant.zeroMap = {map, SmallVector<int64_t>(type.getShape())};
    return readZeroPoints(constant, value, /*isSigned=*/true, reason);
  }
  IntegerAttr zero;
  if (!matchPattern(value, m_Constant(&zero))) {
    reason = "its zero point is no constant";
    return false;
  }
  int64_t number = zero.getValue().getSExtValue();
  if (std::abs(number) > 32767) {
    reason = "it has a zero point of " + std::to_string(number) +
             "; expected at most 32767 in magnitude";
    return false;
  }
  constant.zeroMap = {map, {}};
  constant.zeroPoints = {static_cast<int16_t>(number)};
  return true;
}

/// The bits of codes from `min` to `max`; 0 where none has just these.
static unsigned bitsOfRange(Operation *op) {
  auto min = op->getAttrOfType<IntegerAttr>("quant_min");
  auto max = op->getAttrOfType<IntegerAttr>("quant_max");
  if (!min || !max)
    return 0;
  int64_t first = min.getInt(), last = max.getInt();
  for (unsigned bits : {2u, 3u, 4u, 8u})
    if (last - first == (1 << bits) - 1)
      return bits;
  return 0;
}

QuantizedFinding qk::quant_llm::findIreeDequantization(Operation *op) {
  if (getUnlinkedName(op) != "iree_linalg_ext.dequantize_affine" ||
      op->getNumResults() != 1 || op->getNumOperands() < 3)
    return QuantizedFinding::unrelated();
  Value codes = op->getOperand(0);
  // Activations are dequantised, too.
  if (!findConstantRoot(codes))
    return QuantizedFinding::unrelated();
  auto maps = op->getAttrOfType<ArrayAttr>("indexing_maps");
  // The last operand is what the result is written to.
  unsigned inputs = op->getNumOperands() - 1;
  if (!maps || maps.size() != op->getNumOperands() || inputs > 3)
    return QuantizedFinding::rejected(
        "can't read its indexing_maps; expected one an operand");
  SmallVector<AffineMap> indices;
  for (Attribute map : maps)
    if (auto affine = dyn_cast<AffineMapAttr>(map))
      indices.push_back(affine.getValue());
  if (indices.size() != maps.size() || !indices.front().isIdentity() ||
      !indices.back().isIdentity())
    return QuantizedFinding::rejected(
        "its codes or its result are not indexed in order");
  QuantizedFinding finding;
  QuantizedConstant constant;
  bool isSigned = !op->hasAttr("input_unsigned");
  if (!readCodes(constant, codes, isSigned, finding.reason) ||
      !readIreeScales(constant, op->getOperand(1), indices[1],
                      finding.reason) ||
      (inputs == 3 && !readIreeZeroPoints(constant, op->getOperand(2),
                                          indices[2], finding.reason)))
    return finding;
  constant.bits = std::max(constant.bits, bitsOfRange(op));
  finding.constant = std::move(constant);
  return finding;
}
