# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a float module of two linear layers, and checkpoints of it in the
formats of others: pack.py FOLDER. Each folder FOLDER/NAME has
model.safetensors and config.json, and FOLDER/NAME.npz the codes, scales, zero
points (true ones) and column order that are in it. FOLDER/model.mlir is the
module, FOLDER/x.npy an input."""
import json
import os
import sys

import numpy as np

from qk.compiler import e4m3_values
from qk.files import write

N, K, GROUP = 32, 64, 32
rng = np.random.default_rng(7)
out = sys.argv[1]


def linear(name, i, source):
    return f"""  %w{i} = arith.constant dense_resource<{name}.weight> : tensor<{N}x{K}xf32>
  %b{i} = arith.constant dense_resource<{name}.bias> : tensor<{N}xf32>
  %e{i} = tensor.empty() : tensor<3x{N}xf32>
  %i{i} = linalg.fill ins(%zero : f32) outs(%e{i} : tensor<3x{N}xf32>) -> tensor<3x{N}xf32>
  %m{i} = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins({source}, %w{i} : tensor<3x{K}xf32>, tensor<{N}x{K}xf32>) outs(%i{i} : tensor<3x{N}xf32>) -> tensor<3x{N}xf32>
  %y{i} = linalg.generic {{indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>], iterator_types = ["parallel", "parallel"]}}
    ins(%m{i}, %b{i} : tensor<3x{N}xf32>, tensor<{N}xf32>) outs(%e{i} : tensor<3x{N}xf32>) {{
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }} -> tensor<3x{N}xf32>
"""


MODULE = f"""func.func @main(%x: tensor<3x{K}xf32>) -> (tensor<3x{N}xf32>, tensor<3x{N}xf32>) {{
  %zero = arith.constant 0.0 : f32
{linear("model.up", 0, "%x")}{linear("model.down", 1, "%x")}  return %y0, %y1 : tensor<3x{N}xf32>, tensor<3x{N}xf32>
}}
"""


def words(values, bits):
    """Dense fields along axis 0, little-endian, as int32."""
    values = np.asarray(values, np.uint64)
    count = -(-values.shape[0] * bits // 32)
    result = np.zeros((count,) + values.shape[1:], np.uint64)
    for i, value in enumerate(values):
        at, shift = divmod(i * bits, 32)
        result[at] |= (value << np.uint64(shift)) & np.uint64(0xFFFFFFFF)
        if shift + bits > 32:
            result[at + 1] |= value >> np.uint64(32 - shift)
    return result.astype(np.uint32).view(np.int32)


def aligned(values, bits):
    """The same, no field across words."""
    per = 32 // bits
    result = np.zeros((-(-values.shape[0] // per),) + values.shape[1:], np.uint32)
    for i, value in enumerate(values):
        result[i // per] |= np.asarray(value, np.uint32) << np.uint32(bits * (i % per))
    return result.view(np.int32)


AWQ = [0, 2, 4, 6, 1, 3, 5, 7]


def awq(values):
    """[rows, 8 c] to words [rows, c]."""
    return words(values.reshape(values.shape[0], -1, 8)[:, :, AWQ].transpose(2, 0, 1), 4)[0]


def checkpoint(name, config, pack, bits=4, group=GROUP, symmetric=False, signed=False,
               scale=np.float16, order=False, file="config.json", rows=1):
    """`rows` share the scales and zero points of their groups; -1: all."""
    tensors, known = {}, {}
    length = K if group < 0 else group
    groups = -(-K // length)
    for layer in ("model.up", "model.down"):
        codes = rng.integers(0, 2**bits, (N, K)).astype(np.uint8)
        is_float = pack in (float8, block8)
        if is_float:
            codes[codes & 127 == 127] = 0
        if signed:
            codes = codes.view(np.int8)
        default = 0 if signed or is_float else 2**(bits - 1)
        shared = 1 if rows < 0 else -(-N // rows)
        whole = lambda of_rows: of_rows if rows == 1 else np.repeat(of_rows, N if rows < 0 else rows, 0)[:N]
        small = lambda of_rows: of_rows.reshape(-1) if rows < 0 else of_rows
        # 0 and the largest are there: a v1 file wraps at 0.
        zeros = (np.full((shared, groups), default) if symmetric
                 else rng.integers((-9 if rows == 1 else 1) if signed else 0, 2**bits if not signed else 9,
                                    (shared, groups)))
        scales = rng.uniform(.01, .02, (shared, groups)).astype(scale)
        index = np.arange(K) // length
        if order:
            index = rng.permutation(index)
        tensors |= {f"{layer}.{key}": value for key, value in
                    pack(codes, small(scales), zeros, index, bits).items()}
        zeros, scales = whole(zeros), whole(scales)
        bias = rng.normal(size=N).astype(np.float32)
        tensors[layer + ".bias"] = bias
        levels = e4m3_values()[codes] if is_float else codes.astype(np.float32)
        weight = scales.astype(np.float32)[:, index] * (levels - zeros[:, index].astype(np.float32))
        known |= {layer + ".codes": codes, layer + ".scales": scales.astype(np.float32),
                  layer + ".zeros": zeros, layer + ".index": index, layer + ".weight": weight,
                  layer + ".bias": bias}
    os.makedirs(f"{out}/{name}", exist_ok=True)
    write(f"{out}/{name}/model.safetensors", tensors)
    with open(f"{out}/{name}/{file}", "w") as stream:
        json.dump({"quantization_config": config} if file == "config.json" else config, stream)
    np.savez(f"{out}/{name}.npz", **known)


def gptq(offset):
    def pack(codes, scales, zeros, index, bits):
        stored = (zeros - offset) % 2**bits
        return {"qweight": words(codes.T, bits), "scales": scales.T.copy(),
                "qzeros": words(stored, bits).T.copy(), "g_idx": index.astype(np.int32)}
    return pack


def gemm(codes, scales, zeros, index, bits):
    return {"qweight": awq(codes.T.copy()), "scales": scales.T.copy(), "qzeros": awq(zeros.T.copy())}


def gemv(codes, scales, zeros, index, bits):
    groups = zeros.shape[1]
    width = -(-(-(-groups // 8)) // 4) * 4
    padded = np.zeros((N, 8 * width))
    padded[:, :groups] = zeros
    wide = np.zeros((N, 8 * width), np.float16)
    wide[:, :groups] = scales
    return {"qweight": words(codes.T, 4).T.copy(), "scales": wide, "qzeros": words(padded.T, 4).T.copy()}


def packed(word):
    def pack(codes, scales, zeros, index, bits):
        tensors = {"weight_packed": word(codes.T, bits).T.copy(), "weight_scale": scales,
                   "weight_shape": np.array([N, K], np.int64)}
        if (zeros != 2**(bits - 1)).any():
            tensors["weight_zero_point"] = word(zeros, bits)
        if (np.diff(index) < 0).any():
            tensors["weight_g_idx"] = index.astype(np.int32)
        return tensors
    return pack


def int8(codes, scales, zeros, index, bits):
    tensors = {"weight": codes, "weight_scale": scales}
    if zeros.any():
        tensors["weight_zero_point"] = zeros.astype(np.int8)
    return tensors


def float8(codes, scales, zeros, index, bits):
    return {"weight": (codes, "F8_E4M3"), "weight_scale": scales}


def block8(codes, scales, zeros, index, bits):
    return {"weight": (codes, "F8_E4M3"), "weight_scale_inv": scales}


def gptq_config(bits=4, group=GROUP, symmetric=False, **more):
    return {"quant_method": "gptq", "bits": bits, "group_size": group, "sym": symmetric,
            "desc_act": False} | more


def compressed(form, bits=4, symmetric=False, targets=("Linear",), **weights):
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": {
        "targets": list(targets), "input_activations": None,
        "weights": {"num_bits": bits, "type": "float" if form == "float-quantized" else "int",
                    "symmetric": symmetric} | weights}}}


if __name__ == "__main__":
    os.makedirs(out, exist_ok=True)
    with open(out + "/model.mlir", "w") as stream:
        stream.write(MODULE)
    np.save(out + "/x.npy", rng.normal(size=(3, K)).astype(np.float32))
    for bits in (2, 3, 4, 8):
        checkpoint(f"gptq{bits}", gptq_config(bits), gptq(1), bits)
        checkpoint(f"gptq_v2_{bits}", gptq_config(bits, checkpoint_format="gptq_v2"), gptq(0), bits)
    checkpoint("gptq_order", gptq_config(desc_act=True), gptq(1), order=True)
    checkpoint("gptq_channel", gptq_config(group=-1), gptq(1), group=-1, file="quantize_config.json")
    checkpoint("gptq_sym", gptq_config(symmetric=True), gptq(1), symmetric=True)
    checkpoint("gptq_lie", gptq_config(symmetric=True), gptq(0), symmetric=True)
    checkpoint("gptq_v2_lie", gptq_config(symmetric=True, checkpoint_format="gptq_v2"), gptq(1), symmetric=True)
    awq_config = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "zero_point": True}
    checkpoint("awq_gemm", awq_config | {"version": "gemm"}, gemm)
    checkpoint("awq_old", {"w_bit": 4, "q_group_size": GROUP, "zero_point": True, "quant_method": "awq",
                           "version": "GEMM"}, gemm, file="quant_config.json")
    checkpoint("awq_gemv", awq_config | {"version": "gemv"}, gemv)
    group = {"strategy": "group", "group_size": GROUP}
    for bits in (2, 4, 8):
        checkpoint(f"packed{bits}", compressed("pack-quantized", bits, **group), packed(words), bits)
    checkpoint("packed_symmetric", compressed("pack-quantized", 4, True, **group), packed(words),
               symmetric=True, scale=np.float32)
    checkpoint("packed3_dense", compressed("pack-quantized", 3, **group), packed(words), 3)
    checkpoint("packed3_old", compressed("pack-quantized", 3, **group), packed(aligned), 3)
    checkpoint("packed_order", compressed("pack-quantized", 4, targets=["re:.*(up|down)$"], actorder="group", **group),
               packed(words), order=True)
    checkpoint("int8", compressed("int-quantized", 8, True, strategy="channel"), int8, 8, -1, True, True)
    checkpoint("int8_zeros", compressed("int-quantized", 8, strategy="channel"), int8, 8, -1, False, True)
    checkpoint("float8", compressed("float-quantized", 8, True, strategy="channel"), float8, 8, -1, True)
    checkpoint("float8_groups", compressed("float-quantized", 8, True, **group), float8, 8, GROUP, True)
    checkpoint("int8_tensor", compressed("int-quantized", 8, True, strategy="tensor"), int8, 8, -1, True, True, rows=-1)
    checkpoint("int8_tensor_zeros", compressed("int-quantized", 8, strategy="tensor"), int8, 8, -1, False, True, rows=-1)
    checkpoint("packed_tensor", compressed("pack-quantized", 4, strategy="tensor"), packed(words), 4, -1, rows=-1)
    checkpoint("float8_tensor", compressed("float-quantized", 8, True, strategy="tensor"), float8, 8, -1, True, rows=-1)
    # Blocks of 24x32: the last rows are part of one.
    checkpoint("float8_block", compressed("float-quantized", 8, True, strategy="block", block_structure=[24, 32]),
               float8, 8, GROUP, True, scale=np.float32, rows=24)
    fp8 = {"quant_method": "fp8", "activation_scheme": "dynamic"}
    checkpoint("fp8", fp8, float8, 8, -1, True, scale=np.float32, rows=-1)
    checkpoint("fp8_block", fp8 | {"fmt": "e4m3", "weight_block_size": [24, 32]}, block8, 8, GROUP, True,
               scale=np.float32, rows=24)
