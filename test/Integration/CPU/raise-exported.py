#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Raises every exported module that MLIR 22 reads, by every route, and compares
what is found with expected.json. Modules of linalg and TOSA ops it then lowers, by
the reference, by --lower-to-cpu=arithmetic=plain and by --lower-to-cpu, runs, and
compares the results with the framework's, for both inputs where a dimension is
dynamic.

usage: raise-exported.py TOOLS FOLDER SCRATCH [--only=SUBSTRING]

Found must be exactly the layers expected: number, N, K and bias of each, and
nothing else. (A head with a weight of its own is a linear layer as long as no
checkpoint names it.) The result may differ by what the stock compiler's does: its
figures in expected.json, literally, for the reference and for plain arithmetic,
which is that of the stock compiler's loops. By default --lower-to-cpu sums in
another order: by SLACK times those, and one rounding of the result's type.
Where there is no stock figure it may differ by LIMIT. Modules with ops of other
compilers are raised and not run. Weights that are arguments (JAX) are named by a
map: JAX sorts them as the file does.
"""
import json
import os
import re
import subprocess
import sys

# Dialects that are not linked: only their generic form reads.
UNLINKED = ("stablehlo", "torch", "iree", "onnx-torch", "jax")
# Of a case whose stock run is missing: 1.5 times the largest of the others', and one
# rounding of the result's type.
LIMIT = {"f32": 1.8e-6, "f16": 2e-3, "bf16": 1e-2}
SLACK = 1.5
FLOOR = {"f32": 3e-7, "f16": 1e-3, "bf16": 8e-3}
# Ways to run a module, and whether the figures hold literally.
LOWERINGS = {"--quant-llm-to-reference": True, "--lower-to-cpu=arithmetic=plain": True, "--lower-to-cpu": False}
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


def belongs(name, case):
    if case["route"] in UNLINKED and ".generic" not in name and "shlo-linalg" not in name:
        return False
    return case["mlir_opt_22"].startswith("reads")


def write_argument_map(path, weights):
    """The arguments are the file's tensors in order; returns the option."""
    with open(weights, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        names = sorted(k for k in json.loads(file.read(size)) if k != "__metadata__")
    with open(path, "w") as file:
        json.dump({f"arg{i}": name for i, name in enumerate(names)}, file)
    return "--weight-names=" + path


def runs(name, case):
    """Whether all of the module can be compiled: no ops of other compilers."""
    with open(os.path.join(FOLDER, name)) as file:
        text = file.read()
    return case["outputs"] and not re.search(r'"(tm_tensor|util|hal|stablehlo|torch)\.', text)


def check_result(qk_opt, qk_run, scratch, weights, name, case, lowering):
    """Of one of LOWERINGS."""
    lowered = os.path.join(scratch, name)
    result = run(qk_opt, *weights, "--quant-llm-raise-linear",
                 lowering, os.path.join(FOLDER, name), "-o", lowered)
    if result.returncode:
        return "lowering failed: " + result.stderr.strip()[-300:]
    kind = next((k for k in ("bf16", "f16") if "-" + k in name), "f32")
    problem = ""
    for suffix in ("", ".alt"):
        files = [f.replace(case["case"], case["case"] + suffix) for f in case["inputs"] + case["outputs"]]
        files = [os.path.join(FOLDER, f) for f in files]
        if suffix and not os.path.exists(files[0]):
            continue
        # The stock compiler was run on the first input.
        stock = {} if suffix else case.get("stock_run") or {}
        absolute, relative = stock.get("max abs", 1e9), stock.get("rel", LIMIT[kind])
        if not LOWERINGS[lowering]:
            absolute, relative = 1e9, SLACK * relative + FLOOR[kind]
        result = run(qk_run, lowered, "--expect=" + files[-1], "--rtol=0", "--atol=" + repr(absolute),
                     *["--input=" + f for f in files[:-1]])
        found = re.search(r"largest difference ([-+.\de]+).* relative error ([-+.\de]+)", result.stdout)
        if not found:
            return "running failed: " + result.stderr.strip()[-300:]
        # Figures are printed with three digits.
        if result.returncode or not float(found[2]) <= 1.005 * relative:
            problem += (f"{lowering}: expected a largest difference of at most {absolute:.3g} and a relative error of at most "
                        f"{relative:.3g}, got {found[1]} and {found[2]} ")
    return problem


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


def main():
    global FOLDER
    only = next((a[7:] for a in sys.argv[1:] if a.startswith("--only=")), "")
    tools, FOLDER, scratch = [a for a in sys.argv[1:] if not a.startswith("--")]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(FOLDER, "expected.json")) as file:
        cases = json.load(file)
    bad = raised = ran = 0
    for name, case in sorted(cases.items()):
        if not belongs(name, case) or only not in name:
            continue
        weights = case["weights"]
        path = os.path.join(FOLDER, weights) if weights else None
        if path and not os.path.exists(path):
            path = os.path.join(scratch, name + ".safetensors")
            write_zeros(path, os.path.join(FOLDER, case["names"]))
        options = ["--weights=" + path] if path else []
        options.append("--allow-unregistered-dialect")
        if ".jax-args" in name:
            options.append(write_argument_map(os.path.join(scratch, name + ".json"), path))
        result = run(qk_opt, *options, "--quant-llm-raise-linear", os.path.join(FOLDER, name))
        raised += 1
        problem = result.stderr.strip()[-300:] if result.returncode else check_found(result.stdout, case)
        if not problem and (not path or path.startswith(FOLDER)) and runs(name, case):
            ran += 1
            for lowering in LOWERINGS:
                problem += check_result(qk_opt, qk_run, scratch, options, name, case, lowering)
        bad += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name} {problem}", flush=True)
    print(f"{raised} raised, {ran} run, {bad} failed")
    sys.exit(bad != 0 or (not only and ran < 45))


main()
