//===- QuantLLMToReference.h - Patterns of the reference lowering -*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTLLMTOREFERENCE_H
#define QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTLLMTOREFERENCE_H

#include "mlir/Transforms/DialectConversion.h"

namespace qk {

/// parameter (of sub-byte elements), transpose, linear, scale_columns.
void populateModelToReferencePatterns(const mlir::TypeConverter &converter,
                                      mlir::RewritePatternSet &patterns);
/// matmul, dequantize.
void populateMatmulToReferencePatterns(const mlir::TypeConverter &converter,
                                       mlir::RewritePatternSet &patterns);
/// quantize, round_to_nearest.
void populateRoundingToReferencePatterns(const mlir::TypeConverter &converter,
                                         mlir::RewritePatternSet &patterns);

} // namespace qk

#endif // QK_LIB_CONVERSION_QUANTLLMTOREFERENCE_QUANTLLMTOREFERENCE_H
