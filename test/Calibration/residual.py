# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Says how far `down` of residual.test lies from what it should be rounded from
(4 channels, one group of 4 a row, 48 tokens)."""
import json
import struct
import sys

FORMATS = {"F32": ("f", 4), "F16": ("e", 2), "U8": ("B", 1), "I8": ("b", 1), "I16": ("h", 2)}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        code, width = FORMATS[entry["dtype"]]
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        flat = struct.unpack("<%d%s" % ((end - begin) // width, code), data[begin:end])
        columns = entry["shape"][-1]
        tensors[name] = [list(flat[i:i + columns]) for i in range(0, len(flat), columns)]
    return tensors


def dequantized(tensors, layer, bits):
    rows = zip(tensors[layer + ".codes"], tensors[layer + ".scales"], tensors[layer + ".zero_points"])
    return [[s * ((int.from_bytes(bytes(packed), "little") >> bits * j & (1 << bits) - 1) - z) for j in range(4)]
            for packed, (s,), (z,) in rows]


def transpose(a):
    return [list(column) for column in zip(*a)]


def product(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def combine(a, b, scale=1):
    return [[x + scale * y for x, y in zip(p, q)] for p, q in zip(a, b)]


def inverse(a):
    rows = [row + [float(i == j) for j in range(4)] for i, row in enumerate(a)]
    for i in range(4):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for j in range(4):
            if j != i:
                rows[j] = [v - rows[j][i] * w for v, w in zip(rows[j], rows[i])]
    return [row[4:] for row in rows]


def relu(a):
    return [[max(v, 0) for v in row] for row in a]


weights, samples, quantized = map(read, sys.argv[1:])
x, up, down = samples["arg0"], weights["up.weight"], weights["down.weight"]
stream = combine(x, product(x, transpose(up)))
now = combine(x, product(x, transpose(dequantized(quantized, "up", 2))))
exact = relu(product(relu(stream), transpose(weights["gate.weight"])))
seen = relu(product(relu(now), transpose(dequantized(quantized, "gate", 8))))
hessian = product(transpose(seen), seen)
moved = product(down, combine(product(transpose(exact), seen), hessian, -1))
lacking = product(transpose(combine(stream, now, -1)), seen)
damping = .01 * sum(hessian[i][i] for i in range(4)) / 4
solve = inverse([[v + damping * (i == j) for j, v in enumerate(row)] for i, row in enumerate(hessian)])
got = dequantized(quantized, "down", 8)
steps = quantized["down.scales"]
far = [max(abs(v / s) for row, (s,) in zip(combine(combine(got, down, -1), product(move, solve), -1), steps)
           for v in row)
       for move in (combine(moved, lacking), moved, [[0] * 4] * 4)]
# Rounding one column moves the later ones, by a few steps at the most.
print("down: %.2f steps from the moved weight, %.2f from one moved without the stream, %.2f from its own: %s"
      % (*far, "as it should be" if far[0] < 3 < 6 < min(far[1:]) else "wrong"))
