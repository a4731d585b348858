//===- LinalgMatmul.h - Matmuls on expanded groups --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOLINALG_LINALGMATMUL_H
#define QK_LIB_CONVERSION_QUANTLLMTOLINALG_LINALGMATMUL_H

#include "ExportedTensors.h"

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "llvm/ADT/StringMap.h"

#include <map>
#include <string>

namespace qk {

class TensorProgram;

/// Turns quantised matmuls into linalg ops on weights as (n, g, k), zero-padded
/// where groups don't divide K.
class LinalgMatmuls {
public:
  explicit LinalgMatmuls(ExportedTensors &tensors) : tensors(tensors) {}

  /// Notes which tensors `ops` need. Errors: operands that were not evaluated.
  mlir::LogicalResult declare(llvm::ArrayRef<quant_llm::MatmulOp> ops);

  /// Replaces an op that was declared; to be called in the same order.
  mlir::LogicalResult replace(quant_llm::MatmulOp op);

private:
  /// A weight's codes in one arrangement.
  struct Codes {
    std::string name;
    /// [N, groups, columns of a group].
    mlir::RankedTensorType type;
    /// Where x is quantised: codes less zero points, over the columns in which
    /// no scale changes, and their largest magnitude.
    bool isCentred = false;
    int64_t largest = 0;
    /// The module's own tensor has these bytes.
    bool isTaken = false;
    bool isCreated = false;
  };
  using Key = std::pair<std::string, const void *>;

  mlir::FailureOr<Codes> plan(quant_llm::MatmulOp op);
  mlir::FailureOr<mlir::Value> makeCodes(quant_llm::MatmulOp op, Codes &codes,
                                         mlir::OpBuilder &builder);
  mlir::Value multiplyFloats(quant_llm::MatmulOp op, TensorProgram &program,
                             mlir::Value x, mlir::Value codes);
  mlir::Value multiplyIntegers(quant_llm::MatmulOp op, TensorProgram &program,
                               const Codes &plan, mlir::Value codes);

  ExportedTensors &tensors;
  /// By what the codes are made of, and type.
  std::map<Key, Codes> planned;
  llvm::StringMap<unsigned> names;
};

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOLINALG_LINALGMATMUL_H
