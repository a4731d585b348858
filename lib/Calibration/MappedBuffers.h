//===- MappedBuffers.h - Memory that the system may write out ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CALIBRATION_MAPPEDBUFFERS_H
#define QK_LIB_CALIBRATION_MAPPEDBUFFERS_H

#include "qk/Execution/Tensor.h"

#include <map>
#include <memory>
#include <vector>

namespace qk::calibration {

/// Buffers in a temporary file without a name: what a model keeps between two
/// of its parts is as large as the samples are many, and need not stay in
/// memory. Space that was given back is used again. Everything is gone when the
/// last buffer is.
class MappedBuffers {
public:
  /// Makes the file, in the system's folder for temporary files.
  static llvm::Expected<std::unique_ptr<MappedBuffers>> create();

  /// A tensor of that type and shape with undefined elements, aligned to a
  /// page; its owner gives the space back. Errors: the disk is full.
  llvm::Expected<Tensor> allocate(storage::DataType type,
                                  llvm::ArrayRef<int64_t> shape);
  /// A copy of `tensor`.
  llvm::Expected<Tensor> copy(const Tensor &tensor);

  /// Most bytes that were in use at a time.
  uint64_t peak() const;

  /// Where a tensor of ours may be written to.
  static void *writable(const Tensor &tensor) {
    return const_cast<uint8_t *>(tensor.data);
  }

private:
  struct File;
  explicit MappedBuffers(std::shared_ptr<File> file) : file(std::move(file)) {}
  std::shared_ptr<File> file;
};

} // namespace qk::calibration

#endif // QK_LIB_CALIBRATION_MAPPEDBUFFERS_H
