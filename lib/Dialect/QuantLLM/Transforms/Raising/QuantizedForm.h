//===- QuantizedForm.h - Quantised weights as others write them -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The interface between `quant-llm-raise-quantized` and the recognisers, one a
/// family of forms, in which modules of other tools hold quantised weights.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_QUANTIZEDFORM_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_QUANTIZEDFORM_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Numerics/Scheme.h"

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

#include <optional>
#include <string>
#include <vector>

namespace qk::quant_llm {

/// Which of some values an element has: `map` takes the element's indices to
/// indices into values of `shape`.
struct ValueMap {
  mlir::AffineMap map;
  llvm::SmallVector<int64_t> shape;
};

/// A constant that is dequantised: element e is
/// scales[at e] * (codes[e] - zeroPoints[at e]).
struct QuantizedConstant {
  /// Of the elements.
  llvm::SmallVector<int64_t> shape;
  /// By element, in row-major order.
  std::vector<int16_t> codes;
  /// The range that codes may have: of `bits`, from 0 or from -2^(bits-1) on.
  /// 0 bits: whatever holds all codes.
  unsigned bits = 0;
  bool isSigned = false;
  std::vector<float> scales;
  numerics::ScaleType scaleType = numerics::ScaleType::F32;
  ValueMap scaleMap;
  std::vector<int16_t> zeroPoints;
  ValueMap zeroMap;
  /// What the codes' constant is called, or empty.
  std::string name;
};

/// The weight [n,k] that the elements are in memory, or those of [k,n] where
/// `transposed`; nullopt, with a reason, where no scheme has such scales.
std::optional<numerics::QuantizedWeight>
arrangeWeight(const QuantizedConstant &constant, int64_t n, int64_t k,
              bool transposed, std::string &reason);

/// What a recogniser says of an operation.
struct QuantizedFinding {
  /// `op`'s result is a float tensor with this constant's elements …
  std::optional<QuantizedConstant> constant;
  /// … or the product of x with this weight.
  std::optional<numerics::QuantizedWeight> weight;
  mlir::Value x;
  /// A constant of N elements, or null.
  mlir::Value bias;
  /// Of a weight.
  std::string name;
  /// Why something that looks like a quantised weight is none.
  std::string reason;

  static QuantizedFinding unrelated() { return {}; }
  static QuantizedFinding rejected(const llvm::Twine &reason) {
    QuantizedFinding finding;
    finding.reason = reason.str();
    return finding;
  }
};

/// A `linalg.generic` that dequantises constants, in whatever indexing
/// (expanded groups, `floordiv`), and `iree_linalg_ext.dequantize_affine`.
QuantizedFinding findLinalgDequantization(mlir::Operation *op);
QuantizedFinding findIreeDequantization(mlir::Operation *op);

/// torch's `quantized_decomposed.dequantize_…`, torchao's `dequantize_affine`,
/// and `quant.matmul_rhs_group_quant`.
QuantizedFinding findTorchQuantized(mlir::Operation *op);

/// `onnx.DequantizeLinear` and `onnx.MatMulNBits`.
QuantizedFinding findOnnxQuantized(mlir::Operation *op);

struct LinearMatch;

/// Raises the float layers that `select` says of, named as always.
mlir::LogicalResult raiseLinears(
    mlir::ModuleOp module,
    llvm::function_ref<bool(const LinearMatch &, llvm::StringRef layer)>
        select);

//===----------------------------------------------------------------------===//
// For recognisers
//===----------------------------------------------------------------------===//

/// The constant behind reshapes and casts that keep the order of elements;
/// null where there is none.
mlir::Value findConstantRoot(mlir::Value value);

/// The elements of a constant root; those of a signless type as `isSigned`
/// says. nullopt, with a reason, where they can't be had.
std::optional<std::vector<int64_t>>
readIntegers(mlir::Value root, bool isSigned, std::string &reason);
std::optional<std::vector<float>> readFloats(mlir::Value root,
                                             std::string &reason);

/// Sets scales and their type from the value that holds them.
bool readScales(QuantizedConstant &constant, mlir::Value value,
                std::string &reason);
/// Sets zero points from integers or whole floats.
bool readZeroPoints(QuantizedConstant &constant, mlir::Value value,
                    bool isSigned, std::string &reason);
/// Sets codes, and the shape to that of `value`.
bool readCodes(QuantizedConstant &constant, mlir::Value value, bool isSigned,
               std::string &reason);

/// The values that bytes hold, `8 / bits` a byte, lowest bits first.
std::vector<int16_t> unpackBytes(llvm::ArrayRef<int64_t> bytes, unsigned bits);

/// One value for all elements of a tensor of `rank`.
ValueMap mapToOne(mlir::MLIRContext *context, int64_t rank);
/// Values [.., size / block, ..] of a tensor of `shape`: those of its
/// dimensions by `blocks`, 1: each, 0: all have one.
ValueMap mapToBlocks(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> shape,
                     llvm::ArrayRef<int64_t> blocks);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_QUANTIZEDFORM_H
