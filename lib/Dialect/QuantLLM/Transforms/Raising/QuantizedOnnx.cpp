//===- QuantizedOnnx.cpp - Quantised weights in ONNX ops ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "QuantizedForm.h"
#include "UnlinkedOps.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static bool isAbsent(Operation *op, unsigned operand) {
  if (op->getNumOperands() <= operand)
    return true;
  Value value = op->getOperand(operand);
  if (isa<NoneType>(value.getType()))
    return true;
  Operation *producer = value.getDefiningOp();
  StringRef name = producer ? getUnlinkedName(producer) : StringRef();
  return name == "torch.constant.none" || name == "onnx.NoValue" ||
         name == "onnx.None";
}

static std::optional<int64_t> integerOf(Operation *op, StringRef name) {
  auto attr = dyn_cast_or_null<IntegerAttr>(getUnlinkedAttr(op, name));
  if (!attr)
    return std::nullopt;
  return attr.getValue().getSExtValue();
}

/// DequantizeLinear(x, scale, zero point) {axis, block_size}: one scale for all
/// (a scalar), one for each index of the axis, or [.., D / block, ..].
static QuantizedFinding findDequantizeLinear(Operation *op) {
  // Activations are dequantised, too.
  if (op->getNumOperands() < 2 || !findConstantRoot(op->getOperand(0)))
    return QuantizedFinding::unrelated();
  QuantizedFinding finding;
  QuantizedConstant constant;
  // onnx-mlir's int8 is a signless i8, its uint8 is ui8.
  if (!readCodes(constant, op->getOperand(0), /*isSigned=*/true,
                 finding.reason) ||
      !readScales(constant, op->getOperand(1), finding.reason))
    return finding;
  MLIRContext *context = op->getContext();
  int64_t rank = constant.shape.size();
  int64_t axis = integerOf(op, "axis").value_or(1);
  int64_t block = integerOf(op, "block_size").value_or(0);
  axis += axis < 0 ? rank : 0;
  if (constant.scales.size() != 1 && (axis < 0 || axis >= rank))
    return QuantizedFinding::rejected("its axis is none of its dimensions");
  ValueMap map = mapToOne(context, rank);
  if (constant.scales.size() != 1) {
    SmallVector<int64_t> blocks(rank, block > 0 ? 1 : 0);
    blocks[axis] = std::max<int64_t>(block, 1);
    map = mapToBlocks(context, constant.shape, blocks);
  }
  int64_t count = ShapedType::getNumElements(map.shape);
  if (count != static_cast<int64_t>(constant.scales.size()))
    return QuantizedFinding::rejected("it has " +
                                      Twine(constant.scales.size()) +
                                      " scales; expected " + Twine(count));
  constant.scaleMap = constant.zeroMap = map;
  if (!isAbsent(op, 2)) {
    if (!readZeroPoints(constant, op->getOperand(2), constant.isSigned,
                        finding.reason))
      return finding;
    if (constant.zeroPoints.size() != constant.scales.size())
      return QuantizedFinding::rejected(
          "it has " + Twine(constant.zeroPoints.size()) +
          " zero points; expected " + Twine(count));
  }
  finding.constant = std::move(constant);
  return finding;
}

/// Zero points, packed along the blocks of a row or one by one.
static bool readNBitsZeroPoints(Operation *op, QuantizedConstant &constant,
                                unsigned bits, int64_t n, int64_t blocks,
                                std::string &reason) {
  RankedTensorType type = getTensorType(op->getOperand(3));
  if (type && isa<FloatType>(type.getElementType()))
    return readZeroPoints(constant, op->getOperand(3), false, reason);
  Value root = findConstantRoot(op->getOperand(3));
  auto bytes =
      root ? readIntegers(root, /*isSigned=*/false, reason) : std::nullopt;
  int64_t rowBytes = (blocks * bits + 7) / 8;
  if (!bytes || static_cast<int64_t>(bytes->size()) != n * rowBytes) {
    reason = bytes ? "it has " + std::to_string(bytes->size()) +
                         " bytes of zero points; expected " +
                         std::to_string(n * rowBytes)
                   : "its zero points are no constant that can be read";
    return false;
  }
  std::vector<int16_t> values = unpackBytes(*bytes, bits);
  int64_t row = rowBytes * (8 / bits);
  for (int64_t i = 0; i < n; ++i)
    constant.zeroPoints.insert(constant.zeroPoints.end(),
                               values.begin() + i * row,
                               values.begin() + i * row + blocks);
  return true;
}

