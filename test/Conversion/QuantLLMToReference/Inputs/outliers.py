# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a module of one linear layer whose groups have outliers, so that a search
for scales has something to find; the third row has a group of zeros."""
import random
import sys

N, K = 7, 40
rng = random.Random(3)
weight = [[round(rng.gauss(0, 1) ** 3, 4) for _ in range(K)] for _ in range(N)]
weight[2][16:32] = [0.0] * 16
weight[3] = [abs(w) for w in weight[3]]
ty = "tensor<%dx%dxf32>" % (N, K)
with open(sys.argv[1], "w") as out:
    out.write(
        """func.func @main(%%x: tensor<?x%dxf32>) -> tensor<?x%dxf32> {
  %%w = quant_llm.parameter ""::"fc.weight" : %s = dense<%s> : %s
  %%y = quant_llm.linear %%x, %%w name("fc") : (tensor<?x%dxf32>, %s) -> tensor<?x%dxf32>
  return %%y : tensor<?x%dxf32>
}
"""
        % (K, N, ty, weight, ty, K, ty, N, N)
    )
