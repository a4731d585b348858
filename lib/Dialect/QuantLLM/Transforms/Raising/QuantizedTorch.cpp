//===- QuantizedTorch.cpp - Quantised weights in torch ops ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What PT2E, torchao and the former Turbine leave in exported programs, as
/// torch-mlir's importer writes it: ops of its dialect or `torch.operator`.
///
//===----------------------------------------------------------------------===//

#include "QuantizedForm.h"
#include "UnlinkedOps.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

static std::optional<int64_t> integerOf(Value value) {
  auto list = getIntegers(value);
  if (!list || list->size() != 1)
    return std::nullopt;
  return list->front();
}

static bool isNone(Value value) {
  Operation *op = value.getDefiningOp();
  return op && getUnlinkedName(op) == "torch.constant.none";
}

/// Sets the bits of codes from `min` to `max`, where both are constants.
static void setRange(QuantizedConstant &constant, Value min, Value max) {
  auto first = integerOf(min), last = integerOf(max);
  if (!first || !last)
    return;
  for (unsigned bits : {2u, 3u, 4u, 8u})
    if (*last - *first == (1 << bits) - 1)
      constant.bits = std::max(constant.bits, bits);
}

/// Scales and zero points that are tensors of blocks of the codes.
static bool readBlocks(QuantizedConstant &constant, Value scales, Value zeros,
                       ArrayRef<int64_t> blocks, std::string &reason) {
  MLIRContext *context = scales.getContext();
  ValueMap map = mapToBlocks(context, constant.shape, blocks);
  int64_t count = ShapedType::getNumElements(map.shape);
  if (!readScales(constant, scales, reason))
    return false;
  constant.scaleMap = map;
  bool hasZeros = zeros && !isNone(zeros);
  if (hasZeros && !readZeroPoints(constant, zeros, /*isSigned=*/true, reason))
    return false;
  constant.zeroMap = map;
  for (auto [what, size] :
       {std::pair("scales", constant.scales.size()),
        std::pair("zero points", constant.zeroPoints.size())})
    if (static_cast<int64_t>(size) != count && (size || what[0] == 's')) {
      llvm::raw_string_ostream(reason)
          << "it has " << size << " " << what << "; expected " << count;
      return false;
    }
  return true;
}

/// (input, scale, zero_point, quant_min, quant_max, dtype, …), both numbers.
static bool readPerTensor(Operation *op, QuantizedConstant &constant,
                          std::string &reason) {
  std::optional<double> scale = getUniformValue(op->getOperand(1));
  std::optional<double> zero = getUniformValue(op->getOperand(2));
  if (!scale || !zero || *zero != static_cast<int16_t>(*zero)) {
    reason = "its scale or zero point is no constant number";
    return false;
  }
  constant.scales = {static_cast<float>(*scale)};
  constant.zeroPoints = {static_cast<int16_t>(*zero)};
  constant.scaleMap = constant.zeroMap =
      mapToOne(op->getContext(), constant.shape.size());
  setRange(constant, op->getOperand(3), op->getOperand(4));
  return true;
}

/// (input, scales, zero_points, axis, quant_min, quant_max, dtype, …).
static bool readPerChannel(Operation *op, QuantizedConstant &constant,
                           std::string &reason) {
  std::optional<int64_t> axis = integerOf(op->getOperand(3));
  int64_t rank = constant.shape.size();
  if (axis && *axis < 0)
    *axis += rank;
  if (!axis || *axis < 0 || *axis >= rank) {
    reason = "its axis is no constant of its dimensions";
    return false;
  }
  SmallVector<int64_t> blocks(rank, 0);
  blocks[*axis] = 1;
  setRange(constant, op->getOperand(4), op->getOperand(5));
  return readBlocks(constant, op->getOperand(1), op->getOperand(2), blocks,
                    reason);
}

/// (input, scales, zero_points, quant_min, quant_max, dtype, group_size, …).
static bool readPerGroup(Operation *op, QuantizedConstant &constant,
                         std::string &reason) {
  std::optional<int64_t> group = integerOf(op->getOperand(6));
  if (!group || *group < 1 || constant.shape.size() != 2) {
    reason = "its group size is no constant of at least 1, or its codes have "
             "other than two dimensions";
    return false;
  }
  setRange(constant, op->getOperand(3), op->getOperand(4));
  return readBlocks(constant, op->getOperand(1), op->getOperand(2), {1, *group},
                    reason);
}

