//===- QuantLLMOps.td - All ops of the quant_llm dialect ---*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMOPS_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMOPS_TD

// In the order of a weight's way through the compiler.
include "qk/Dialect/QuantLLM/IR/QuantLLMModelOps.td"
include "qk/Dialect/QuantLLM/IR/QuantLLMStatisticOps.td"
include "qk/Dialect/QuantLLM/IR/QuantLLMRecipeOps.td"
include "qk/Dialect/QuantLLM/IR/QuantLLMExecutionOps.td"

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMOPS_TD
