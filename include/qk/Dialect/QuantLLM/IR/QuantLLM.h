//===- QuantLLM.h - The quant_llm dialect -----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Dialect, attributes and ops of `quant_llm`. Their meaning is in the ODS
/// files beside this header (docs/reference is made from them).
///
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLM_H
#define QK_DIALECT_QUANTLLM_IR_QUANTLLM_H

#include "qk/Numerics/Scheme.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <memory>

namespace qk::storage {
class ParameterStore;
} // namespace qk::storage

#include "qk/Dialect/QuantLLM/IR/QuantLLMDialect.h.inc"
#include "qk/Dialect/QuantLLM/IR/QuantLLMEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.h.inc"

#define GET_OP_CLASSES
#include "qk/Dialect/QuantLLM/IR/QuantLLMOps.h.inc"

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLM_H