/// (input, block_size, scale, zero_point, input_dtype, quant_min, quant_max,
/// …).
static bool readAffine(Operation *op, QuantizedConstant &constant,
                       std::string &reason) {
  auto sizes = getIntegers(op->getOperand(1));
  if (!sizes || sizes->size() != constant.shape.size()) {
    reason = "its block_size is no list of constants, one a dimension";
    return false;
  }
  SmallVector<int64_t> blocks;
  for (auto [block, size] : llvm::zip(*sizes, constant.shape)) {
    if (block < 1 || size % block != 0) {
      llvm::raw_string_ostream(reason)
          << "its block_size of " << block << " does not divide " << size;
      return false;
    }
    blocks.push_back(block == size && size != 1 ? 0 : block);
  }
  if (op->getNumOperands() > 6)
    setRange(constant, op->getOperand(5), op->getOperand(6));
  return readBlocks(constant, op->getOperand(2), op->getOperand(3), blocks,
                    reason);
}

/// (lhs, rhs, scales, zps, bits, group): lhs * dequantised rhsᵀ, rhs [N,K], of
/// `bits` bits or packed in bytes, lowest bits first.
static QuantizedFinding findGroupMatmul(Operation *op) {
  if (op->getNumOperands() != 6)
    return QuantizedFinding::rejected("expected 6 operands, got " +
                                      Twine(op->getNumOperands()));
  auto bits = integerOf(op->getOperand(4)),
       group = integerOf(op->getOperand(5));
  if (!bits || !group || *group < 1 ||
      !llvm::is_contained({2, 4, 8}, static_cast<int>(*bits)))
    return QuantizedFinding::rejected(
        "its bits are not 2, 4 or 8, or its group size is no constant of at "
        "least 1");
  QuantizedFinding finding;
  QuantizedConstant constant;
  if (!readCodes(constant, op->getOperand(1), /*isSigned=*/false,
                 finding.reason))
    return finding;
  if (constant.shape.size() != 2)
    return QuantizedFinding::rejected("its codes have " +
                                      Twine(constant.shape.size()) +
                                      " dimensions; expected 2");
  if (constant.bits == 0 && *bits < 8) {
    std::vector<int64_t> bytes;
    for (int16_t byte : constant.codes)
      bytes.push_back(byte & 0xff);
    constant.codes = unpackBytes(bytes, *bits);
    constant.shape[1] *= 8 / *bits;
    constant.isSigned = false;
  }
  constant.bits = *bits;
  if (constant.isSigned)
    return QuantizedFinding::rejected("its codes are signed; the op extends "
                                      "them without a sign");
  if (!readBlocks(constant, op->getOperand(2), op->getOperand(3), {1, *group},
                  finding.reason))
    return finding;
  finding.weight = arrangeWeight(constant, constant.shape[0], constant.shape[1],
                                 /*transposed=*/false, finding.reason);
  finding.x = op->getOperand(0);
  finding.name = constant.name;
  return finding;
}

namespace {
/// An op that dequantises, by the operands that it takes and what reads them.
struct Dequantizer {
  StringRef name;
  unsigned operands;
  bool (*read)(Operation *, QuantizedConstant &, std::string &);
};
} // namespace

QuantizedFinding qk::quant_llm::findTorchQuantized(Operation *op) {
  StringRef name = getUnlinkedName(op);
  if (name == "quant.matmul_rhs_group_quant")
    return findGroupMatmul(op);
  static const Dequantizer kinds[] = {
      {"torch.quantized_decomposed.dequantize_per_tensor", 6, readPerTensor},
      {"torch.quantized_decomposed.dequantize_per_tensor.tensor", 6,
       readPerTensor},
      {"torch.quantized_decomposed.dequantize_per_channel", 7, readPerChannel},
      {"torch.quantized_decomposed.dequantize_per_channel_group", 7,
       readPerGroup},
      {"torch.torchao.dequantize_affine", 5, readAffine},
      {"torch.quant.dequantize_affine", 5, readAffine},
  };
  const auto *kind = llvm::find_if(
      kinds, [&](const Dequantizer &k) { return k.name == name; });
  // Activations are dequantised, too.
  if (kind == std::end(kinds) || op->getNumOperands() == 0 ||
      !findConstantRoot(op->getOperand(0)))
    return QuantizedFinding::unrelated();
  if (op->getNumOperands() < kind->operands)
    return QuantizedFinding::rejected(
        "expected at least " + Twine(kind->operands) + " operands, got " +
        Twine(op->getNumOperands()));
  QuantizedFinding finding;
  QuantizedConstant constant;
  if (!readCodes(constant, op->getOperand(0), /*isSigned=*/false,
                 finding.reason) ||
      !kind->read(op, constant, finding.reason))
    return finding;
  finding.constant = std::move(constant);
  return finding;
}
