#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises every exported module that runs block by block, by every route, and
once more from statistics of the quantised model itself: the codes must agree.

usage: sequential-exported.py TOOLS FOLDER SCRATCH [--only=SUBSTRING]

A layer that is rounded before all others, as its weight is used in several
places, has the float model's statistics: the others' codes are compared, and the
layer is named. In f32 they agree bit by bit; what f16 and bf16 activations round to depends on
how code was fused, so there 2 bytes of 1000 may differ.
"""
import importlib.util
import json
import os
import re
import sys

spec = importlib.util.spec_from_file_location(
    "fold_exported", os.path.join(os.path.dirname(os.path.abspath(__file__)), "fold-exported.py"))
fold = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fold)

METHOD = "--gptq=effort=fast bits=3 group-size=32 first-token-weight=1 fallback=rtn output-weights="


def tensors(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]
            for name, entry in header.items()}


def check(tools, folder, scratch, name, case):
    qk_opt = os.path.join(tools, "qk-opt")
    samples, first, truth, second, module = (
        os.path.join(scratch, f) for f in
        ("samples.safetensors", "first.safetensors", "truth.safetensors", "second.safetensors", "first.mlir"))
    weights = ["--weights=" + os.path.join(folder, case["weights"])] if case["weights"] else []
    kind = next((k for k in ("bf16", "f16") if "-" + k in name), "f32")
    fold.write_samples(samples, [os.path.join(folder, i) for i in case["inputs"]], kind == "bf16")
    path = os.path.join(folder, name)
    steps, early = "?", None
    for command in ([*weights, f"--calibrate=inputs={samples} sequential profile", METHOD + first, path, "-o", module],
                    [f"--calibrate=inputs={samples}", f"--quant-llm-write-statistics=output={truth}", module,
                     "-o", os.devnull],
                    [*weights, f"--calibrate=stats={truth}", METHOD + second, path, "-o", os.devnull]):
        result = fold.run(qk_opt, *command)
        if result.returncode:
            error = re.search(r"error: (.*)", result.stderr)
            return steps, error[1] if error else result.stderr[-200:]
        found = re.search(r"(\d+ steps, \d+ segments)", result.stderr)
        steps = found[1] if found else steps
        early = early or re.search(r"1 of \d+ layers are calibrated on the float model.*layer '([^']*)'",
                                   result.stderr)
    a, b = tensors(first), tensors(second)
    if early:
        steps += f", '{early[1]}' first"
        a, b = ({key: value for key, value in t.items() if not key.startswith(early[1] + ".")} for t in (a, b))
    if a.keys() != b.keys():
        return steps, f"tensors differ: {sorted(a.keys() ^ b.keys())}"
    size = sum(map(len, a.values()))
    different = sum(x != y for key in a for x, y in zip(a[key], b[key]))
    if different > (0 if kind == "f32" else size // 500):
        return steps, f"{different} of {size} bytes differ"
    return steps, ""


def main():
    options = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--"))
    tools, folder, scratch = [a for a in sys.argv[1:] if not a.startswith("--")]
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        cases = json.load(file)
    ran = bad = 0
    for name, case in sorted(cases.items()):
        if not case["linears"] or not fold.runs(folder, name, case) or options.get("only", "") not in name:
            continue
        steps, problem = check(tools, folder, scratch, name, case)
        ran += 1
        bad += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name} {steps} {problem}", flush=True)
    print(f"{ran} quantised, {bad} failed")
    sys.exit(not ran)


if __name__ == "__main__":
    main()
