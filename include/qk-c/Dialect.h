/*===- Dialect.h - qk in programs that use MLIR's C API ---------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/
#ifndef QK_C_DIALECT_H
#define QK_C_DIALECT_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Adds qk's dialects, and what its passes need to know of others. */
void qkDialectRegistryInsert(MlirDialectRegistry registry);

/** Registers qk's passes and pipelines, all named quant-llm-…, for
 * mlirParsePassPipeline; any number of times. */
void qkRegisterPasses(void);

#ifdef __cplusplus
}
#endif
#endif /* QK_C_DIALECT_H */
