#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes kernels by qk-kernel for seeded random schemes, links each to check.c,
and runs it.

usage: check-kernels.py QK_KERNEL CHECK_C SCRATCH COUNT [--target=TRIPLE]
                        [--cc=COMMAND] [--run=COMMAND] [--isa=LEVEL]...
"""
import argparse
import os
import random
import shlex
import subprocess
import sys

# The rounding of the result to its type, over the magnitude of the terms.
RESULT = {"f32": 0.0, "f16": 2.0**-11, "bf16": 2.0**-8}


def schemes(count, levels):
    random.seed(7)
    for i in range(count):
        k = random.choice([1, 3, 31, 49, 100, 172, 257, 576, 1000])
        yield dict(
            codes=["u4", "u3", "u2", "u8", "s8"][i % 5],
            k=k,
            group=random.choice([-1, 16, 32, 50, 64, 128, 256, 1024]),
            scale_type=random.choice(["f16", "bf16", "f32"]),
            zeros=random.random() < .5,
            bias=random.random() < .5,
            activations=["int16", "int8", "float"][i // 5 % 3],
            scales=random.choice(["group", "token", "tensor"]),
            quantized=random.random() < .4,
            element=random.choice(["f32", "f32", "f16", "bf16"]),
            isa=levels[i % len(levels)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("qk_kernel")
    parser.add_argument("check")
    parser.add_argument("scratch")
    parser.add_argument("count", type=int)
    parser.add_argument("--target", default="")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--run", default="")
    parser.add_argument("--isa", action="append")
    args = parser.parse_args()
    os.makedirs(args.scratch, exist_ok=True)
    done = 0
    for i, s in enumerate(schemes(args.count, args.isa or ["portable"])):
        if s["activations"] == "float":
            s["quantized"], s["scales"] = False, "group"
        if s["scales"] == "tensor":
            s["quantized"] = True
        whole = s["group"] == -1 or s["group"] >= s["k"]
        if s["scales"] == "group" and whole:
            s["scales"] = "token"
        object_file = os.path.join(args.scratch, f"k{i}.o")
        command = [args.qk_kernel, f"--codes={s['codes']}", f"--k={s['k']}",
                   f"--group={s['group']}", f"--scale-type={s['scale_type']}",
                   f"--activations={s['activations']}",
                   f"--activation-scales={s['scales']}",
                   f"--element={s['element']}", f"--isa={s['isa']}",
                   "--sequential", "--name=kernel", "-o", object_file]
        command += ["--zero-points"] * s["zeros"] + ["--bias"] * s["bias"]
        command += ["--quantized-input"] * s["quantized"]
        command += [f"--target={args.target}"] if args.target else []
        defines = dict(
            HEADER=f'"{os.path.splitext(object_file)[0]}.h"',
            CODE="int8_t" if s["codes"] == "s8" else "uint8_t",
            BITS=s["codes"][1:], SCALE=s["scale_type"], ELEMENT=s["element"])
        if s["zeros"]:
            defines["ZEROS"] = 1
        if s["bias"]:
            defines["BIAS"] = 1
        if s["quantized"]:
            defines["XCODE"] = "int16_t" if s["activations"] == "int16" else "int8_t"
        elif s["activations"] != "float":
            defines["XLIMIT"] = 32639 if s["activations"] == "int16" else 127
        if s["activations"] != "float":
            defines["XSCALES"] = {"tensor": 1, "token": 2, "group": 3}[s["scales"]]
        # Sums in f32: of every product, or of a group's exact integer.
        terms = s["k"] if s["activations"] == "float" else 4 + s["k"] / (
            s["k"] if whole else s["group"])
        defines["TOLERANCE"] = RESULT[s["element"]] + terms * 2.0**-24
        program = os.path.join(args.scratch, f"k{i}")
        compile_it = shlex.split(args.cc) + ["-O1", "-Wall", "-Wextra", "-Werror"]
        compile_it += [f"-D{name}={value}" for name, value in defines.items()]
        compile_it += [args.check, object_file, "-lm", "-o", program]
        for step in (command, compile_it, shlex.split(args.run) + [program]):
            result = subprocess.run(step, capture_output=True, text=True)
            if result.returncode != 0:
                print(f"{s}\nfailed: {shlex.join(step)}\n{result.stdout}{result.stderr}")
                return 1
        print(f"{s['codes']} k={s['k']} group={s['group']} {s['activations']} "
              f"{s['isa']}: {result.stdout.strip()}")
        done += 1
    print(f"{done} kernels linked, run and compared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
