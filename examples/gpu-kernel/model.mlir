// One linear layer, y = x Wᵀ. The weight's values don't matter here: the
// programs beside this file pack a weight of their own.
func.func @main(%x: tensor<?x512xf16>) -> tensor<?x200xf16> {
  %w = arith.constant dense<0.5> : tensor<200x512xf16>
  %zero = arith.constant 0.0 : f16
  %0 = arith.constant 0 : index
  %m = tensor.dim %x, %0 : tensor<?x512xf16>
  %transposed = tensor.empty() : tensor<512x200xf16>
  %wt = linalg.transpose ins(%w : tensor<200x512xf16>) outs(%transposed : tensor<512x200xf16>) permutation = [1, 0]
  %empty = tensor.empty(%m) : tensor<?x200xf16>
  %init = linalg.fill ins(%zero : f16) outs(%empty : tensor<?x200xf16>) -> tensor<?x200xf16>
  %y = linalg.matmul ins(%x, %wt : tensor<?x512xf16>, tensor<512x200xf16>) outs(%init : tensor<?x200xf16>) -> tensor<?x200xf16>
  return %y : tensor<?x200xf16>
}
