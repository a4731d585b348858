//===- LeftInFloat.h - Layers that are not worth a method -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LEFTINFLOAT_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LEFTINFLOAT_H

#include "LinearForm.h"

#include "llvm/ADT/ArrayRef.h"

namespace qk::quant_llm {

/// A layer that was found, and what it is called.
struct NamedMatch {
  const LinearMatch *match;
  llvm::StringRef layer;
};

/// For each layer what it is, if that is something which stays in float unless
/// it is asked for by name, else an empty string:
/// - "router": scores the experts of a mixture. Few channels whose scores are
///   sorted, or a layer called so. A wrong choice of expert costs more than the
///   bits save.
/// - "low-rank adapter": one of two layers x -> r -> N, r less than K and N,
///   whose result is added to that of a layer x -> N (LoRA, arXiv 2106.09685).
///   They hold what fine-tuning added to a weight that may be quantised.
llvm::SmallVector<llvm::StringRef>
findLeftInFloat(llvm::ArrayRef<NamedMatch> layers);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LEFTINFLOAT_H
