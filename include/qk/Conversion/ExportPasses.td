//===- ExportPasses.td - Modules for other compilers -------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_EXPORTPASSES_TD
#define QK_CONVERSION_EXPORTPASSES_TD

include "mlir/Pass/PassBase.td"

//===----------------------------------------------------------------------===//
// QuantLLMToLinalg
//===----------------------------------------------------------------------===//

def QuantLLMToLinalg
    : Pass<"quant-llm-convert-to-linalg", "::mlir::ModuleOp"> {
  let summary = "quantised matmuls as other compilers fuse them";
  let description = [{
    A module that other compilers take: no op of quant_llm is left. Pipelines
    run it as part of `quant-llm-to-linalg`, which evaluates first.

    A `matmul` becomes, with the weight as (n, g, k), n output channels, g
    groups and k columns of a group, zero-padded where groups don't divide K:

    - a generic that dequantises, `extui`, `uitofp`, `subf`, `mulf` in this
      order (`extsi` and `sitofp` for s8; no `subf` where the zero point is 0),
      on codes, scales and zero points [N,G] as f32;
    - a contraction of that and x as (m, g, k) in f32, two reductions; then bias
      and rounding.

    Where x is quantised, codes of x are multiplied with the weight's codes less
    their zero points, as integers of 8 (where they fit) or 16 bits, in i32
    where the sums fit, else in i64. (A permutation together with scales per
    token and group: as above, x dequantised first.)

    What else there is of the dialect becomes what `quant-llm-to-reference`
    makes of it.

    `parameters=inline`: parameters become constants whose elements are in the
    module, codes one a byte. `parameters=named`: they become IREE's,
    `util.global … = #flow.parameter.named<"scope"::"name">` in generic form
    (qk-opt writes them with `--allow-unregistered-dialect`).
    Codes of 2 and 4 bits are tensors of i2 and i4, dense. Those that lie in a
    file as they are needed stay there; the rest is written to `output-weights`,
    scope `exported`. Whoever runs the module loads the files that the attribute
    `quant_llm.weights` lists, each under its scope.

    Preconditions (the pass fails otherwise): recipes have been evaluated; no
    `observe`, `pack` or `packed_matmul`.

    ```mlir
    func.func @example(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
      %c = quant_llm.parameter ""::"fc.codes" : tensor<2x4xi4> = dense<0x21> : tensor<2x2xi8>
      %s = quant_llm.parameter ""::"fc.scales" : tensor<2x2xf32> = dense<0.5> : tensor<2x2xf32>
      %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 2, scale = f32>) name("fc") : (tensor<1x4xf32>, tensor<2x4xi4>, tensor<2x2xf32>) -> tensor<1x2xf32>
      return %y : tensor<1x2xf32>
    }
    ```
    ==>
    ```mlir
    func.func @example(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
      %s = arith.constant dense<0.5> : tensor<2x2xf32>
      %c = arith.constant dense_resource<fc.codes> : tensor<2x2x2xi8>
      %xg = tensor.expand_shape %x [[0], [1, 2]] output_shape [1, 2, 2] : tensor<1x4xf32> into tensor<1x2x2xf32>
      %0 = tensor.empty() : tensor<2x2x2xf32>
      %w = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0, d1)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%c, %s : tensor<2x2x2xi8>, tensor<2x2xf32>) outs(%0 : tensor<2x2x2xf32>) {
      ^bb0(%code: i8, %scale: f32, %out: f32):
        %1 = arith.extui %code : i8 to i32
        %2 = arith.uitofp %1 : i32 to f32
        %zero = arith.constant 8.0 : f32
        %3 = arith.subf %2, %zero : f32
        %4 = arith.mulf %3, %scale : f32
        linalg.yield %4 : f32
      } -> tensor<2x2x2xf32>
      %5 = tensor.empty() : tensor<1x2xf32>
      %f0 = arith.constant 0.0 : f32
      %6 = linalg.fill ins(%f0 : f32) outs(%5 : tensor<1x2xf32>) -> tensor<1x2xf32>
      %y = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1)>], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%xg, %w : tensor<1x2x2xf32>, tensor<2x2x2xf32>) outs(%6 : tensor<1x2xf32>) {
      ^bb0(%a: f32, %b: f32, %out: f32):
        %7 = arith.mulf %a, %b : f32
        %8 = arith.addf %7, %out : f32
        linalg.yield %8 : f32
      } -> tensor<1x2xf32>
      return %y : tensor<1x2xf32>
    }
    {-#
      dialect_resources: {
        builtin: {
          fc.codes: "0x100000000102010201020102"
        }
      }
    #-}
    ```
  }];
  let options = [
    Option<"parameters", "parameters", "std::string", "\"inline\"",
           "inline: elements in the module; named: IREE's named parameters, in "
           "files">,
    Option<"outputWeights", "output-weights", "std::string", "\"\"",
           "safetensors file to write named parameters to that no file of the "
           "module has">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

//===----------------------------------------------------------------------===//
// QuantLLMToOperators
//===----------------------------------------------------------------------===//

def QuantLLMToOperators
    : Pass<"quant-llm-convert-to-operators", "::mlir::ModuleOp"> {
  let summary = "quantised matmuls as torch's or ONNX's operators";
  let description = [{
    Each `matmul` becomes an op that torch-mlir knows, in generic form (with
    `--allow-unregistered-dialect`), between casts of its dialect (`torch_c`);
    everything else stays. Pipelines run it as
    part of `quant-llm-to-torch` and `quant-llm-to-onnx`, which evaluate first.

    `form=torch`: `torch.operator "quant.matmul_rhs_group_quant"` on x [B,M,K],
    codes [N,K*bits/8] as ui8, lowest bits first, scales and zero points [N,G,1]
    in the type of x, bits, and the group size. Errors: a quantised input, a
    permutation, codes of 3 bits, groups that don't divide K, another type than
    f16 (the one that torch-mlir lowers the op in).

    `form=onnx`: `torch.operator "onnx.MatMulNBits"` with its attributes, as
    torch-mlir's importer writes them, where groups are a power of two from 16
    on; else, and for 3 bits, `onnx.DequantizeLinear` with `block_size`,
    `onnx.Transpose` and `onnx.MatMul`. A permutation is an `onnx.Gather`.
    Functions are said to be of opset 21 where nothing is said. Errors: a
    quantised input, zero points outside of the codes' range, a function of an
    earlier opset.

    In both scales must be exact in the type of x.

    Preconditions (the pass fails otherwise): recipes have been evaluated.
  }];
  let options = [
    Option<"form", "form", "std::string", "\"torch\"", "torch or onnx">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // QK_CONVERSION_EXPORTPASSES_TD
