//===- OutputFolder.h - A folder that appears when complete -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_FORMATS_OUTPUTFOLDER_H
#define QK_LIB_FORMATS_OUTPUTFOLDER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace qk::formats {

/// Output that appears under its name only when complete: files go to a
/// temporary folder beside it, which commit() renames. Destroyed without
/// commit(), nothing remains.
class OutputFolder {
public:
  /// Errors: `path` is there and not an empty folder, its parent can't be
  /// written.
  static llvm::Expected<OutputFolder> create(llvm::StringRef path);
  OutputFolder(OutputFolder &&other) noexcept;
  OutputFolder &operator=(OutputFolder &&) = delete;
  ~OutputFolder();

  /// Where a file of this name (relative, folders in it are made) goes.
  llvm::Expected<std::string> file(llvm::StringRef name) const;
  llvm::Error write(llvm::StringRef name, llvm::StringRef text) const;
  llvm::Error copy(llvm::StringRef from, llvm::StringRef name) const;
  /// Copies the files of folder `from` (empty: the current one) but those named
  /// in `except`, hidden ones and weights in whatever form. Folders in it stay
  /// behind.
  llvm::Error copyOthers(llvm::StringRef from,
                         llvm::ArrayRef<llvm::StringRef> except) const;
  llvm::Error commit();

private:
  OutputFolder() = default;

  std::string path, temporary;
};

} // namespace qk::formats

#endif // QK_LIB_FORMATS_OUTPUTFOLDER_H
