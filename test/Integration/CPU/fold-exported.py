#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scales the inputs of all layers of every exported module that runs, by every
route, leaves the layers float, folds, and compares the result with the module's
own.

usage: fold-exported.py TOOLS FOLDER SCRATCH [--only=SUBSTRING] [--method=FLAG]

The samples to calibrate on are the case's inputs. In f32 both results agree to
1e-5 of the largest (only the order of roundings differs), in narrower types to
what rounding scaled weights costs. Prints how many scales stay ops that run.
"""
import json
import os
import re
import subprocess
import sys

LIMIT = {"f32": 1e-5, "f16": 5e-3, "bf16": 4e-2}
TYPES = {"<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "|b1": "BOOL"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def read_npy(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[8:10], "little") if data[6] == 1 else int.from_bytes(data[8:12], "little")
    begin = (10 if data[6] == 1 else 12)
    header = eval(data[begin:begin + size].decode(), {"__builtins__": {}}, {"False": False, "True": True})
    return TYPES[header["descr"]], list(header["shape"]), data[begin + size:]


def write_samples(path, inputs, bf16):
    """One sample: each argument with a leading dimension of 1."""
    header, blobs, end = {}, [], 0
    for i, name in enumerate(inputs):
        kind, shape, data = read_npy(name)
        # .npy has no bf16: such values are kept as f32.
        if bf16 and kind == "F32":
            kind, data = "BF16", b"".join(data[b + 2:b + 4] for b in range(0, len(data), 4))
        header[f"arg{i}"] = {"dtype": kind, "shape": [1] + shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
        blobs.append(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def check(tools, folder, scratch, name, case, method):
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    weights = ["--weights=" + os.path.join(folder, case["weights"])] if case["weights"] else []
    inputs = [os.path.join(folder, i) for i in case["inputs"]]
    module = os.path.join(folder, name)
    samples = os.path.join(scratch, "samples.safetensors")
    scaled, plain = os.path.join(scratch, "scaled.mlir"), os.path.join(scratch, "plain.safetensors")
    kind = next((k for k in ("bf16", "f16") if "-" + k in name), "f32")
    write_samples(samples, inputs, kind == "bf16")
    arguments = ["--input=" + i for i in inputs]
    result = run(qk_run, module, *weights, *arguments, "--output=" + plain)
    if result.returncode:
        return None, "the module does not run: " + result.stderr.strip()[-200:]
    made = run(qk_opt, *weights, "--calibrate=inputs=" + samples,
               method, module, "-o", scaled)
    if made.returncode:
        return None, "scaling failed: " + made.stderr.strip()[-300:]
    stays = made.stderr.count("stays an op that runs")
    result = run(qk_run, scaled, *arguments, "--expect=" + plain, "--atol=1e9")
    found = re.search(r"largest difference ([-+.\de]+).* relative error ([-+.\de]+)", result.stdout)
    if result.returncode or not found:
        return stays, "running failed: " + result.stderr.strip()[-300:]
    if not float(found[2]) <= LIMIT[kind]:
        return stays, f"expected a relative error of at most {LIMIT[kind]:.2g}, got {found[2]}"
    return stays, ""


def runs(folder, name, case):
    """Whether all of the module can be compiled: MLIR 22 reads it, no ops of other
    compilers, weights and outputs are there."""
    weights = case["weights"]
    if not case["outputs"] or not case["mlir_opt_22"].startswith("reads"):
        return False
    if weights and not os.path.exists(os.path.join(folder, weights)):
        return False
    # Modules with inline weights are others' twins; JAX's arguments are a map's.
    if ".ext." not in name and case["route"] in ("linalg", "tosa") or "jax-args" in name:
        return False
    with open(os.path.join(folder, name)) as file:
        return not re.search(r'"(tm_tensor|util|hal|stablehlo|torch)\.', file.read())


def main():
    options = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--"))
    tools, folder, scratch = [a for a in sys.argv[1:] if not a.startswith("--")]
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        cases = json.load(file)
    method = "--" + options.get("method", "smoothquant=round=false alpha=0.5 layers=all")
    bad = ran = left = 0
    for name, case in sorted(cases.items()):
        if not case["linears"] or not runs(folder, name, case) or options.get("only", "") not in name:
            continue
        stays, problem = check(tools, folder, scratch, name, case, method)
        ran += 1
        left += stays or 0
        bad += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name} stays: {stays} {problem}", flush=True)
    print(f"{ran} folded, {left} stay, {bad} failed")
    sys.exit(bad != 0 or not ran)


if __name__ == "__main__":
    main()
