// RUN: qk-opt %s --split-input-file --verify-diagnostics
// One function a constraint of the op's description.

func.func @scale_rows_c1(%w: tensor<4x8xf16>, %s: tensor<8xf32>) {
  // expected-error @+1 {{'quant_llm.scale_rows' op expected the number of factors to be 4 (rows of the input), got 8}}
  %0 = quant_llm.scale_rows %w by %s : tensor<4x8xf16>, tensor<8xf32>
  return
}
