//===- LayerReader.h - One layer of a quantised checkpoint ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_FORMATS_LAYERREADER_H
#define QK_LIB_FORMATS_LAYERREADER_H

#include "qk/Formats/QuantizedCheckpoint.h"

namespace qk::formats {

/// Reads one layer.
class LayerReader {
public:
  LayerReader(const storage::Checkpoint &source, llvm::StringRef layer,
              const LayerConfig &config, int64_t n, int64_t k)
      : source(source), layer(layer), config(config), n(n), k(k) {
    scheme.groupSize = config.groupSize;
    length = scheme.groupLength(k);
    groups = scheme.groups(k);
  }

  llvm::Expected<numerics::QuantizedWeight> readGptq(bool &trueZeros);
  llvm::Expected<numerics::QuantizedWeight> readAwq(bool gemv);
  llvm::Expected<numerics::QuantizedWeight> readPacked();
  llvm::Expected<numerics::QuantizedWeight> readBytes(bool areFloats);

private:
  llvm::Expected<storage::Parameter> get(llvm::StringRef suffix,
                                         storage::DataType type,
                                         llvm::ArrayRef<int64_t> shape) const {
    return source.get((layer + suffix).str(), type, shape);
  }
  llvm::Error fail(const llvm::Twine &what) const {
    return storage::makeError(source.mainFile() + ": layer '" + layer +
                              "': " + what);
  }
  llvm::Error checkWords(int64_t elements, const char *what) const;
  /// Sets scales [N,G] from a tensor whose element `indexOf(row, group)` is.
  llvm::Error readScales(llvm::StringRef suffix, llvm::ArrayRef<int64_t> shape,
                         llvm::function_ref<int64_t(int64_t, int64_t)> indexOf,
                         numerics::QuantizedWeight &weight);
  /// Sets scales [N,G] from `scales` [G,N].
  llvm::Error readTransposedScales(numerics::QuantizedWeight &weight);
  /// Sets scales of compressed-tensors: one for scaleRows rows of a group.
  llvm::Error readSharedScales(llvm::StringRef suffix,
                               numerics::QuantizedWeight &weight);
  /// The rows of tensors that have one row for scaleRows of the weight.
  int64_t sharedRows() const;
  llvm::SmallVector<int64_t> sharedShape(llvm::StringRef suffix) const;
  /// The element of such a tensor for a row and a group of the weight.
  int64_t sharedIndex(int64_t row, int64_t group) const {
    return row / (config.scaleRows < 0 ? n : config.scaleRows) * groups + group;
  }
  llvm::Error applyGroupIndex(const storage::Parameter &index,
                              numerics::QuantizedWeight &weight) const;
  numerics::QuantizedWeight start(numerics::CodeType type) const;
  /// Zero points that say what their absence says are left out.
  static void dropDefaults(numerics::QuantizedWeight &weight);

  const storage::Checkpoint &source;
  llvm::StringRef layer;
  const LayerConfig &config;
  int64_t n, k, length, groups;
  numerics::Scheme scheme;
};

} // namespace qk::formats

#endif // QK_LIB_FORMATS_LAYERREADER_H
