//===- QuantLLMModelOps.td - A model's parameters and layers -*- tablegen -===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMMODELOPS_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMMODELOPS_TD

include "qk/Dialect/QuantLLM/IR/QuantLLMAttributes.td"

def QuantLLM_ParameterOp : QuantLLM_PureOp<"parameter"> {
  let summary = "a named parameter of the model";
  let description = [{
    The tensor `name` of the file that the module attribute `quant_llm.weights`
    gives for `scope`, or the inline `value`. Maps one to one to IREE's
    `#flow.parameter.named<"scope"::"name">`.

    Elements of fewer than 8 bits are stored as bytes: a tensor of shape
    [..., K] of b-bit elements is stored as U8 of shape [..., ceil(K*b/8)],
    element i of a row in bits [b*i, b*i+b), least significant bit first, rows
    padded to whole bytes with zeros.

    The file's tensor may group its dimensions otherwise: each dimension of one
    shape is the product of consecutive dimensions of the other (1x8x4 or 2x4x4
    read as 8x4).

    With `part` it is that part of the file's tensor, which may have any shape.

    ```mlir
    func.func @parameter() -> (tensor<4x8xf32>, tensor<2x3xi4>, tensor<4x8xf32>) {
      %w = quant_llm.parameter "model"::"fc.weight" : tensor<4x8xf32>
      %c = quant_llm.parameter ""::"fc.codes" : tensor<2x3xi4> = dense<17> : tensor<2x2xi8>
      // The second weight of a stack.
      %s = quant_llm.parameter "model"::"stack"
          {part = #quant_llm.part<offset = 32, sizes = [32], strides = [1]>} : tensor<4x8xf32>
      return %w, %c, %s : tensor<4x8xf32>, tensor<2x3xi4>, tensor<4x8xf32>
    }
    ```

    Constraints:
    - (C1) the result has a static shape.
    - (C2) name is not empty.
    - (C3) value, if present, has the storage type of the result.
    - (C4) part, if present, has as many elements as the result, which are of
      whole bytes; there is no value then.
  }];
  let arguments = (ins StrAttr:$scope, StrAttr:$name,
                       OptionalAttr<ElementsAttr>:$value,
                       OptionalAttr<QuantLLM_PartAttr>:$part);
  let results = (outs AnyRankedTensor:$result);
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::llvm::StringRef":$scope,
                   "::llvm::StringRef":$name, "::mlir::ElementsAttr":$value), [{
      build($_builder, $_state, result, scope, name, value, PartAttr());
    }]>];
  let assemblyFormat = [{
    $scope `` `:` `` `:` `` $name attr-dict `:` type($result) (`=` $value^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The type that a parameter of type `type` has in a file or inline: i8
    /// [..., ceil(K*b/8)] for elements of b < 8 bits, else `type` itself.
    static ::mlir::RankedTensorType getStorageType(::mlir::RankedTensorType type);
    ::mlir::RankedTensorType getStorageType() {
      return getStorageType(
          ::llvm::cast<::mlir::RankedTensorType>(getResult().getType()));
    }
  }];
}

def QuantLLM_TransposeOp
    : QuantLLM_PureOp<"transpose",
          [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "a weight that the model stores as [K,N], as [N,K]";
  let description = [{
    result[n,k] = weight[k,n].

    ```mlir
    func.func @transpose(%w: tensor<8x4xf32>) -> tensor<4x8xf32> {
      %0 = quant_llm.transpose %w : tensor<8x4xf32>
      return %0 : tensor<4x8xf32>
    }
    ```
  }];
  let arguments = (ins QuantLLM_Weight:$weight);
  let results = (outs QuantLLM_Weight:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight)";
}

def QuantLLM_LinearOp
    : QuantLLM_PureOp<"linear",
          [DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "a float linear layer";
  let description = [{
    y[..., n] = round( sum_k x[..., k] * weight[n, k] + bias[n] ) with products
    and sum in f32, rounded once, to the element type of y, which is that of x.

    ```mlir
    func.func @linear(%x: tensor<?x8xf16>, %w: tensor<4x8xf16>, %b: tensor<4xf16>) -> tensor<?x4xf16> {
      %y = quant_llm.linear %x, %w bias(%b) name("fc") : (tensor<?x8xf16>, tensor<4x8xf16>, tensor<4xf16>) -> tensor<?x4xf16>
      return %y : tensor<?x4xf16>
    }
    ```

    Constraints:
    - (C1) x has at least one dimension.
    - (C2) the last dimension of x equals K of the weight.
    - (C3) bias has N elements.
    - (C4) weight has a static shape.
  }];
  let arguments = (ins QuantLLM_FloatTensor:$x, QuantLLM_Weight:$weight,
                       Optional<QuantLLM_Vector>:$bias, StrAttr:$layer);
  let results = (outs QuantLLM_FloatTensor:$y);
  let assemblyFormat = [{
    $x `,` $weight (`bias` `(` $bias^ `)`)? `name` `(` $layer `)` attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMMODELOPS_TD
