#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Binds exported modules to a checkpoint that has the model's own names, and
compares the names of the layers that are raised with those of the model.

usage: exported-names.py TOOLS FOLDER SCRATCH [PATTERN]

Two ways: `bytes` puts the weights into the module as resources, and qk finds
each in the checkpoint; `map` leaves the module without data and says by the
case's names.json which tensor each handle is. What is bound by bytes and has inputs is
run too, and must compute what the framework does.
"""
import fnmatch
import json
import os
import re
import subprocess
import sys

LINEAR = re.compile(r"quant_llm\.linear .*name\(\"([^\"]*)\"\).* : "
                    r"\([^<]*tensor<[^>]*>, tensor<(\d+)x(\d+)x\w+>")
WIDTH = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "BOOL": 1, "F64": 8}


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]])
            for name, entry in header.items()}


def write(path, tensors):
    header, end = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + len(data)]}
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, data in tensors.values():
            file.write(data)


def transposed(data, rows, columns, width):
    return b"".join(data[(r * columns + c) * width:(r * columns + c + 1) * width]
                    for c in range(columns) for r in range(rows))


def checkpoint(handles, names):
    """The tensors under their own names, as the model stores them."""
    tensors = {}
    for handle, entry in names.items():
        name = entry["parameter"]
        if name is None or name in tensors or handle not in handles:
            continue
        dtype, shape, data = handles[handle]
        shape = [size for size in shape if size != 1] or shape
        if entry["stored"] == "transposed":
            data = transposed(data, *shape, WIDTH[dtype])
            shape = shape[::-1]
        tensors[name] = (dtype, shape, data)
    return dict(sorted(tensors.items()))


def with_data(text, handles):
    """The module with its resources' data."""
    used = [h for h in handles if re.search(r"dense_resource<\"?%s\"?>" % re.escape(h), text)]
    entries = []
    for handle in used:
        key = handle if re.fullmatch(r"[A-Za-z_][\w$.]*", handle) else json.dumps(handle)
        entries.append('%s: "0x%s%s"' % (key, (64).to_bytes(4, "little").hex(), handles[handle][2].hex()))
    return text + "\n{-#\n dialect_resources: { builtin: {\n" + ",\n".join(entries) + "\n} }\n#-}\n"


def check(result, case, tensors):
    if result.returncode:
        return result.stderr.strip()[-300:]
    found = {m[1]: (int(m[2]), int(m[3])) for m in map(LINEAR.search, result.stdout.splitlines()) if m}
    if not found:
        return "no layer was raised"
    for layer, shape in found.items():
        weight = tensors.get(layer + ".weight") or tensors.get(layer)
        if weight is None:
            return f"no parameter is called '{layer}.weight'"
        if tuple(weight[1]) != shape and tuple(weight[1]) != shape[::-1]:
            return f"'{layer}' is {shape}, its weight {weight[1]}"
    # expected.json has the names that the exporter's wrapper gave: their last
    # component is the model's.
    wanted = sorted((layer["name"].split(".")[-1], layer["n"], layer["k"]) for layer in case["layers"] or [])
    layers = sorted((layer.split(".")[-1], *shape) for layer, shape in found.items())
    if wanted and case["lm_head"] is None and len(wanted) != len(layers):
        return f"expected {wanted}, got {layers}"
    if not case["name"].startswith("forms") and not {w for w in wanted} <= {l for l in layers}:
        return f"expected {wanted}, got {layers}"
    return ""


def check_run(qk_run, module, folder, case, name):
    result = subprocess.run(
        [qk_run, module, "--expect=" + os.path.join(folder, case["outputs"][0]), "--atol=1e9",
         *["--input=" + os.path.join(folder, i) for i in case["inputs"]]], capture_output=True, text=True)
    found = re.search(r"relative error ([-+.\de]+)", result.stdout)
    if result.returncode or not found:
        return "running failed: " + result.stderr.strip()[-300:]
    kind = next((k for k in ("bf16", "f16") if "-" + k in name), "f32")
    limit = 1.5 * case["stock_run"]["rel"] + {"f32": 3e-7, "f16": 1e-3, "bf16": 8e-3}[kind]
    return "" if float(found[1]) <= limit else f"expected a relative error of at most {limit:.2g}, got {found[1]}"


def main():
    tools, folder, scratch, *pattern = sys.argv[1:]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        cases = json.load(file)
    counts = {"bytes": 0, "map": 0, "run": 0}
    bad = 0
    for name, case in sorted(cases.items()):
        weights = case["weights"] and os.path.join(folder, case["weights"])
        if not case["mlir_opt_22"].startswith("reads") or not case["names"]:
            continue
        if not weights or not os.path.exists(weights) or not fnmatch.fnmatch(name, pattern[0] if pattern else "*"):
            continue
        case["name"] = name
        with open(os.path.join(folder, case["names"])) as file:
            names = json.load(file)
        handles = read(weights)
        tensors = checkpoint(handles, names)
        path = os.path.join(scratch, "checkpoint.safetensors")
        write(path, tensors)
        with open(os.path.join(folder, name)) as file:
            text = file.read()
        ways = ["map"] if "dense_resource" not in text else ["bytes", "map"]
        for way in ways:
            module = os.path.join(scratch, "module.mlir")
            with open(module, "w") as file:
                file.write(with_data(text, handles) if way == "bytes" else text)
            options = ["--weights=" + path, "--allow-unregistered-dialect", "--quant-llm-raise-linear=only=*"]
            if way == "map":
                # What is no parameter of the model has no data anywhere.
                write(path, tensors | {h: t for h, t in handles.items() if names.get(h, {}).get("parameter") is None})
                options.append("--weight-names=" + os.path.join(folder, case["names"]))
            result = subprocess.run([qk_opt, *options, module], capture_output=True, text=True)
            problem = check(result, case, tensors)
            if not problem and way == "bytes" and case.get("stock_run"):
                bound = os.path.join(scratch, "bound.mlir")
                with open(bound, "w") as file:
                    file.write(result.stdout)
                problem = check_run(qk_run, bound, folder, case, name)
                counts["run"] += 1
            counts[way] += 1
            bad += bool(problem)
            print(f"{'FAIL' if problem else 'ok  '} {way:5} {name} {problem}")
    print(f"{counts['bytes']} by bytes, {counts['map']} by map, {counts['run']} run, {bad} failed")
    sys.exit(bad != 0)


main()
