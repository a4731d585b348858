//===- Bufferization.h - Parameters as external symbols ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_PARAMETERS_BUFFERIZATION_H
#define QK_CONVERSION_PARAMETERS_BUFFERIZATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace qk {

/// Lets one-shot-bufferize handle `quant_llm.parameter`: one read-only
/// `memref.global` a parameter. With an inline value it is the global's initial
/// value; bytes of a file are not read: the global is external, and the module
/// attribute `quant_llm.externals` gets {symbol, path, offset, bytes}.
void registerParameterBufferization(mlir::DialectRegistry &registry);

} // namespace qk

#endif // QK_CONVERSION_PARAMETERS_BUFFERIZATION_H
