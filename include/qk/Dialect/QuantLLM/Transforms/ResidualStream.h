//===- ResidualStream.h - What a layer's result is added to -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_RESIDUALSTREAM_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_RESIDUALSTREAM_H

#include "mlir/IR/Value.h"

namespace qk::quant_llm {

/// What `y`, [..,N], is added to element by element, seen through reshapes of
/// y that keep N last: a tensor of as many elements, N of them a token, in the
/// same order. Null where y has other users, or is added to nothing: of a
/// transformer's layers those that end a branch (o_proj, down_proj) have one.
/// Sees additions of linalg, TOSA and arith.
mlir::Value findResidual(mlir::Value y);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_RESIDUALSTREAM_H
