// REQUIRES: plugins
// The stock mlir-opt with qk as a plugin gives what qk-opt gives, byte for
// byte, and it runs.
// RUN: %plugin-opt --pass-pipeline='builtin.module(quant-llm-gptq{bits=4 group-size=4 effort=fast},quant-llm-lower-to-cpu)' %s -o %t.plugin.mlir 2> %t.warnings
// RUN: FileCheck %s --check-prefix=WARN --input-file=%t.warnings
// RUN: qk-opt --gptq="bits=4 group-size=4 effort=fast" --lower-to-cpu %s -o %t.qk.mlir 2> %t.ignored
// RUN: diff %t.plugin.mlir %t.qk.mlir
// RUN: %python -c "import numpy; numpy.save(r'%t.x.npy', numpy.ones((2, 8), numpy.float32))"
// RUN: qk-run %t.plugin.mlir --input=%t.x.npy --output=%t.y.npy
// RUN: %python -c "import numpy; y = numpy.load(r'%t.y.npy'); assert abs(y - [3.625, 4.5, 2.875, 1.5]).max() < .5, y"

// Each pass by itself; the dialect is parsed and printed.
// RUN: %plugin-opt --pass-pipeline='builtin.module(quant-llm-raise-linear)' %s | %plugin-opt | FileCheck %s --check-prefix=RAISED
// RUN: %plugin-opt --pass-pipeline='builtin.module(quant-llm-rtn{group-size=4},quant-llm-evaluate)' %s | FileCheck %s --check-prefix=EVALUATED

// All of them: what qk-opt lists with a prefix, mlir-opt lists with the plugin.
// RUN: qk-opt --list-passes | grep -oE -- "--(quant-llm|qk-kernel)-[a-z-]+" | sort -u > %t.expected
// RUN: %plugin-opt --list-passes | grep -oE -- "--(quant-llm|qk-kernel)-[a-z-]+" | sort -u > %t.listed
// RUN: diff %t.expected %t.listed
// RUN: FileCheck %s --check-prefix=LIST --input-file=%t.listed
// --list-passes lists no pipelines: methods and lowering to CPU are above, these are the rest.
// RUN: %plugin-opt --pass-pipeline='builtin.module(quant-llm-awq{round=false},quant-llm-smoothquant{round=false},quant-llm-rtn{bits=4 symmetric=false group-size=4},quant-llm-lower-to-nvvm{host=keep})' --dump-pass-pipeline %s -o %t.ignored 2>&1 | FileCheck %s --check-prefix=PIPELINES
// RUN: %plugin-opt --pass-pipeline='builtin.module(quant-llm-host-to-llvm)' %s | FileCheck %s --check-prefix=HOST
// RUN: %plugin-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS

// Errors come through: of options, of passes, of the verifier.
// RUN: not %plugin-opt --pass-pipeline='builtin.module(quant-llm-rtn{bits=5})' %s 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not %plugin-opt --pass-pipeline='builtin.module(quant-llm-rtn{bits=4 widht=3})' %s 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not %plugin-opt --pass-pipeline='builtin.module(quant-llm-bind-parameters{weights=%t.missing})' %s 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not %plugin-opt %S/Inputs/invalid.mlir 2>&1 | FileCheck %s --check-prefix=VERIFIER

// WARN: mlir-opt.mlir:{{[0-9]+}}:{{[0-9]+}}: warning: no statistics for any of 1 layers
// RAISED: quant_llm.linear
// EVALUATED: quant_llm.matmul
// LIST-DAG: --quant-llm-apply-gptq
// LIST-DAG: --quant-llm-bind-parameters
// LIST-DAG: --quant-llm-calibrate
// LIST-DAG: --quant-llm-raise-linear
// PIPELINES: quant-llm-apply-awq
// PIPELINES: quant-llm-fold-scales
// PIPELINES: quant-llm-apply-smoothquant
// PIPELINES: quant-llm-emit-nvvm-kernels
// HOST: llvm.func @main
// DIALECTS-DAG: quant_llm
// DIALECTS-DAG: linalg
// BITS: mlir-opt.mlir:{{[0-9]+}}:{{[0-9]+}}: error: {{.*}}5
// OPTION: error: --quant-llm-rtn has no option 'widht'; it has bits,
// MISSING: error: {{.*}}.missing
// VERIFIER: invalid.mlir:{{[0-9]+}}:{{[0-9]+}}: error: 'quant_llm.

func.func @main(%x: tensor<2x8xf32>) -> tensor<2x4xf32> {
  %w = arith.constant dense<[
    [0.5, -1.0, 0.25, 2.0, 1.5, -0.75, 1.0, 0.125],
    [1.5, 1.0, -0.25, 0.5, 0.0, 0.75, -1.0, 2.0],
    [-0.5, 2.0, 0.75, 1.0, -1.5, 0.25, 1.0, -0.125],
    [0.25, -2.0, 1.25, 0.0, 1.0, -0.5, 0.5, 1.0]]> : tensor<4x8xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = linalg.matmul
    indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x8xf32>, tensor<4x8xf32>) outs(%init : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
