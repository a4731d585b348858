// The first of a sample's tokens.
func.func @main(%ids: tensor<1x?xi64>) -> tensor<1xi64> {
  %first = tensor.extract_slice %ids[0, 0] [1, 1] [1, 1] : tensor<1x?xi64> to tensor<1xi64>
  return %first : tensor<1xi64>
}
