#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a module of quantised matmuls of every code type on one x of odd shape,
and x as .npy: make_matmuls.py SEED f32|f16 OUT_PREFIX. Needs nothing but Python.
"""
import random
import struct
import sys

BITS = {"u2": 2, "u3": 3, "u4": 4, "u8": 8, "s8": 8}


def hexed(data):
    return 'dense<"0x' + data.hex().upper() + '">'


def floats(values, kind):
    return struct.pack("<%d%s" % (len(values), "e" if kind == "f16" else "f"), *values)


def packed_codes(rows, bits):
    out = bytearray()
    for row in rows:
        word = 0
        for i, code in enumerate(row):
            word |= code << (bits * i)
        out += word.to_bytes((len(row) * bits + 7) // 8, "little")
    return bytes(out)


def main():
    seed, element, prefix = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    r = random.Random(seed)
    k = r.choice([31, 52, 86])
    batch, tokens = r.choice([1, 2, 3]), r.choice([1, 3, 7])
    body, results, types = [], [], []
    x_type = "tensor<%dx?x%dx%s>" % (batch, k, element)
    layers = [(c, z, p, b) for c, z, p, b in [
        ("u4", 0, 0, 0), ("u4", 1, 1, 1), ("u3", 1, 0, 1), ("u2", 0, 1, 0),
        ("u8", 1, 0, 0), ("s8", 0, 0, 1), ("s8", 1, 1, 0)]]
    for i, (code, zeros, permuted, bias) in enumerate(layers):
        n = r.choice([1, 5, 33, 65, 70])
        group = r.choice([8, 16, 32, -1, 7])
        scale = r.choice(["f16", "f32"])
        length = k if group < 0 or group > k else group
        g = (k + length - 1) // length
        bits = BITS[code]
        name = "l%d" % i

        def parameter(what, tensor, stored, data):
            body.append('  %%%s_%s = quant_llm.parameter ""::"%s.%s" : tensor<%s> = %s : tensor<%s>'
                        % (name, what, name, what, tensor, hexed(data), stored))
            return "tensor<%s>" % tensor

        rows = [[r.randrange(1 << bits) for _ in range(k)] for _ in range(n)]
        operands, kinds, optional = ["%x", "%%%s_codes" % name, "%%%s_scales" % name], [x_type], ""
        kinds.append(parameter("codes", "%dx%dxi%d" % (n, k, bits),
                               "%dx%dxi8" % (n, (k * bits + 7) // 8), packed_codes(rows, bits)))
        kinds.append(parameter("scales", "%dx%dx%s" % (n, g, scale), "%dx%dx%s" % (n, g, scale),
                               floats([r.choice([0, 1, 3, 5, 7]) / 64 for _ in range(n * g)], scale)))
        if zeros:
            wide = code == "u8"
            low, high = (-128, 127) if code == "s8" else (0, (1 << bits) - 1)
            values = [r.randint(low, high) for _ in range(n * g)]
            tensor = "%dx%dxi%d" % (n, g, 16 if wide else 8)
            kinds.append(parameter("zeros", tensor, tensor,
                                   struct.pack("<%d%s" % (n * g, "h" if wide else "b"), *values)))
            optional += " zero_points(%%%s_zeros)" % name
        if permuted:
            order = list(range(k))
            r.shuffle(order)
            kinds.append(parameter("order", "%dxi32" % k, "%dxi32" % k, struct.pack("<%di" % k, *order)))
            optional += " permutation(%%%s_order)" % name
        if bias:
            tensor = "%dx%s" % (n, element)
            kinds.append(parameter("bias", tensor, tensor,
                                   floats([r.uniform(-1, 1) for _ in range(n)], element)))
            optional += " bias(%%%s_bias)" % name
        y_type = "tensor<%dx?x%dx%s>" % (batch, n, element)
        body.append('  %%%s = quant_llm.matmul %s%s scheme(<%s, group = %d, scale = %s>) name("%s") : (%s) -> %s'
                    % (name, ", ".join(operands), optional, code, group, scale, name, ", ".join(kinds), y_type))
        results.append("%" + name)
        types.append(y_type)
    with open(prefix + ".mlir", "w") as f:
        f.write("func.func @main(%%x: %s) -> (%s) {\n%s\n  return %s : %s\n}\n"
                % (x_type, ", ".join(types), "\n".join(body), ", ".join(results), ", ".join(types)))
    count = batch * tokens * k
    header = "{'descr': '<f%d', 'fortran_order': False, 'shape': (%d, %d, %d), }" % (
        2 if element == "f16" else 4, batch, tokens, k)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(prefix + ".npy", "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        f.write(floats([r.uniform(-2, 2) for _ in range(count)], element))


main()
