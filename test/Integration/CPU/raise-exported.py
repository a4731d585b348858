#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Raises every exported module and compares what is found with expected.json;
then lowers those of linalg by the reference, runs them, and compares the result
with the framework's.

usage: raise-exported.py TOOLS FOLDER SCRATCH

Found must be exactly the layers expected: number, N, K and bias of each, and
nothing else. (A head with a weight of its own is a linear layer as long as no
checkpoint names it.) The result may differ by SLACK times what the stock
compiler's does, plus one rounding of the result's type.
"""
import json
import os
import re
import subprocess
import sys

SLACK = 1.5
FLOOR = {"f32": 3e-7, "f16": 1e-3, "bf16": 8e-3}
LINEAR = re.compile(
    r"quant_llm\.linear .* : \(tensor<[^>]*>, tensor<(\d+)x(\d+)x\w+>(, tensor<[^>]*>)?\)")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def expected_layers(case):
    layers = [(l["n"], l["k"], l["bias"]) for l in case["layers"] or []]
    head = case["lm_head"]
    if head and not head.get("tied"):
        layers.append((head["n"], head["k"], head["bias"]))
    return layers


def check_found(text, case):
    found = [(int(m[1]), int(m[2]), m[3] is not None) for m in map(LINEAR.search, text.splitlines()) if m]
    wanted = expected_layers(case)
    count = case["linears"] + len(wanted) - len(case["layers"] or [])
    if len(found) != count:
        return f"expected {count} linear layers, got {len(found)}"
    # A weight used twice is listed once, and one case lists none.
    if case["layers"] and set(found) != set(wanted):
        return f"expected layers (N, K, bias) {sorted(set(wanted))}, got {sorted(set(found))}"
    if len(found) == len(wanted) and sorted(found) != sorted(wanted):
        return f"expected {sorted(wanted)}, got {sorted(found)}"
    return ""


def check_result(qk_opt, qk_run, folder, scratch, weights, name, case):
    reference = os.path.join(scratch, name)
    lowered = run(qk_opt, *weights, "--quant-llm-raise-linear", "--quant-llm-to-reference",
                  os.path.join(folder, name), "-o", reference)
    if lowered.returncode:
        return "lowering failed: " + lowered.stderr.strip()[-300:]
    result = run(qk_run, reference, "--expect=" + os.path.join(folder, case["outputs"][0]), "--atol=1e9",
                 *["--input=" + os.path.join(folder, i) for i in case["inputs"]])
    found = re.search(r"largest difference ([-+.\de]+).* relative error ([-+.\de]+)", result.stdout)
    if result.returncode or not found:
        return "running failed: " + result.stderr.strip()[-300:]
    kind = next((k for k in ("bf16", "f16") if "-" + k in name), "f32")
    limit = SLACK * case["stock_run"]["rel"] + FLOOR[kind]
    if not float(found[2]) <= limit:
        return f"expected a relative error of at most {limit:.2g}, got {found[2]}"
    return ""


def write_zeros(path, names_file):
    """A safetensors file of the right names, types and shapes, all zeros and
    sparse: raising reads headers only."""
    widths = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
    header, end = {}, 0
    with open(names_file) as file:
        for handle, entry in json.load(file).items():
            size = widths[entry["dtype"]]
            for extent in entry["shape"]:
                size *= extent
            header[handle] = {"dtype": entry["dtype"], "shape": entry["shape"], "data_offsets": [end, end + size]}
            end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


# Dialects that are not linked: only their generic form reads.
UNLINKED = ("stablehlo", "torch", "iree", "onnx-torch", "jax")


def is_covered(name, case):
    if case["route"] in UNLINKED:
        return ".generic" in name and ".jax-args" not in name
    return case["route"] == "linalg"


def main():
    tools, folder, scratch = sys.argv[1:]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        cases = json.load(file)
    bad = raised = ran = 0
    for name, case in sorted(cases.items()):
        if not is_covered(name, case) or not case["mlir_opt_22"].startswith("reads"):
            continue
        weights = case["weights"]
        path = os.path.join(folder, weights) if weights else None
        if path and not os.path.exists(path):
            path = os.path.join(scratch, name + ".safetensors")
            write_zeros(path, os.path.join(folder, case["names"]))
        options = ["--weights=" + path] if path else []
        options.append("--allow-unregistered-dialect")
        result = run(qk_opt, *options, "--quant-llm-raise-linear", os.path.join(folder, name))
        raised += 1
        problem = result.stderr.strip()[-300:] if result.returncode else check_found(result.stdout, case)
        if not problem and case.get("stock_run") and (not path or path.startswith(folder)):
            ran += 1
            problem = check_result(qk_opt, qk_run, folder, scratch, options, name, case)
        bad += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name} {problem}")
    print(f"{raised} raised, {ran} run, {bad} failed")
    sys.exit(bad != 0 or ran < 20)


main()
