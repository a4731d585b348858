//===- UnlinkedEpilogue.h - What follows a product --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDEPILOGUE_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDEPILOGUE_H

#include "LinearForm.h"

#include "llvm/ADT/SmallVector.h"

namespace qk::quant_llm {

/// Makes `value` the bias of `match`, of `size` elements, where its last
/// dimensions show that many elements of a constant and those before repeat
/// them; false where they don't.
bool setBias(LinearMatch &match, mlir::Value value, int64_t size);

/// What lies between a product and its layer's result and isn't replaced.
struct Epilogue {
  /// Reshapes, which are done again on the layer's result.
  llvm::SmallVector<mlir::Operation *> reshapes;
  /// Operands that ask a value between for its sizes.
  llvm::SmallVector<mlir::OpOperand *> sizes;
};

/// Follows `match.result`, a product of `n` channels, through what belongs to
/// its layer (factors of one, a bias if there is none yet, narrowing), and
/// makes the last of it the result. Sets the bias, and the input where the
/// layer is of a narrower type.
Epilogue followEpilogue(LinearMatch &match, int64_t n);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_UNLINKEDEPILOGUE_H
