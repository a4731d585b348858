//===- RaisingPasses.td - What other tools quantised -------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_TD
#define QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_TD

include "mlir/Pass/PassBase.td"

def RaiseQuantizedPass
    : Pass<"quant-llm-raise-quantized", "::mlir::ModuleOp"> {
  let summary = "find quantised matmuls as other tools write them";
  let description = [{
    A linear layer whose weight is dequantised from constants becomes a
    `quant_llm.matmul` on the same codes, scales and zero points, which become
    parameters with their values in the module. Known are

    - `scale * (code - zero point)` as an elementwise `linalg.generic`, in any
      indexing: groups as a dimension (IREE), `floordiv` maps, one a channel,
      one for all; and `iree_linalg_ext.dequantize_affine`;
    - torch's `quantized_decomposed.dequantize_per_tensor`, `…_per_channel`,
      `…_per_channel_group`, torchao's `dequantize_affine`, and
      `quant.matmul_rhs_group_quant`;
    - ONNX's `DequantizeLinear` (with blocks too) and `MatMulNBits`;

    those of dialects that are not linked in generic form, or in a
    `torch.operator`. The product that reads the weight may be any that
    `quant-llm-raise-linear` knows. Codes of 2, 3, 4 and 8 bits; where the form
    does not say how many, the fewest that hold all codes. Zero points are
    integers, also where the form has them as floats. Where groups are
    zero-padded and x is padded for that, both paddings go.

    What looks like one and can't be raised stays as it is, with a remark that
    says why. Layers are named after the constant that holds the codes, less
    `.codes`, `.qweight`, `.weight` and the like, else as by
    `quant-llm-raise-linear`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect",
                           "::qk::quant_llm::QuantLLMDialect"];
}

#endif // QK_DIALECT_QUANTLLM_TRANSFORMS_RAISINGPASSES_TD
