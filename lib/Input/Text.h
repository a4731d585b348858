//===- Text.h - Text that other versions print ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_INPUT_TEXT_H
#define QK_LIB_INPUT_TEXT_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace qk {

/// LLVM 23 and later print `dense<"0x…"> : tensor<…xi1>` with a byte an
/// element, LLVM 22 reads a bit an element. Returns `text` with such literals
/// rewritten, filled up with blanks so that lines and columns stay; nothing
/// where there are none. A literal of any other size is left alone.
std::optional<std::string> packBooleanLiterals(llvm::StringRef text);

/// Whether a line of `text` looks like an operation in custom syntax whose
/// dialect is not `isLinked`. May be wrong: a dotted name at the beginning of a
/// line can be other things.
bool mayHoldForeignCustomOp(llvm::StringRef text,
                            llvm::function_ref<bool(llvm::StringRef)> isLinked);

} // namespace qk

#endif // QK_LIB_INPUT_TEXT_H
