//===- LayerNames.h - What layers are called --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LAYERNAMES_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LAYERNAMES_H

#include "qk/Dialect/QuantLLM/IR/QuantLLM.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <string>

namespace qk::quant_llm {

/// Names layers: the weight's own name less `.weight` or `.kernel`, or that of
/// its location, else the function's name and a running number. Uses of one
/// weight share a name; a weight that is also used transposed is two layers.
class LayerNames {
public:
  /// Takes the names of the layers that `module` has already: an earlier
  /// method's, whatever is raised now.
  explicit LayerNames(mlir::ModuleOp module);

  /// Of a part of a constant, where it has a name: that and the part's number
  /// among such parts, `stack.2`.
  std::string get(mlir::Value weight, bool transposed, PartAttr part,
                  llvm::StringRef function);

  /// A name that no layer has: `base`, or for an empty one the function's name
  /// and a running number.
  std::string fromBase(llvm::StringRef base, llvm::StringRef function);

private:
  /// By function, then by the constant or, for what is none, the value.
  llvm::StringMap<llvm::DenseMap<
      std::tuple<const void *, unsigned, const void *>, std::string>>
      names;
  llvm::StringMap<int64_t> numbers;
  llvm::StringSet<> used;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_RAISING_LAYERNAMES_H
