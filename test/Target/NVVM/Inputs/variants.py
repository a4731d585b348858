#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A module with a packed matmul for each kernel variant.

  variants.py [--mma | --int8 | --int8-few | --e4m3] [--all] [--every=N]
      > module.mlir

Every code type, with and without zero points, on long, short and awkward rows;
scale type, element type, bias and permutation go round. --all: each of them.
--every: only each N-th variant. --mma: unpacked matmuls of 16-bit floats and
of i8, for quant-llm-pack-for-nvvm to lay out for tensor cores, and (whatever N
is) MMA_ALWAYS. --int8: those of i8 only, with codes of 8 bits; --int8-few: with
codes of fewer, and FEW_ALWAYS. --e4m3: those of e4m3.
"""

import itertools
import sys

CODES = {"u2": (2, 2, 1), "u3": (3, 4, 3), "u4": (4, 1, 1), "u8": (8, 1, 2),
         "s8": (8, 1, 2)}
# Floats of one byte: with activations of their kind only.
FLOATS = {"e4m3": (8, 1, 2)}
SHAPES = [(4096, 128), (172, 32), (200, -1), (77, 7), (32, 32), (1100, 64)]
TYPES = ["f16", "bf16", "f32"]
# Scale type, element type, bias, permutation.
REST = list(itertools.product(TYPES, TYPES, [None, *TYPES], [False, True]))
# What spilled once; what has kernels of 256 channels on sm_90a, in both ways in
# which scales come and x is copied.
MMA_ALWAYS = [("u3", True, 77, 7, "f16", "bf16", None, False),
              ("u3", True, 1104, 16, "f32", "f16", None, False),
              ("u4", False, 8192, 128, "f16", "f16", None, False),
              ("u4", False, 8192, 64, "f16", "f16", None, False),
              ("u4", False, 1104, -1, "bf16", "f16", "f32", True)]

# What spilled once of codes of few bits for activations of 8.
FEW_ALWAYS = [("u2", False, 8192, 64, "f32", "f16", None, False),
              ("u2", True, 8192, 32, "f32", "f16", None, False),
              ("u3", False, 8192, 32, "f32", "f16", None, False),
              ("u4", False, 8192, 64, "f16", "f16", None, False)]


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


# Atoms and vectors of a unit of MmaLayout.h, for 16-bit activations and for i8.
MMA_UNITS = {"u2": (4, 1), "u3": (8, 3), "u4": (2, 1), "u8": (1, 1),
             "s8": (1, 1)}
MMA_S8_UNITS = {"u2": (2, 1), "u3": (4, 3), "u4": (1, 1), "u8": (1, 2),
                "s8": (1, 2), "e4m3": (1, 2)}
MMA_BITS = {code: bits for code, (bits, _, _) in {**CODES, **FLOATS}.items()}


def mma_packed_bytes(code, k, group, scale, zeros, int8):
    """MmaLayout.h's sizes, for two tiles."""
    atoms, vectors = (MMA_S8_UNITS if int8 else MMA_UNITS)[code]
    codes = 64 if int8 else 32
    length = k if group < 0 else min(group, k)
    groups = up(k, length) // length
    per_group = up(length, codes) // codes
    if groups == 1 or per_group >= atoms:
        per_group = up(per_group, atoms)
    while per_group < atoms and atoms % per_group:
        per_group += 1
    size = up(groups * per_group, atoms) // atoms * vectors * 512
    size += up(groups * 16 * (4 if scale == "f32" else 2), 128)
    if zeros:
        size += up(groups * 16 * (2 if MMA_BITS[code] == 8 else 1), 128)
    return 2 * size


def mma_matmul(index, code, zeros, k, group, scale, element, bias,
               permutation):
    # Bytes take activations of 8 bits, or (without zero points) floats.
    int8 = bool({"--int8", "--int8-few", "--e4m3"} & set(sys.argv)) or (
        CODES[code][0] == 8 and (zeros or index % 2 == 0))
    if not int8 and element == "f32":
        element = "bf16"
    size = mma_packed_bytes(code, k, group, scale, zeros, int8)
    x = "i8" if int8 else element
    kind = code if code in FLOATS else 8
    values = [("x", f"tensor<?x{k}x{x}>"), ("w", f"tensor<{size}xi8>")]
    text = "%x, %w"
    if permutation:
        values.append(("p", f"tensor<{k}xi32>"))
        text += " permutation(%p)"
    if bias:
        values.append(("b", f"tensor<32x{bias}>"))
        text += " bias(%b)"
    if int8:
        values.append(("xs", "tensor<?x1xf32>"))
        text += " x_scales(%xs)"
    types = ", ".join(t for _, t in values)
    arguments = ", ".join(f"%{n}: {t}" for n, t in values)
    result = f"tensor<?x32x{element}>"
    return (f"func.func @f{index}({arguments}) -> {result} {{\n"
            f"  %y = quant_llm.packed_matmul {text} "
            f"scheme(<{code}, group = {group}, scale = {scale}>) "
            f"{f'x_scheme(<{kind}, per_token>) ' if int8 else ''}"
            f"n = 32 k = {k} layout(\"nvvm-mma{'-s8' if int8 else ''}\")"
            f"{' zero_points' if zeros else ''} name(\"f{index}\") : "
            f"({types}) -> {result}\n  return %y : {result}\n}}\n")


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
    codes, shapes = CODES, SHAPES
    if "--int8" in sys.argv:
        codes, shapes = ["u8", "s8"], [*SHAPES, (30, -1)]
    if "--int8-few" in sys.argv:
        codes = ["u2", "u3", "u4"]
        shapes = [*SHAPES, (4096, 64), (4096, -1), (1104, 256)]
    if "--e4m3" in sys.argv:
        codes, shapes = FLOATS, [*SHAPES, (30, -1), (4096, -1)]
    every = next((int(a[8:]) for a in sys.argv if a.startswith("--every=")), 1)
    zero_points = [False] if codes is FLOATS else [False, True]
    cases = itertools.product(codes, zero_points, shapes)
    for case, (code, zeros, (k, group)) in enumerate(cases):
        rest = REST if "--all" in sys.argv else [REST[case * 29 % len(REST)]]
        for more in rest if case % every == 0 else []:
            kinds = {"--mma", "--int8", "--int8-few", "--e4m3"}
            make = mma_matmul if kinds & set(sys.argv) else matmul
            print(make(index, code, zeros, k, group, *more))
            index += 1
    always = (MMA_ALWAYS if "--mma" in sys.argv else
              FEW_ALWAYS if "--int8-few" in sys.argv else [])
    for case in always:
        print(mma_matmul(index, *case))
        index += 1


main()
