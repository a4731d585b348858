# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exported modules and what expected.json says of them: what the scripts that go
through all of them share."""
import json
import os
import re
import subprocess

# Dialects that are not linked: only their generic form reads.
UNLINKED = ("stablehlo", "torch", "iree", "onnx-torch", "jax")
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


def runs(folder, name, case):
    """Whether all of the module can be compiled: no ops of other compilers."""
    with open(os.path.join(folder, name)) as file:
        text = file.read()
    return bool(case["outputs"]) and not re.search(r'"(tm_tensor|util|hal|stablehlo|torch)\.', text)


def element_type(name):
    return next((k for k in ("bf16", "f16") if "-" + k in name), "f32")


def samples(folder, case):
    """For each input of the case: suffix, the files of the arguments, the output's."""
    for suffix in ("", ".alt"):
        files = [f.replace(case["case"], case["case"] + suffix) for f in case["inputs"] + case["outputs"]]
        files = [os.path.join(folder, f) for f in files]
        if not suffix or os.path.exists(files[0]):
            yield suffix, files[:-1], files[-1]


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


def cases(folder, scratch, only):
    """All that MLIR 22 reads, in order: name, case, whether its weights are real, and
    the options of qk-opt that bind them."""
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        everything = json.load(file)
    for name, case in sorted(everything.items()):
        if not belongs(name, case) or only not in name:
            continue
        path = os.path.join(folder, case["weights"]) if case["weights"] else None
        real = not path or os.path.exists(path)
        if not real:
            path = os.path.join(scratch, name + ".safetensors")
            write_zeros(path, os.path.join(folder, case["names"]))
        options = ["--weights=" + path] if path else []
        options.append("--allow-unregistered-dialect")
        if ".jax-args" in name:
            options.append(write_argument_map(os.path.join(scratch, name + ".json"), path))
        yield name, case, real, options
