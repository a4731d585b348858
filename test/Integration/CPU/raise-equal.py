#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that raising changes no result: every function of each module, with
random inputs, raised and compiled against compiled as it is.

usage: raise-equal.py TOOLS SCRATCH MODULE...

Dynamic dimensions are given size 4. The relative error may be a rounding or two
of the function's narrowest type.
"""
import os
import random
import re
import struct
import subprocess
import sys

LIMIT = {"f32": 1e-6, "f16": 2e-3, "bf16": 1.6e-2, "i1": 1e-6}
FUNCTION = re.compile(r"func\.func @(\w+)\((.*?)\) -> (.*) {")
SIZE = 4


def write_npy(path, shape, element):
    """Random numbers that bf16 and f16 hold; bf16 is given as f32."""
    count = 1
    for size in shape:
        count *= size
    kind, code = {"i1": ("|b1", "?"), "f16": ("<f2", "e")}.get(element, ("<f4", "f"))
    values = [random.randrange(2) if element == "i1" else random.randrange(-64, 65) / 32 for _ in range(count)]
    header = str({"descr": kind, "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.write(struct.pack(f"<{count}{code}", *values))


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def main():
    tools, scratch, *modules = sys.argv[1:]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    os.makedirs(scratch, exist_ok=True)
    random.seed(1)
    bad = count = 0
    for module in modules:
        with open(module) as file:
            functions = FUNCTION.findall(file.read())
        base = os.path.join(scratch, os.path.basename(module))
        status, log = run(qk_opt, "--quant-llm-raise-linear", "--lower-to-cpu", module, "-o", base + ".raised.mlir")
        if status:
            sys.exit(module + ": " + log)
        status, log = run(qk_opt, "--lower-to-cpu", module, "-o", base + ".mlir")
        if status:
            sys.exit(module + ": " + log)
        for name, arguments, _ in functions:
            inputs, narrow = [], "f32"
            for number, type_ in enumerate(re.findall(r"tensor<([^>]*)>", arguments)):
                *shape, element = type_.split("x")
                path = f"{base}.{name}.{number}.npy"
                write_npy(path, [SIZE if s == "?" else int(s) for s in shape], element)
                inputs.append("--input=" + path)
                narrow = max(narrow, element, key=lambda e: LIMIT[e])
            out = f"{base}.{name}.out.safetensors"
            status, log = run(qk_run, base + ".mlir", "--entry=" + name, *inputs, "--output=" + out)
            if not status:
                status, log = run(qk_run, base + ".raised.mlir", "--entry=" + name, *inputs, "--expect=" + out,
                                  "--atol=1e9")
            found = re.search(r"relative error ([-+.\de]+)", log)
            good = not status and found and float(found[1]) <= LIMIT[narrow]
            count += 1
            bad += not good
            print(f"{'ok  ' if good else 'FAIL'} {name} {found[1] if found else log.strip()[-300:]}")
    print(f"{count} functions, {bad} differ")
    sys.exit(bad != 0 or count == 0)


main()
