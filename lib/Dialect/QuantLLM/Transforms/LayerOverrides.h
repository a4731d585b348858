//===- LayerOverrides.h - What differs from layer to layer ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYEROVERRIDES_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYEROVERRIDES_H

#include "LayerMethod.h"

#include "qk/Storage/JSON.h"

#include "llvm/Support/GlobPattern.h"

#include <vector>

namespace qk::quant_llm {

/// The `overrides` option: a JSON object from globs of layer names to objects
/// of a method's options, and `method`:
///
///   {"*.down_proj": {"bits": 8, "group-size": 64},
///    "model.layers.0.*": {"method": "rtn"}}
///
/// All globs that match a layer count; where two set one option, the later one
/// in the file wins.
class LayerOverrides {
public:
  /// Without overrides.
  LayerOverrides() = default;
  // A copy would refer to the original; a moved vector keeps its elements.
  LayerOverrides(LayerOverrides &&) = default;
  LayerOverrides &operator=(LayerOverrides &&) = default;

  /// Errors, emitted at `location`, name file, line and key: a file that can't
  /// be read or isn't such an object, a bad glob, a key or value that doesn't
  /// exist.
  static mlir::FailureOr<LayerOverrides> read(llvm::StringRef path,
                                              mlir::Location location);

  /// What `layer` is quantised by where others are by `method`. Errors name the
  /// file and the layer: a combination that makes no sense.
  mlir::FailureOr<LayerMethod> apply(llvm::StringRef layer, LayerMethod method,
                                     mlir::Location location);

  /// Errors (emitted at `location`) for a glob that matched none of `layers`,
  /// with the nearest name.
  mlir::LogicalResult checkAllMatched(mlir::ArrayRef<std::string> layers,
                                      mlir::Location location) const;

private:
  /// Refers to `json`: a glob keeps no copy of its text.
  struct Entry {
    llvm::StringRef text;
    llvm::GlobPattern glob;
    const storage::JSONValue *settings;
    bool matched = false;
  };
  std::string file;
  storage::JSONValue json;
  std::vector<Entry> entries;
};

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_LAYEROVERRIDES_H
