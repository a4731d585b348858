#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A layer of e4m3, weights and activations, with what it is to compute.

  float8.py OUT     writes OUT.mlir, OUT.x.npy and OUT.y.npy

Rows of x have every value of e4m3, values half-way between two of them, what
is less than the least, zeros alone, and random ones. The weight has every code
that is a number. The truth is the format's definition (arXiv 2209.05433): a
table of its values, and the nearest of them, of two the one of an even code.
"""

import bisect
import random
import struct
import sys

K = 254


def value(code):
    exponent, mantissa = code >> 3 & 15, code & 7
    size = ((8 + mantissa) * 2.0 ** (exponent - 10) if exponent
            else mantissa * 2.0 ** -9)
    return -size if code & 128 else size


VALUES = [value(code) for code in range(127)]


def encode(x):
    size = min(abs(x), 448.0)
    above = min(bisect.bisect_left(VALUES, size), 126)
    below = max(above - 1, 0)
    low, high = size - VALUES[below], VALUES[above] - size
    code = above if high < low or (high == low and above % 2 == 0) else below
    return code | (128 if x < 0 else 0)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def write_npy(path, rows):
    header = (f"{{'descr': '<f4', 'fortran_order': False, 'shape': "
              f"({len(rows)}, {len(rows[0])}), }}")
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)))
        file.write(header.encode())
        for row in rows:
            file.write(struct.pack(f"<{len(row)}f", *row))


def main():
    out = sys.argv[1]
    draw = random.Random(1)
    numbers = [value(code) for code in range(256) if code & 127 != 127]
    # The largest says what the scale is: 1.
    halves = [448.0] + [(a + b) / 2 for a, b in zip(VALUES, VALUES[1:])]
    halves = (halves + [-h for h in halves])[:K]
    small = [448.0] + [draw.uniform(-1, 1) * 2 ** -8 for _ in range(K - 1)]
    x = [numbers, halves, small, [0.0] * K] + [
        [f32(draw.gauss(0, 1) * 10 ** draw.uniform(-4, 4)) for _ in range(K)]
        for _ in range(5)]
    x = [[f32(v) for v in row] for row in x]
    n = 3
    codes = [[c for c in range(256) if c & 127 != 127] for _ in range(n)]
    for row in codes[1:]:
        draw.shuffle(row)
    scales = [0.5, 0.25, 2.0]
    y = []
    for row in x:
        scale = f32(max(abs(v) for v in row) / 448) or 1.0
        levels = [value(encode(f32(v / scale))) for v in row]
        y.append([scale * s * sum(value(c) * v for c, v in zip(w, levels))
                  for w, s in zip(codes, scales)])
    write_npy(out + ".x.npy", x)
    write_npy(out + ".y.npy", y)
    hexed = "".join(f"{c:02X}" for row in codes for c in row)
    with open(out + ".mlir", "w") as file:
        file.write(f"""\
func.func @main(%x: tensor<?x{K}xf32>) -> tensor<?x{n}xf32> {{
  %c = quant_llm.parameter ""::"fc.codes" : tensor<{n}x{K}xi8> = dense<"0x{hexed}"> : tensor<{n}x{K}xi8>
  %s = quant_llm.parameter ""::"fc.scales" : tensor<{n}x1xf32> = dense<[[0.5], [0.25], [2.0]]> : tensor<{n}x1xf32>
  %q, %xs = quant_llm.quantize %x scheme(<e4m3, per_token>) : tensor<?x{K}xf32> -> tensor<?x{K}xi8>, tensor<?x1xf32>
  %y = quant_llm.matmul %q, %c, %s x_scales(%xs) scheme(<e4m3, group = -1, scale = f32>) x_scheme(<e4m3, per_token>) name("fc") : (tensor<?x{K}xi8>, tensor<{n}x{K}xi8>, tensor<{n}x1xf32>, tensor<?x1xf32>) -> tensor<?x{n}xf32>
  return %y : tensor<?x{n}xf32>
}}
""")


main()
