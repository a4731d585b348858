//===- Exporters.h - Who writes what, and how to get it readable -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_INPUT_EXPORTERS_H
#define QK_LIB_INPUT_EXPORTERS_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace qk {

/// Who writes modules with a dialect that this build lacks.
struct Exporter {
  /// "torch-mlir", "IREE": for messages.
  llvm::StringRef name;
  /// The command that prints the generic form which any MLIR reads.
  llvm::StringRef printGeneric;
};

/// Who writes modules with dialect `dialect`; a general answer where unknown.
Exporter exporterOf(llvm::StringRef dialect);

/// For the first bytes of a file that is no module but a model in another
/// container: what it is and how to get a module; else empty.
std::string describeForeignFile(llvm::StringRef bytes);

} // namespace qk

#endif // QK_LIB_INPUT_EXPORTERS_H
