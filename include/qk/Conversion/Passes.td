//===- Passes.td - Conversions out of the dialects ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_PASSES_TD
#define QK_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// QuantLLMToReference
//===----------------------------------------------------------------------===//

def QuantLLMToReference : Pass<"quant-llm-to-reference", "::mlir::ModuleOp"> {
  let summary = "lower quant_llm ops to linalg, as their descriptions say";
  let description = [{
    The executable meaning of the ops: each formula in linalg, arith, math and
    tensor ops on tensors. Slow and plain on purpose: compiled kernels are
    compared with it. Lowered are `linear`, `transpose`, `matmul`, `quantize`,
    `dequantize`, `scale_columns`, `round_to_nearest`, and `parameter` where
    its elements have fewer than 8 bits.

    - Sums are contractions of 2-d f32 tensors (`linalg.matmul` with B
      transposed). With `plain` the module gets the attribute
      `quant_llm.plain_arithmetic`: the host pipeline then does its float
      arithmetic as it is written (sums in linalg's order, functions by the C
      library), so that results do not depend on a BLAS, a vector width or a
      number of threads, and are those of upstream's plain loops; without it
      products go to a BLAS, which is faster.
    - Groups are the zero-padded expanded form (n, g, k), never a `floordiv`
      map.
    - Where x is quantised, codes are multiplied and summed as integers over
      stretches in which all scales are constant. (A permutation together with
      scales per token and group leaves no such stretch: x is dequantised to
      f32 first.)
    - Tensors of i2, i3 and i4 become tensors of i8 with zero-extended codes,
      also in signatures: bufferization must not see them. A `parameter` of
      such a type becomes one of its storage type and an unpacking generic.

    Left as they are: other parameters, `observe`, `packed_matmul`.

    Preconditions (the pass fails otherwise): the recipe has been evaluated
    (`quant-llm-evaluate`), apart from what is listed above; `pack` has been
    evaluated; only these ops, functions, calls, constants and scf ops handle
    tensors of i2, i3 or i4.

    ```mlir
    func.func @example(%w: tensor<8x4xf32>) -> tensor<4x8xf32> {
      %0 = quant_llm.transpose %w : tensor<8x4xf32>
      return %0 : tensor<4x8xf32>
    }
    ```
    ==>
    ```mlir
    module attributes {quant_llm.plain_arithmetic} {
      func.func @example(%w: tensor<8x4xf32>) -> tensor<4x8xf32> {
        %0 = tensor.empty() : tensor<4x8xf32>
        %1 = linalg.transpose ins(%w : tensor<8x4xf32>) outs(%0 : tensor<4x8xf32>) permutation = [1, 0]
        return %1 : tensor<4x8xf32>
      }
    }
    ```
  }];
  let options = [
    Option<"plain", "plain", "bool", "true",
           "do float arithmetic as it is written: no BLAS, sums in order">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // QK_CONVERSION_PASSES_TD
