//===- TinyOps.td - Another compiler's dialect -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tiny_Dialect : Dialect {
  let name = "tiny";
  let cppNamespace = "::tiny";
}

def Tiny_MatmulOp : Op<Tiny_Dialect, "matmul", [Pure]> {
  let summary = "y[m,n] = scales[n,0] * sum_k x[m,k] * codes[n,k] + bias[n]";
  let arguments = (ins RankedTensorOf<[F32]>:$x, RankedTensorOf<[I8]>:$codes,
                       RankedTensorOf<[F16]>:$scales,
                       Optional<RankedTensorOf<[F32]>>:$bias);
  let results = (outs RankedTensorOf<[F32]>:$y);
  let assemblyFormat =
      "$x `,` $codes `,` $scales (`,` $bias^)? attr-dict `:` functional-type(operands, results)";
}
