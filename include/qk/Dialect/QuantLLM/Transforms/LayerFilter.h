//===- LayerFilter.h - Which layers the user means --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_LAYERFILTER_H
#define QK_DIALECT_QUANTLLM_TRANSFORMS_LAYERFILTER_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include "llvm/Support/GlobPattern.h"

#include <string>
#include <vector>

namespace qk::quant_llm {

/// The `skip` and `only` options: globs on layer names.
class LayerFilter {
public:
  /// Errors (emitted at `location`): a pattern that is no glob.
  static mlir::FailureOr<LayerFilter> create(mlir::ArrayRef<std::string> skip,
                                             mlir::ArrayRef<std::string> only,
                                             mlir::Location location);

  /// Whether the layer is to be quantised. The head only where `only` names
  /// it. Remembers which patterns matched.
  bool selects(llvm::StringRef layer, bool isHead);

  /// Errors (emitted at `location`) for a pattern that matched none of
  /// `layers`, with the nearest name.
  mlir::LogicalResult checkAllMatched(mlir::ArrayRef<std::string> layers,
                                      mlir::Location location) const;

private:
  struct Pattern {
    std::string option;
    std::string text;
    llvm::GlobPattern glob;
    bool matched = false;
  };
  std::vector<Pattern> patterns;
  bool hasOnly = false;
};

/// Emits the error for a pattern on layer names that matches none of `layers`,
/// with the nearest name. `what` says where it is from. Fails.
mlir::LogicalResult emitUnmatched(mlir::Location location, llvm::StringRef what,
                                  llvm::StringRef pattern,
                                  mlir::ArrayRef<std::string> layers);

} // namespace qk::quant_llm

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_LAYERFILTER_H