/// MatMulNBits(A, B, scales, zero_points, g_idx, bias) {K, N, bits,
/// block_size}: B [N, blocks, block_size * bits / 8], lowest bits first.
static QuantizedFinding findMatMulNBits(Operation *op) {
  auto n = integerOf(op, "N"), k = integerOf(op, "K");
  auto block = integerOf(op, "block_size");
  int64_t bits = integerOf(op, "bits").value_or(4);
  if (op->getNumOperands() < 3 || !n || !k || !block || *n < 1 || *k < 1 ||
      *block < 1)
    return QuantizedFinding::rejected(
        "expected three operands and the attributes N, K and block_size");
  if (!llvm::is_contained({2, 4, 8}, static_cast<int>(bits)))
    return QuantizedFinding::rejected("its codes have " + Twine(bits) +
                                      " bits; expected 2, 4 or 8");
  if (!isAbsent(op, 4))
    return QuantizedFinding::rejected(
        "its columns are grouped by a g_idx; expected blocks in order");
  QuantizedFinding finding;
  QuantizedConstant constant;
  Value root = findConstantRoot(op->getOperand(1));
  auto bytes = root ? readIntegers(root, /*isSigned=*/false, finding.reason)
                    : std::nullopt;
  int64_t blocks = (*k + *block - 1) / *block;
  int64_t rowBytes = blocks * *block * bits / 8;
  if (!bytes)
    return QuantizedFinding::rejected("its codes are no constant that can be "
                                      "read");
  if (static_cast<int64_t>(bytes->size()) != *n * rowBytes)
    return QuantizedFinding::rejected("it has " + Twine(bytes->size()) +
                                      " bytes of codes; expected " +
                                      Twine(*n * rowBytes));
  std::vector<int16_t> padded = unpackBytes(*bytes, bits);
  int64_t row = blocks * *block;
  for (int64_t i = 0; i < *n; ++i)
    constant.codes.insert(constant.codes.end(), padded.begin() + i * row,
                          padded.begin() + i * row + *k);
  constant.shape = {*n, *k};
  constant.bits = bits;
  if (!readScales(constant, op->getOperand(2), finding.reason))
    return finding;
  constant.scaleMap = constant.zeroMap =
      mapToBlocks(op->getContext(), constant.shape, {1, *block});
  if (static_cast<int64_t>(constant.scales.size()) != *n * blocks)
    return QuantizedFinding::rejected(
        "it has " + Twine(constant.scales.size()) + " scales; expected " +
        Twine(*n * blocks));
  if (isAbsent(op, 3))
    constant.zeroPoints.assign(*n * blocks, 1 << (bits - 1));
  else if (!readNBitsZeroPoints(op, constant, bits, *n, blocks, finding.reason))
    return finding;
  if (constant.zeroPoints.size() != constant.scales.size())
    return QuantizedFinding::rejected(
        "it has " + Twine(constant.zeroPoints.size()) +
        " zero points; expected " + Twine(constant.scales.size()));
  if (!isAbsent(op, 5)) {
    finding.bias = findConstantRoot(op->getOperand(5));
    RankedTensorType type = getTensorType(op->getOperand(5));
    if (!finding.bias || !type || type.getRank() != 1)
      return QuantizedFinding::rejected("its bias is no constant");
  }
  finding.weight =
      arrangeWeight(constant, *n, *k, /*transposed=*/false, finding.reason);
  finding.x = op->getOperand(0);
  finding.name = getConstant(root)->name;
  return finding;
}

QuantizedFinding qk::quant_llm::findOnnxQuantized(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "onnx.DequantizeLinear")
    return findDequantizeLinear(op);
  if (name == "onnx.MatMulNBits" || name == "onnx.com.microsoft.MatMulNBits")
    return findMatMulNBits(op);
  return QuantizedFinding::unrelated();
}
