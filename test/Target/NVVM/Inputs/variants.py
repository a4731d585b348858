#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A module with a packed matmul for each kernel variant.

  variants.py [--all] [--every=N] > module.mlir

Every code type, with and without zero points, on long, short and awkward rows;
scale type, element type, bias and permutation go round. --all: each of them.
--every: only each N-th variant.
"""

import itertools
import sys

CODES = {"u2": (2, 2, 1), "u3": (3, 4, 3), "u4": (4, 1, 1), "u8": (8, 1, 2),
         "s8": (8, 1, 2)}
SHAPES = [(4096, 128), (172, 32), (200, -1), (77, 7), (32, 32), (1100, 64)]
TYPES = ["f16", "bf16", "f32"]
# Scale type, element type, bias, permutation.
REST = list(itertools.product(TYPES, TYPES, [None, *TYPES], [False, True]))


def up(a, b):
    return (a + b - 1) // b * b


def packed_bytes(code, k, group, scale, zeros):
    """Layout.h's sizes, for one row block."""
    bits, atoms, vectors = CODES[code]
    length = k if group < 0 else min(group, k)
    groups = up(k, length) // length
    tail = k - (groups - 1) * length
    per_group = up(length, 32) // 32
    row_atoms = (groups - 1) * per_group + up(tail, 32) // 32
    size = up(row_atoms, atoms) // atoms * vectors * 512
    size += up(groups * 32 * (4 if scale == "f32" else 2), 128)
    if zeros:
        size += up(groups * 32 * (2 if bits == 8 else 1), 128)
    return size


def matmul(index, code, zeros, k, group, scale, element, bias, permutation):
    size = packed_bytes(code, k, group, scale, zeros)
    values = [("x", f"tensor<?x{k}x{element}>"), ("w", f"tensor<{size}xi8>")]
    text = "%x, %w"
    if permutation:
        values.append(("p", f"tensor<{k}xi32>"))
        text += " permutation(%p)"
    if bias:
        values.append(("b", f"tensor<32x{bias}>"))
        text += " bias(%b)"
    types = ", ".join(t for _, t in values)
    arguments = ", ".join(f"%{n}: {t}" for n, t in values)
    result = f"tensor<?x32x{element}>"
    return (f"func.func @f{index}({arguments}) -> {result} {{\n"
            f"  %y = quant_llm.packed_matmul {text} "
            f"scheme(<{code}, group = {group}, scale = {scale}>) "
            f"n = 32 k = {k} layout(\"nvvm-simt\")"
            f"{' zero_points' if zeros else ''} name(\"f{index}\") : "
            f"({types}) -> {result}\n  return %y : {result}\n}}\n")


def main():
    index = 0
    every = next((int(a[8:]) for a in sys.argv if a.startswith("--every=")), 1)
    cases = itertools.product(CODES, [False, True], SHAPES)
    for case, (code, zeros, (k, group)) in enumerate(cases):
        rest = REST if "--all" in sys.argv else [REST[case * 29 % len(REST)]]
        for more in rest if case % every == 0 else []:
            print(matmul(index, code, zeros, k, group, *more))
            index += 1


main()
