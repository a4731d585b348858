# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises the module of pack.py, has qk-translate write it in each format, and
compares every tensor, byte for byte, with what pack.py's packers make of the
codes that the module has. Then the folder is read back: same codes, scales,
zero points and order. written.py FOLDER BIN"""
import json
import os
import shutil
import subprocess
import sys

import numpy as np

import pack
import qk
from qk.files import read, read_checkpoint, write

folder, tools = sys.argv[1], sys.argv[2]
LAYERS = ("model.up", "model.down")
rng = np.random.default_rng(3)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, (command, done.stderr)


def arrays(where):
    return {name: np.array(read(entry)) for name, entry in read_checkpoint(where).items()}


def as_bf16(array):
    return (array.view(np.uint32) >> 16).astype(np.uint16)


# The float model as a folder of Hugging Face's.
source = {}
for layer in LAYERS:
    source[layer + ".weight"] = rng.normal(size=(pack.N, pack.K)).astype(np.float32)
    source[layer + ".bias"] = rng.normal(size=pack.N).astype(np.float32)
source["model.embed.weight"] = np.arange(15, dtype=np.float16).reshape(5, 3)
os.makedirs(folder + "/float")
write(folder + "/float/model.safetensors", source)
with open(folder + "/float/config.json", "w") as stream:
    json.dump({"model_type": "test", "torch_dtype": "float16"}, stream)
with open(folder + "/float/tokenizer.json", "w") as stream:
    stream.write("{}")
write(folder + "/calibration.safetensors",
      {"arg0": (rng.normal(size=(40, 3, pack.K)) * rng.uniform(.1, 4, pack.K)).astype(np.float32)})


def expected(form, layer):
    """What pack.py packs for a layer."""
    bits = layer.bits
    n, k = layer.codes.shape
    groups = layer.scales.shape[1]
    length = k if layer.group_size < 0 else min(layer.group_size, k)
    index = np.arange(k) // length
    # Symmetric bytes are signed in qk; only int-quantized has them so.
    shift = 128 if layer.codes.dtype == np.int8 and form != "int-quantized" else 0
    codes = (layer.codes.astype(int) + shift).astype(np.uint8 if shift else layer.codes.dtype)
    if layer.permutation is not None:
        index = np.empty(k, int)
        stored, codes = codes, np.empty_like(codes)
        index[layer.permutation] = np.arange(k) // length
        codes[:, layer.permutation] = stored
    zeros = layer.zero_points.astype(int) + shift
    if form.startswith("gptq"):
        tensors = pack.gptq(0 if form == "gptq_v2" else 1)(codes, layer.scales, zeros, index, bits)
        tensors["g_idx"] = index.astype(np.int32)
    elif form == "awq":
        tensors = pack.gemm(codes, layer.scales, zeros, index, bits)
    elif form == "float-quantized":
        tensors = pack.float8(codes, layer.scales, zeros, index, bits)
    elif form == "int-quantized":
        tensors = pack.int8(codes.view(np.int8), layer.scales, zeros, index, bits)
    else:
        tensors = pack.packed(pack.words)(codes, layer.scales, zeros, index, bits)
    assert zeros.shape == (n, groups)
    return tensors


def case(form, method, options, scale=np.float16, stored=None, activations=None, order=False,
         skip=()):
    """Writes and compares; `stored`: what compressed-tensors chooses."""
    name = f"{form} {method} {options}"
    stored = stored or form
    for where in ("q.mlir", "q.safetensors", "out"):
        path = folder + "/" + where
        shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)
    inline = len(options) % 2  # Both ways to keep results, by turns.
    run(tools + "/qk-opt", "--weights=float", "--calibrate=inputs=calibration.safetensors",
        f"--{method}={options}" + ("" if inline else " output-weights=q.safetensors"),
        "model.mlir", "-o", "q.mlir")
    run(tools + "/qk-translate", f"--to={form}", "q.mlir", "-o", "out")
    layers = qk.Module(open(folder + "/q.mlir").read(), name=folder + "/q.mlir").layers
    assert sorted(layers) == sorted(set(LAYERS) - set(skip)), name
    written = arrays(folder + "/out")
    config = json.load(open(folder + "/out/config.json"))["quantization_config"]
    for key, layer in layers.items():
        for suffix, value in expected(stored, layer).items():
            got = written.pop(f"{key}.{suffix}")
            if isinstance(value, tuple):
                value = value[0]
            if suffix in ("scales", "weight_scale"):
                value = as_bf16(value) if scale == "bf16" else value.astype(scale)
            assert got.dtype == value.dtype and got.shape == value.shape, (name, suffix, got.dtype, got.shape)
            assert got.tobytes() == np.ascontiguousarray(value).tobytes(), (name, suffix)
        if activations == "static":
            assert written.pop(key + ".input_scale").shape == (1,), name
        assert (layer.permutation is not None) == order, name
    # All else is the source's.
    for key, value in written.items():
        assert value.tobytes() == source[key].tobytes(), (name, key)
    assert set(written) == {key for key in source if key.rsplit(".", 1)[0] not in layers or key.endswith(".bias")}, name
    assert os.path.exists(folder + "/out/tokenizer.json")
    # And back.
    back = qk.Module(open(folder + "/model.mlir").read()).run(
        f"quant-llm-bind-quantized{{weights={folder}/out}}").layers
    for key, layer in layers.items():
        other = back[key]
        # A group index keeps no order within groups.
        if other.codes.dtype == layer.codes.dtype and not order:
            assert np.array_equal(other.codes, layer.codes), name
        assert np.array_equal(other.scales, layer.scales), name
        assert np.array_equal(other.dequantize(), layer.dequantize()), name
        assert (other.permutation is None) == (not order), name
    if activations:
        described = config["config_groups"]["group_0"]["input_activations"]
        assert (described["strategy"], described["dynamic"]) == {
            "token": ("token", True), "static": ("tensor", False), "tensor": ("tensor", True)}[activations], name
    print(name, "is written")


group = "group-size=32"
for bits in (2, 3, 4, 8):
    case("gptq_v2", "rtn", f"bits={bits} {group}")
    case("gptq", "rtn", f"bits={bits} {group} symmetric")
    case("compressed-tensors", "rtn", f"bits={bits} {group}", stored="pack-quantized")
case("gptq", "rtn", "bits=4 group-size=16")
case("gptq_v2", "gptq", f"bits=4 {group} static-groups=false", order=True)
case("compressed-tensors", "gptq", f"bits=4 {group} static-groups=false", order=True, stored="pack-quantized")
case("gptq_v2", "gptq", f"bits=4 {group}")
case("awq", "rtn", f"bits=4 {group}")
case("awq", "rtn", "bits=4 group-size=-1 symmetric")
case("pack-quantized", "rtn", f"bits=4 {group} symmetric scale-type=f32", np.float32)
case("pack-quantized", "rtn", "bits=4 scale-type=bf16", "bf16")
case("gptq_v2", "rtn", f"bits=4 {group} skip=*.down", skip=["model.down"])
case("awq", "rtn", f"bits=4 {group} skip=*.down", skip=["model.down"])
case("pack-quantized", "rtn", f"bits=4 {group} skip=*.down", skip=["model.down"])
case("compressed-tensors", "smoothquant", "scale-type=f32", np.float32, "int-quantized", "token")
case("int-quantized", "smoothquant", "scale-type=f32 activations=per-tensor", np.float32,
     activations="tensor")
case("compressed-tensors", "smoothquant", "scale-type=f32 format=e4m3", np.float32, "float-quantized", "token")
case("float-quantized", "smoothquant", "scale-type=f32 format=e4m3 activations=per-tensor-static", np.float32,
     activations="static")
case("int-quantized", "smoothquant", "scale-type=f32 activations=per-tensor-static", np.float32,
     activations="static")
with open(folder + "/overrides.json", "w") as stream:
    json.dump({"*.down": {"bits": 8, "group-size": 16}}, stream)
case("gptq_v2", "rtn", f"bits=4 {group} overrides=overrides.json")
case("pack-quantized", "rtn", f"bits=4 {group} overrides=overrides.json")
