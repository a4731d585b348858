# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the seeds that lie beside this file: make_seeds.py PACK-FOLDER, where
test/Formats/Inputs/pack.py has written its checkpoints. Run by hand; PYTHONPATH
has python/."""
import json
import os
import sys

import numpy as np

from qk.files import read, read_checkpoint, write

HERE = os.path.dirname(os.path.abspath(__file__))


def save(folder, name, data):
    os.makedirs(f"{HERE}/{folder}", exist_ok=True)
    with open(f"{HERE}/{folder}/{name}", "wb") as file:
        file.write(data)


def container(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


save("safetensors-seeds", "two", container(
    {"__metadata__": {"format": "pt"}, "a": entry("F32", [2, 3], 0, 24), "b\u00e9": entry("I8", [], 24, 25)},
    bytes(25)))
save("safetensors-seeds", "empty", container({}))
save("safetensors-seeds", "no-elements", container({"a": entry("BF16", [4, 0], 0, 0)}))
save("safetensors-seeds", "no-elements-inside", container(
    {"a": entry("U8", [4], 0, 4), "b": entry("U8", [0], 2, 2)}, bytes(4)))
save("safetensors-seeds", "overlap", container(
    {"a": entry("U8", [4], 0, 4), "b": entry("U8", [4], 2, 6)}, bytes(6)))
save("safetensors-seeds", "overflow", container({"a": entry("F64", [2**40, 2**40], 0, 8)}, bytes(8)))
save("safetensors-seeds", "long", (2**63).to_bytes(8, "little") + b"{}")
save("safetensors-seeds", "escapes", container(b'{"a\\u00e9\\n\\ud83d\\ude00":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}  ', b"\1"))


def index(weights, *shards):
    return json.dumps({"metadata": {}, "weight_map": weights}).encode() + b"".join([b"\0" * bool(shards), *shards])


a, b = (container({name: entry("U8", [4], 0, 4)}, bytes(4)) for name in "ab")
save("index-seeds", "two", index({"a": "1.safetensors", "b": "2.safetensors"}, a, b))
save("index-seeds", "one", index({"a": "1.safetensors"}, a))
save("index-seeds", "wrong-shard", index({"a": "1.safetensors", "b": "1.safetensors"}, a))
save("index-seeds", "both", index({"a": "1.safetensors", "b": "2.safetensors"}, a, a))
save("index-seeds", "outside", index({"a": "../1.safetensors", "b": "/1.safetensors"}, a))
save("index-seeds", "same-file", index({"a": "1.safetensors", "b": "./1.safetensors"}, a, b))
save("index-seeds", "escapes", b'{"weight_map":{"a\\u0000":"\\u002e\\u002e/x", "b":"x\\u0000y", "a\\u0000":"x"}}')

for name in ("gptq3", "gptq_v2_4", "gptq_order", "awq_gemm", "awq_gemv", "packed4", "packed3_old",
             "packed_order", "int8_zeros", "int8_tensor_zeros", "float8_block", "fp8_block"):
    folder = f"{sys.argv[1]}/{name}"
    tensors = {key: np.array(read(e)) for key, e in read_checkpoint(folder).items()
               if key.startswith("model.up") and not key.endswith("bias")}
    write(f"{folder}/one.safetensors", tensors)
    with open(f"{folder}/config.json", "rb") as file:
        config = file.read()
    with open(f"{folder}/one.safetensors", "rb") as file:
        save("checkpoint-seeds", name, config + b"\0" + file.read())
save("checkpoint-seeds", "dynamic", json.dumps(
    {"quant_method": "gptq", "bits": 4, "group_size": 32, "dynamic": {
        "-:.*down$": {}, "+:model\\.layers\\.\\d+\\.(up|down)": {"bits": 8, "group_size": -1}}}).encode())
for name, pattern in (("repetitions", "((a{99}){99}){99}"), ("nested", "(" * 101 + ")" * 101)):
    save("checkpoint-seeds", name, json.dumps(
        {"quant_method": "gptq", "bits": 4, "dynamic": {pattern: {}}}).encode())

save("module-seeds", "layer", b"""module attributes {quant_llm.weights = {model = "none"}} {
func.func @main(%x: tensor<3x4xf32>) -> tensor<3x2xf32> {
  %c = quant_llm.parameter "quantized"::"fc.codes" : tensor<2x4xi4> = dense<1> : tensor<2x2xi8>
  %s = quant_llm.parameter "quantized"::"fc.scales" : tensor<2x1xf16> = dense<[[1.0], [0x7C01]]> : tensor<2x1xf16>
  %y = quant_llm.matmul %x, %c, %s scheme(<u4, group = 4, scale = f16>) name("fc") : (tensor<3x4xf32>, tensor<2x4xi4>, tensor<2x1xf16>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}
}
""")
save("module-seeds", "recipe", b"""func.func @main(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %w = quant_llm.parameter "model"::"fc.weight" : tensor<2x4xf32>
  %h = quant_llm.statistic hessian of "fc" : tensor<4x4xf32>
  %c, %s, %z = quant_llm.round_compensated %w, %h scheme(<u3, group = -1, scale = bf16>) static_groups : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xi3>, tensor<2x1xbf16>, tensor<2x1xi8>
  %y = quant_llm.matmul %x, %c, %s zero_points(%z) scheme(<u3, group = -1, scale = bf16>) name("fc") : (tensor<?x4xf32>, tensor<2x4xi3>, tensor<2x1xbf16>, tensor<2x1xi8>) -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}
""")
save("module-seeds", "booleans", b"""%0 = arith.constant dense<"0x0100010001"> : tensor<5xi1>
%1 = arith.constant dense_resource<mask> : tensor<9xi1>
{-#
  dialect_resources: {
    builtin: {
      mask: "0x01000000010001000100010001"
    }
  }
#-}
""")
save("module-seeds", "foreign", b"""func.func @f(%a: !torch.vtensor<[2],f32>) {
  %0 = stablehlo.add %a, %a : tensor<2xf32>
  return
}
""")
save("module-seeds", "vhlo", b"ML\xefR\x0dStableHLO_v1.0.0\0\1\x19\5\1\3\1\3\5\3\7\t\x0b\3Q1\x0f\1\x0b\7\x0b\x0b\x0b\x0b\x0b\x0b")
