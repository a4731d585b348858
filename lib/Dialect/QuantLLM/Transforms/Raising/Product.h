//===- Product.h - From a product to a linear layer -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// What the forms made of registered ops (linalg, TOSA) share: a recogniser
/// says which operands and dimensions its operation multiplies; the rest –
/// what the weight is, what follows the product, in which type the layer
/// computes – is found here.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_PRODUCT_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_PRODUCT_H

#include "LinearForm.h"
#include "StridedConstant.h"

#include "llvm/ADT/SmallVector.h"

#include <vector>

namespace qk::quant_llm {

/// An operation with result y[..., n...] = init + sum over k of
/// x[..., k...] * weight[n and k in any order].
struct Product {
  mlir::Operation *op = nullptr;
  mlir::Value x, weight;
  /// The weight's dimensions that are output channels, in the order that they
  /// have as the last dimensions of the result; and those that are contracted,
  /// in the order that they have as the last ones of x. All others have size
  /// one or must be repeated.
  llvm::SmallVector<unsigned> n, k;
  /// What the product is added to; null for zeros.
  mlir::Value init;
  /// Where x or the result have their dimensions in another order (W*x,
  /// channels first): dimension i of [..., k...] is dimension xOrder[i] of x,
  /// and dimension i of the result is dimension resultOrder[i] of [..., n...].
  /// Both or none.
  llvm::SmallVector<int64_t> xOrder, resultOrder;
};

/// The linear layer around `product`, or why there is none.
LinearFinding findLinearAround(const Product &product);

/// A product that contracts one channel is no linear layer.
LinearFinding rejectOuterProduct();

/// What a product means whose operands are both computed: nothing for the
/// batched ones of attention, else a reason, more precise where the weight is
/// computed from a constant in a way that can't be looked through.
LinearFinding explainComputed(mlir::Value lhs, mlir::Value rhs, bool isBatched);

/// Makes the last `trailing` dimensions of `bias` the layer's, where all others
/// only repeat it; false where they don't, or where that is no part of the
/// constant, or has not an element for each of the `n` channels.
bool setBias(LinearMatch &match, const StridedConstant &bias, unsigned trailing,
             int64_t n);

/// What follows a product, up to the end of the layer.
struct Tail {
  /// The last value that belongs to the layer, and its element type.
  mlir::Value result;
  mlir::Type elementType;
  /// The constant that is added along the output channels, the last `trailing`
  /// dimensions of this view of it.
  std::optional<StridedConstant> bias;
  unsigned trailing = 0;
  /// Reshapes between the product and the result, in order.
  llvm::SmallVector<mlir::Operation *> reshapes;
};

/// All ends that a layer with the product `y` may have, the nearest first:
/// after the product itself, after a bias, after a conversion. The last
/// `trailing` dimensions of `y` are the output channels; `hasBias` says that
/// one is added already.
std::vector<Tail> findTails(mlir::Value y, unsigned trailing, bool hasBias);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_PRODUCT_H
