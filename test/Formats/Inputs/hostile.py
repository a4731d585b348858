# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints that are broken or lie: each is an error that says what is wrong,
never a crash. hostile.py FOLDER (pack.py wrote it) QK-OPT"""
import json
import os
import shutil
import subprocess
import sys

import numpy as np

from qk.files import read_header, write

folder, opt = sys.argv[1], sys.argv[2]
cases = 0


def load(path):
    data = open(path, "rb").read()
    size = int.from_bytes(data[:8], "little")
    types = {"I32": np.int32, "F16": np.float16, "F32": np.float32, "I64": np.int64, "I8": np.int8}
    def array(entry):
        raw = data[8 + size:][slice(*entry["data_offsets"])]
        values = np.frombuffer(raw, types.get(entry["dtype"], np.uint8)).reshape(entry["shape"]).copy()
        return values if entry["dtype"] in types else (values, entry["dtype"])

    return {name: array(entry) for name, entry in json.loads(data[8:8 + size]).items()
            if name != "__metadata__"}


def case(expected, source, change=None, config=None, raw=None, module="model.mlir"):
    """A copy of `source` with tensors, config or bytes changed."""
    global cases
    cases += 1
    where = f"{folder}/hostile"
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(f"{folder}/{source}", where)
    weights = where + "/model.safetensors"
    if change:
        tensors = load(weights)
        change(tensors)
        write(weights, tensors)
    if config is not None:
        text = open(where + "/config.json").read()
        with open(where + "/config.json", "w") as stream:
            stream.write(config if isinstance(config, str) else edit(json.loads(text), config))
    if raw:
        data = bytearray(open(weights, "rb").read())
        with open(weights, "wb") as stream:
            stream.write(raw(data))
    run = subprocess.run([opt, f"--weights={where}", f"{folder}/{module}", "-o", "/dev/null"],
                         capture_output=True, text=True)
    errors = [line for line in run.stderr.splitlines() if ": error: " in line]
    good = run.returncode == 1 and errors and all(part in errors[0] for part in expected)
    if not good:
        print(f"case {cases}: expected {expected}, got {run.returncode}:\n{run.stderr[:2000]}")
        sys.exit(1)


def edit(json_config, change):
    change(json_config["quantization_config"])
    return json.dumps(json_config)


def put(name, make):
    return lambda tensors: tensors.__setitem__(name, make(tensors[name]))


def drop(name):
    return lambda tensors: tensors.pop(name)


def key(name, value):
    return lambda config: config.__setitem__(name, value)


def weights_key(name, value):
    return lambda config: config["config_groups"]["group_0"]["weights"].__setitem__(name, value)


W = "hostile/model.safetensors"
C = "hostile/config.json"
# Files.
case([W], "gptq4", raw=lambda data: data[:100])
case([W], "gptq4", raw=lambda data: data[:-1])
case([W], "gptq4", raw=lambda data: b"\xff" * 8 + data[8:])
case([C, "line 1"], "gptq4", config="{")
case([C, "line 200001, column 1: expected a JSON value"], "gptq4", config="[" + "1,\n" * 200000 + "]")
case([C, "expected an object", "got"], "gptq4", config="[]")
case([C, "\"quantization_config\" to be an object"], "gptq4", config='{"quantization_config": 4}')
case([W, "'model.up.qweight' is quantised, but no config.json"], "gptq4", config="{}")
# Configs.
case([C, "\"quant_method\" to be gptq, awq, compressed-tensors or fp8, got 'exl2'"], "gptq4", config=key("quant_method", "exl2"))
case([C, "line 1: expected \"bits\" to be one of 2, 3, 4, 8, got"], "gptq4", config=key("bits", 5))
case([C, "expected \"bits\" to be one of 2, 3, 4, 8, got nothing"], "gptq4", config=lambda c: c.pop("bits"))
case([C, "\"group_size\" to be -1 or at least 1"], "gptq4", config=key("group_size", 0))
case([C, "\"sym\" to be true or false"], "gptq4", config=key("sym", "yes"))
case([C, "\"checkpoint_format\" to be gptq or gptq_v2, got 'marlin'"], "gptq4", config=key("checkpoint_format", "marlin"))
case([C, "expected \"dynamic\" to be an object of objects, got an array"], "gptq4", config=key("dynamic", [1]))
case([C, "expected \"dynamic\" to be an object of objects, got 1"], "gptq4", config=key("dynamic", {"+:x": 1}))
case([C, "target '+:(?=x)' is no regular expression: groups of the form (?… are not known here"], "gptq4",
     config=key("dynamic", {"+:(?=x)": {}}))
case([C, "target '\\s' is no regular expression: \\s is not known here"], "gptq4", config=key("dynamic", {"\\s": {}}))
case([C, "is no regular expression: expected parentheses at most 100 deep, got 50000"], "gptq4",
     config=key("dynamic", {"(" * 50000 + ")" * 50000: {}}))
case([C, "is no regular expression: expected at most 100000 characters with all repetitions written out, got 2117016"],
     "gptq4", config=key("dynamic", {"+:((a{99}){9,}){99}xxxxxxx": {}}))
case([C, "'+:a{99999999999999999999}' is no regular expression"], "gptq4",
     config=key("dynamic", {"+:a{99999999999999999999}": {}}))
case([C, "got 18446744073709551615"], "gptq4", config=key("dynamic", {"a{255}" * 9: {}}))
case([C, "\"bits\" to be one of 2, 3, 4, 8, got 5"], "gptq4", config=key("dynamic", {"x": {"bits": 5}}))
case(["model.up.qweight", "I32[16x32]", "I32[8x32]"], "gptq4", config=key("dynamic", {"+:model\\.u\\w*": {"bits": 8}}))
case([W, "'model.up' is quantised, but no group of the config has it as a target"], "gptq4",
     config=key("dynamic", {"-:model\\.up": {}}))
case([C, "\"checkpoint_format\" to be a string"], "gptq4", config=key("checkpoint_format", 2))
case([C, "\"version\" to be gemm or gemv, got 'gemv_fast'"], "awq_gemm", config=key("version", "gemv_fast"))
case([C, "\"bits\" to be one of 4, got"], "awq_gemm", config=key("bits", 8))
case([C, "\"format\" to be pack-quantized, int-quantized or float-quantized, got 'nvfp4-pack-quantized'"], "packed4",
     config=key("format", "nvfp4-pack-quantized"))
case([C, "expected weights of type 'float', got 'int'"], "packed4", config=key("format", "float-quantized"))
case([C, "expected \"config_groups\", an object with at least one group"], "packed4", config=key("config_groups", {}))
case([C, "\"config_groups\" to be an object of objects"], "packed4", config=key("config_groups", {"a": 1}))
case([C, "expected \"targets\", an array of names"], "packed4", config=key("config_groups", {"a": {}}))
case([C, "\"targets\" to be an array of names"], "packed4", config=key("config_groups", {"a": {"targets": [1]}}))
case([C, "target 're:(' is no regular expression"], "packed4", config=key("config_groups", {"a": {"targets": ["re:("]}}))
case([C, "expected \"weights\", an object"], "packed4", config=key("config_groups", {"a": {"targets": ["Linear"]}}))
case([C, "expected weights of type 'int', got 'float'"], "packed4", config=weights_key("type", "float"))
case([C, "\"strategy\" to be group, channel, tensor or block, got 'row'"], "packed4", config=weights_key("strategy", "row"))
case([C, "expected a group_size with strategy 'group', got none"], "packed4", config=weights_key("group_size", None))
case([W, "'model.up' is quantised, but no group of the config has it as a target"], "packed4",
     config=lambda c: c["config_groups"]["group_0"].__setitem__("targets", ["other"]))
case([C, "expected \"symmetric\" floats, got false"], "float8", config=weights_key("symmetric", False))
# Configs that lie about the tensors.
case(["model.up.qweight", "I32[16x32]", "I32[8x32]"], "gptq4", config=key("bits", 8))
case(["model.up.qzeros", "I32[4x4]", "I32[2x4]"], "gptq4", config=key("group_size", 16))
case(["model.up.weight_scale", "[32x4]", "[32x2]"], "packed4", config=weights_key("group_size", 16))
case(["model.up.weight_packed", "I32[32x4]", "I32[32x8]"], "packed4", config=weights_key("num_bits", 2))
# Tensors.
case(["model.up.qzeros"], "gptq4", change=drop("model.up.qzeros"))
case(["model.up.scales"], "awq_gemm", change=drop("model.up.scales"))
case(["model.up.weight_shape"], "packed4", change=drop("model.up.weight_shape"))
case(["weight_zero_point"], "packed4", change=drop("model.up.weight_zero_point"))
case(["expected weight_shape to be the model's 32x64, got 64x32"], "packed4",
     change=put("model.up.weight_shape", lambda a: a[::-1].copy()))
case(["layer 'model.up': expected scales of F16, BF16 or F32, got I32[2x32]"], "gptq4",
     change=put("model.up.scales", lambda a: a.astype(np.int32)))
case(["layer 'model.up': the scale of channel 0, group 0 is not finite"], "gptq4",
     change=put("model.up.scales", lambda a: a * np.inf))
case(["expected group indices from 0 to 1, got 7 for column 3"], "gptq_order",
     change=put("model.up.g_idx", lambda a: np.where(np.arange(64) == 3, 7, a).astype(np.int32)))
case(["expected group 0 to have 32 columns, got 64"], "gptq_order",
     change=put("model.up.g_idx", np.zeros_like))
case(["model.up.g_idx", "I32[64]"], "gptq_order", change=put("model.up.g_idx", lambda a: a[:5]))
case(["model.up.weight_scale", "F16[32x1]", "F16[1x1]"], "int8",
     change=put("model.up.weight_scale", lambda a: a[:1]))
case(["model.up.weight_scale", "F16[1x1]", "F16[32x1]"], "int8", config=weights_key("strategy", "tensor"))
case(["model.up.weight_scale", "F32[2x2]", "F32[1x2]"], "float8_block",
     change=put("model.up.weight_scale", lambda a: a[:1]))
case(["model.up.weight_scale_inv", "F32[2x2]", "F32[4x2]"], "fp8_block", config=key("weight_block_size", [8, 32]))
case(["model.up.weight_scale'"], "fp8", change=drop("model.up.weight_scale"))
case([C, "\"block_structure\" to be two numbers of at least 1"], "float8_block",
     config=weights_key("block_structure", [24, 0]))
case([C, "expected \"block_structure\", the rows and columns of a block, got none"], "float8_block",
     config=weights_key("block_structure", None))
case([C, "\"weight_block_size\" to be two numbers of at least 1"], "fp8_block",
     config=key("weight_block_size", [24, 32, 1]))
case([C, "expected \"fmt\" to be e4m3, got 'e5m2'"], "fp8_block", config=key("fmt", "e5m2"))
case(["layer 'model.up': weight is NaN at row 1, column 2"], "float8",
     change=put("model.up.weight", lambda pair: (np.where(np.arange(64 * 32).reshape(32, 64) == 66, 255, pair[0])
                                                 .astype(np.uint8), pair[1])))
# Modules that don't fit.
text = open(folder + "/model.mlir").read()
open(folder + "/wide.mlir", "w").write(text.replace("x64xf32", "x50xf32"))
case(["expected 50 inputs of 4 bits to fill words of 32"], "gptq4", module="wide.mlir")
open(folder + "/narrow.mlir", "w").write(text.replace("32x64xf32", "28x64xf32").replace("3x32xf32", "3x28xf32").replace("tensor<32xf32>", "tensor<28xf32>"))
case(["model.up", "28"], "gptq4", module="narrow.mlir")
open(folder + "/names.mlir", "w").write(text.replace("model.up", "a.b").replace("model.down", "c.d"))
case(["no constant of the module has the name of one of the 2 quantised layers ('model.up.weight', …); --weight-names"],
     "gptq4", module="names.mlir")
open(folder + "/used.mlir", "w").write(text.replace(") -> (tensor<3x32xf32>, tensor", ") -> (tensor<32x64xf32>, tensor").replace("return %y0, %y1 : tensor<3x32xf32>", "return %w0, %y1 : tensor<32x64xf32>"))
case(["model.up"], "gptq4", module="used.mlir")
print(cases, "cases are errors")
