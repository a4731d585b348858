//===- StridedConstant.h - Constants and parts of them ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_STRIDEDCONSTANT_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_STRIDEDCONSTANT_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace qk::quant_llm {

/// A constant, or a rectangular part of one, seen through its layout: what
/// ConstantView (LookThrough.h) is, with places in memory.
struct StridedConstant {
  /// Some of the elements along a dimension: so many, so far apart in the
  /// root's memory; 0 for elements that are repeated.
  struct Factor {
    int64_t size, stride;
  };
  using Factors = llvm::SmallVector<Factor, 2>;

  /// What getConstant() (Constants.h) knows.
  mlir::Value root;
  /// The number of the first element.
  int64_t offset = 0;
  /// For each dimension of the value its factors, outermost first; none for a
  /// size of one.
  llvm::SmallVector<Factors, 4> dims;

  /// Makes dimension order[i] the i-th.
  void permute(llvm::ArrayRef<int64_t> order);
  /// Whether no element along dimension `dim` differs from another.
  bool isRepeated(unsigned dim) const;
  /// Whether the elements of the dimensions `which`, one after the other, are
  /// those of all the root in memory.
  bool isInOrder(llvm::ArrayRef<unsigned> which) const;
  /// The elements of the dimensions `which`, one after the other, as a part of
  /// the root; null where some are repeated, or where a file has the root in
  /// an order in which that is no part.
  PartAttr partOf(llvm::ArrayRef<unsigned> which) const;
};

/// The constant that `value` is a view of, or a view of a static slice of.
std::optional<StridedConstant> stridesOfConstant(mlir::Value value);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_STRIDEDCONSTANT_H
