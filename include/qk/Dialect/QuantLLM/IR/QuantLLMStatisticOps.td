//===- QuantLLMStatisticOps.td - Statistics of activations -*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMSTATISTICOPS_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMSTATISTICOPS_TD

include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.td"

def QuantLLM_ObserveOp : QuantLLM_Op<"observe"> {
  let summary = "collects statistics of a layer's input while the model runs";
  let description = [{
    Adds the tokens of x (its last dimension is a token's K elements) to the
    statistics of `layer`. Has an effect and no result: it is neither moved
    nor removed.

    Calibration inserts one for each tensor that layers read, in a copy of the
    module. A module that has some itself says what the statistics of those
    layers are taken of, instead of what the layers read. In code
    (`--lower-to-cpu`, qk-run) it is a call of the runtime's `qk_observe`, which
    does nothing unless who runs the code listens (`qk_set_observer`).

    ```mlir
    func.func @observe(%x: tensor<1x?x8xf32>) {
      quant_llm.observe %x of "fc" : tensor<1x?x8xf32>
      return
    }
    ```

    Constraints:
    - (C1) x has at least one dimension and a static last one.
    - (C2) layer is not empty.
  }];
  let arguments = (ins QuantLLM_FloatTensor:$x, StrAttr:$layer);
  let assemblyFormat = "$x `of` $layer attr-dict `:` type($x)";
  let hasVerifier = 1;
}

def QuantLLM_StatisticOp : QuantLLM_PureOp<"statistic"> {
  let summary = "a statistic of a layer's input";
  let description = [{
    Over the T tokens x_t that the layer saw:
    - `hessian`: H = (1/T) sum_t x_t^T x_t, [K,K] (GPTQ, arXiv 2210.17323,
      eq. 1; its scale cancels);
    - `absmax`: max_t |x_t[k]|, [K] (SmoothQuant, arXiv 2211.10438);
    - `absmean`: (1/T) sum_t |x_t[k]|, [K] (AWQ, arXiv 2306.00978);
    - `cross`: C = (1/T) sum_t f_t^T x_t, [K,K], where x_t is what the layer
      reads with all layers before it quantised and f_t what it reads in the
      float model (`retarget`). Collected by sequential calibration alone;
    - `residual`: R = (1/T) sum_t (r_t - q_t)^T x_t, [N,K], where r_t is what
      the layer's result is added to in the float model (a residual stream) and
      q_t the same with all layers before it quantised (`retarget`). Collected
      by sequential calibration alone.

    ```mlir
    func.func @statistic() -> (tensor<8x8xf32>, tensor<8xf32>) {
      %h = quant_llm.statistic hessian of "fc" : tensor<8x8xf32>
      %a = quant_llm.statistic absmax of "fc" : tensor<8xf32>
      return %h, %a : tensor<8x8xf32>, tensor<8xf32>
    }
    ```

    Constraints:
    - (C1) a Hessian and a cross moment are square, a residual moment has two
      dimensions, absmax and absmean have one; static.
    - (C2) layer is not empty.
  }];
  let arguments = (ins QuantLLM_StatisticKindAttr:$kind, StrAttr:$layer);
  let results = (outs RankedTensorOf<[F32]>:$result);
  // The attribute prints a space of its own.
  let assemblyFormat = "`` $kind `of` $layer attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def QuantLLM_ScaleStatisticOp
    : QuantLLM_PureOp<"scale_statistic",
          [AllTypesMatch<["statistic", "result"]>]> {
  let summary = "the statistic after a layer's input was divided by factors";
  let description = [{
    For x'[k] = x[k] / s[k]: H'[i,j] = H[i,j] / (s[i] * s[j]) for a Hessian
    or a cross moment (two dimensions); a'[k] = a[k] / s[k] for absmax and
    absmean (one). `columns`: R'[i,j] = R[i,j] / s[j], for a residual moment,
    whose rows belong to the layer's result.

    ```mlir
    func.func @scale_statistic(%h: tensor<8x8xf32>, %s: tensor<8xf32>) -> tensor<8x8xf32> {
      %0 = quant_llm.scale_statistic %h by %s : tensor<8x8xf32>, tensor<8xf32>
      return %0 : tensor<8x8xf32>
    }
    ```

    Constraints:
    - (C1) statistic has one dimension or is square; with `columns` it has two
      dimensions.
    - (C2) factors has as many elements as statistic's last dimension.
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$statistic,
                       QuantLLM_Factors:$factors, UnitAttr:$columns);
  let results = (outs RankedTensorOf<[F32]>:$result);
  let assemblyFormat = [{
    (`columns` $columns^)? $statistic `by` $factors attr-dict `:`
    type($statistic) `,` type($factors)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMSTATISTICOPS_TD
