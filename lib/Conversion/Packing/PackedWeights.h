//===- PackedWeights.h - Weights as a target's bytes ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_PACKING_PACKEDWEIGHTS_H
#define QK_LIB_CONVERSION_PACKING_PACKEDWEIGHTS_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"
#include "qk/Numerics/Scheme.h"

#include "mlir/IR/BuiltinOps.h"

namespace qk {

/// The packed weights of a module, each made once.
class PackedWeights {
public:
  using Size = llvm::function_ref<int64_t(const numerics::QuantizedWeight &)>;
  /// Writes the bytes; an error message or nothing.
  using Pack = llvm::function_ref<std::string(const numerics::QuantizedWeight &,
                                              uint8_t *)>;

  /// The weight of `op` as an inline parameter `<layer>.packed` of i8. Fails,
  /// with an error, where the recipe has not been evaluated, parameters can't
  /// be read, or `pack` says so.
  mlir::FailureOr<mlir::Value> get(mlir::OpBuilder &b, quant_llm::MatmulOp op,
                                   Size size, Pack pack);
  /// The same for a `pack`, which knows no layer: it is named after its codes.
  mlir::FailureOr<mlir::Value> get(mlir::OpBuilder &b, quant_llm::PackOp op,
                                   Size size, Pack pack);

private:
  struct Weight {
    mlir::Operation *user;
    llvm::StringRef layer;
    quant_llm::SchemeAttr scheme;
    mlir::Value codes, scales, zeroPoints, permutation;
  };
  mlir::FailureOr<mlir::Value> get(mlir::OpBuilder &b, const Weight &weight,
                                   Size size, Pack pack);

  llvm::DenseMap<mlir::Attribute,
                 std::pair<mlir::StringAttr, mlir::ElementsAttr>>
      packed;
};

/// Erases parameters that nobody reads: after packing, codes and scales are
/// half of the memory.
void eraseDeadParameters(mlir::ModuleOp module);

} // namespace qk

#endif // QK_LIB_CONVERSION_PACKING_PACKEDWEIGHTS_H
