#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A module of quantisers per token, plain and with what computes their x.

  quantizers.py > module.mlir

Each of: x as it is; RMSNorm; LayerNorm with bias; a gated activation (SwiGLU).
In f16, bf16 and f32, with and without smoothing factors, on long and awkward
rows.
"""

import itertools

LENGTHS = [64, 172, 77, 4096, 11008]
TYPES = ["f16", "bf16", "f32"]


def generic(result, operands, init, body, kinds, k):
    """`operands` and `init` are (name, map's results, type): %v_name outside,
    %name_ in the body."""
    maps = ", ".join(f"affine_map<(d0, d1) -> ({where})>"
                     for _, where, _ in [*operands, init])
    names = ", ".join(f"%v_{name}" for name, _, _ in operands)
    shape = {"d0, d1": f"?x{k}", "d0": "?", "d1": str(k)}
    types = ", ".join(f"tensor<{shape[where]}x{t}>" for _, where, t in operands)
    out = f"tensor<{shape[init[1]]}x{init[2]}>"
    arguments = ", ".join([*(f"%{name}_: {t}" for name, _, t in operands),
                           f"%out: {init[2]}"])
    iterators = ", ".join(f'"{kind}"' for kind in kinds)
    return (f"  %v_{result} = linalg.generic {{indexing_maps = [{maps}], "
            f"iterator_types = [{iterators}]}} ins({names} : {types}) "
            f"outs(%v_{init[0]} : {out}) {{\n  ^bb0({arguments}):\n"
            + "".join(f"    {line}\n" for line in body)
            + f"    linalg.yield %y : {init[2]}\n  }} -> {out}\n")


def widened(name, t):
    if t == "f32":
        return f"%{name} = arith.addf %{name}_, %zero : f32"
    return f"%{name} = arith.extf %{name}_ : {t} to f32"


def narrowed(name, t):
    if t == "f32":
        return f"%y = arith.addf %{name}, %zero : f32"
    return f"%y = arith.truncf %{name} : f32 to {t}"


ALL, ROW, COLUMN = "d0, d1", "d0", "d1"
EACH, SUM = ["parallel", "parallel"], ["parallel", "reduction"]


def rms(k, t):
    return (generic("s", [("h", ALL, t)], ("z", ROW, "f32"),
                    [widened("h", t), "%a = arith.mulf %h, %h : f32",
                     "%y = arith.addf %a, %out : f32"], SUM, k)
            + generic("x", [("h", ALL, t), ("s", ROW, "f32"), ("w", COLUMN, t)],
                      ("o", ALL, t),
                      [widened("h", t), widened("w", t),
                       "%a = arith.divf %s_, %count : f32",
                       "%b = arith.addf %a, %eps : f32",
                       "%c = math.rsqrt %b : f32",
                       "%d = arith.mulf %h, %c : f32",
                       "%e = arith.mulf %d, %w : f32", narrowed("e", t)],
                      EACH, k))


def layernorm(k, t):
    return (generic("s", [("h", ALL, t)], ("z", ROW, "f32"),
                    [widened("h", t), "%y = arith.addf %h, %out : f32"], SUM, k)
            + generic("d", [("h", ALL, t), ("s", ROW, "f32")],
                      ("o32", ALL, "f32"),
                      [widened("h", t), "%a = arith.divf %s_, %count : f32",
                       "%y = arith.subf %h, %a : f32"], EACH, k)
            + generic("v", [("d", ALL, "f32")], ("z", ROW, "f32"),
                      ["%a = arith.mulf %d_, %d_ : f32",
                       "%y = arith.addf %a, %out : f32"], SUM, k)
            + generic("x", [("d", ALL, "f32"), ("v", ROW, "f32"),
                            ("w", COLUMN, t), ("b", COLUMN, t)], ("o", ALL, t),
                      [widened("w", t), widened("b", t),
                       "%a = arith.divf %v_, %count : f32",
                       "%c = arith.addf %a, %eps : f32",
                       "%e = math.rsqrt %c : f32",
                       "%f = arith.mulf %d_, %e : f32",
                       "%g = arith.mulf %f, %w : f32",
                       "%i = arith.addf %g, %b : f32", narrowed("i", t)],
                      EACH, k))


def gated(k, t):
    return generic("x", [("h", ALL, t), ("u", ALL, t)], ("o", ALL, t),
                   [widened("h", t), widened("u", t),
                    "%a = arith.negf %h : f32", "%b = math.exp %a : f32",
                    "%c = arith.addf %b, %one : f32",
                    "%d = arith.divf %h, %c : f32",
                    "%e = arith.mulf %d, %u : f32", narrowed("e", t)], EACH, k)


def plain(k, t):
    return ""


def main():
    cases = itertools.product(LENGTHS, TYPES, [plain, rms, layernorm, gated])
    for index, (k, t, make) in enumerate(cases):
        x = f"tensor<?x{k}x{t}>"
        codes, scales = f"tensor<?x{k}xi8>", "tensor<?x1xf32>"
        factors = ("" if index % 2 else
                   f"divided_by(%v_f : tensor<{k}xf32>) ")
        print(f"func.func @f{index}(%v_h: {x}, %v_u: {x}, "
              f"%v_w: tensor<{k}x{t}>, %v_b: tensor<{k}x{t}>, "
              f"%v_f: tensor<{k}xf32>) -> "
              f"({codes}, {scales}) {{\n"
              "  %c0 = arith.constant 0 : index\n"
              "  %zero = arith.constant 0.0 : f32\n"
              "  %one = arith.constant 1.0 : f32\n"
              "  %eps = arith.constant 1.0e-5 : f32\n"
              f"  %count = arith.constant {k}.0 : f32\n"
              f"  %m = tensor.dim %v_h, %c0 : {x}\n"
              f"  %v_o = tensor.empty(%m) : {x}\n"
              f"  %v_o32 = tensor.empty(%m) : tensor<?x{k}xf32>\n"
              "  %r = tensor.empty(%m) : tensor<?xf32>\n"
              "  %v_z = linalg.fill ins(%zero : f32) outs(%r : tensor<?xf32>) -> "
              "tensor<?xf32>\n"
              + make(k, t)
              + f"  %q, %t = quant_llm.quantize "
              f"%v_{'h' if make is plain else 'x'} {factors}"
              f"scheme(<8, per_token>) : {x} -> {codes}, {scales}\n"
              f"  return %q, %t : {codes}, {scales}\n}}\n")


main()
