#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches a kernel of `--lower-to-nvvm="host=keep artifacts=FOLDER"` with
nothing but the CUDA driver (by ctypes), numpy and FOLDER/kernels.json.

  qk-opt model.mlir --rtn="group-size=64 symmetric=true" --lower-to-nvvm="host=keep artifacts=out" -o host.mlir
  python3 launch.py out [--m=5] [--n=200]

Packs a random 4-bit weight as the file's `layout` says, multiplies, compares
with numpy in f64. QK_CUDA_DRIVER names another library than libcuda.so.1.
"""
import argparse
import ctypes
import json
import math
import os
import pathlib
import re
import sys

import numpy as np


# ---------------------------------------------------------------------------
# The packed weight: include/qk/Target/NVVM/MmaLayout.h, for codes of 4 bits
# ---------------------------------------------------------------------------


def up(a, b):
    return -(-a // b) * b


def pack_mma_u4(codes, scales, group, layout):
    """codes [N,K] 0…15, scales [N,G] f16: one buffer of bytes."""
    n, k = codes.shape
    tiles, units = up(n, 16) // 16, layout["units"]
    atom, per_group = layout["atom_codes"], layout["atoms_per_group"]
    # Every group is cut into atoms by itself and filled up with zeros.
    grouped = np.zeros((tiles * 16, scales.shape[1], per_group * atom),
                       np.uint32)
    for g in range(scales.shape[1]):
        part = codes[:, g * group:(g + 1) * group]
        grouped[:n, g, :part.shape[1]] = part
    atoms = np.zeros((tiles, 16, units * layout["unit_atoms"], atom), np.uint32)
    flat = grouped.reshape(tiles, 16, -1, atom)
    atoms[:, :, :flat.shape[2]] = flat
    # Registers of mma.sync: lane 4g + t has the channels g and g + 8.
    lane = np.arange(32)
    g, t = lane // 4, lane % 4
    words = np.zeros((tiles, units, 32, 4), np.uint32)
    for a in range(2):
        for step in range(2):
            for register in range(4):
                pair = 8 * a + 4 * step + register
                channel = g + 8 * (register & 1)
                first = 2 * (t + 4 * (register >> 1) + 8 * step)
                for half in range(2):
                    code = atoms[:, channel, a::2, first + half]
                    words[:, :, lane, pair // 4] |= code.transpose(1, 2, 0) << (
                        4 * (pair % 4) + 16 * half)
    packed = np.zeros((tiles, layout["tile_bytes"]), np.uint8)
    bytes_ = words.reshape(tiles, -1).view(np.uint8)
    packed[:, :bytes_.shape[1]] = bytes_
    padded = np.zeros((tiles * 16, scales.shape[1]), np.float16)
    padded[:n] = scales
    # [group][channel], channels in the order 0, 8, 1, 9, …
    order = np.arange(16).reshape(2, 8).T.reshape(-1)
    by_group = padded.reshape(tiles, 16, -1)[:, order].transpose(0, 2, 1)
    bytes_ = np.ascontiguousarray(by_group).reshape(tiles, -1).view(np.uint8)
    at = layout["scales_offset"]
    packed[:, at:at + bytes_.shape[1]] = bytes_
    return packed.reshape(-1)


# ---------------------------------------------------------------------------
# The driver
# ---------------------------------------------------------------------------


class LaunchAttribute(ctypes.Structure):
    """cuda.h's CUlaunchAttribute: 4 is the size of clusters of blocks."""
    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_int),
                ("cluster", ctypes.c_uint * 3), ("rest", ctypes.c_uint * 13)]


class LaunchConfig(ctypes.Structure):
    """cuda.h's CUlaunchConfig."""
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3),
                ("shared", ctypes.c_uint), ("stream", ctypes.c_void_p),
                ("attributes", ctypes.POINTER(LaunchAttribute)),
                ("count", ctypes.c_uint)]


class Driver:
    def __init__(self):
        name = os.environ.get("QK_CUDA_DRIVER") or "libcuda.so.1"
        try:
            self.library = ctypes.CDLL(name)
        except OSError as error:
            sys.exit(f"launch.py: no NVIDIA driver: {error}")
        self.call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxSetCurrent", context)

    def call(self, name, *arguments):
        result = getattr(self.library, name)(*arguments)
        if result:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(result, ctypes.byref(text))
            sys.exit(f"launch.py: {name}: {text.value.decode()}")

    def function(self, image, name):
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        # PTX ends in a NUL; a cubin doesn't mind one.
        self.call("cuModuleLoadDataEx", ctypes.byref(module),
                  ctypes.c_char_p(image), 0, None, None)
        self.call("cuModuleGetFunction", ctypes.byref(function), module,
                  name.encode())
        return function

    def array(self, host=None, bytes_=0):
        """Memory on the GPU: a copy of `host`, or bytes that are 0."""
        if host is None:
            host = np.zeros(bytes_, np.uint8)
        host = np.ascontiguousarray(host)
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address),
                  ctypes.c_size_t(max(host.nbytes, 1)))
        self.call("cuMemcpyHtoD_v2", address, ctypes.c_void_p(host.ctypes.data),
                  ctypes.c_size_t(host.nbytes))
        return address

    def launch(self, function, grid, block, shared, cluster, parameters):
        if shared > 48 << 10:
            self.call("cuFuncSetAttribute", function, 8, shared)
        pointers = (ctypes.c_void_p * len(parameters))(
            *[ctypes.addressof(value) for value in parameters])
        if cluster > 1:
            attribute = LaunchAttribute(4, 0, (1, 1, cluster))
            config = LaunchConfig(tuple(grid), tuple(block), shared, None,
                                  ctypes.pointer(attribute), 1)
            self.call("cuLaunchKernelEx", ctypes.byref(config), function,
                      pointers, None)
        else:
            self.call("cuLaunchKernel", function, *grid, *block, shared,
                      ctypes.c_void_p(), pointers, None)
        self.call("cuCtxSynchronize")


def grid_of(kernel, m, n):
    """The formulas of kernels.json: of m and n, z and cost of x and y, too."""
    names = {"m": m, "n": n, "ceil": math.ceil, "floor": math.floor,
             "clamp": lambda value, low, high: max(low, min(high, value))}
    for axis in "xyz":
        names[axis] = int(eval(kernel["grid"][axis], {"__builtins__": {}},
                               names))
    cost = eval(kernel.get("cost", "0"), {"__builtins__": {}}, names)
    return [names[axis] for axis in "xyz"], cost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--m", type=int, default=5)
    parser.add_argument("--n", type=int, default=200)
    options = parser.parse_args()
    m, n = options.m, options.n
    description = json.loads((options.folder / "kernels.json").read_text())
    kernel = min((k for k in description["kernels"]
                  if k["m_from"] <= m <= k.get("m_to", m)),
                 key=lambda k: grid_of(k, m, n)[1])
    scheme = re.search(r"<(\w+), group = (-?\d+), scale = (\w+)>",
                       kernel["scheme"])
    names = [p["name"] for p in kernel["parameters"]]
    if (kernel["layout"]["name"] != "nvvm-mma" or scheme[1] != "u4"
            or scheme[3] != "f16" or "zero_points_offset" in kernel["layout"]):
        sys.exit("launch.py: this example packs u4 codes in layout nvvm-mma, "
                 "with scales of f16 and no zero points; got "
                 f"{kernel['scheme']}, {kernel['layout']['name']}")
    k = kernel["k"]
    group = k if scheme[2] == "-1" else int(scheme[2])

    random = np.random.default_rng(1)
    codes = random.integers(0, 16, (n, k))
    scales = random.uniform(.01, .1, (n, -(-k // group))).astype(np.float16)
    x = random.standard_normal((m, k)).astype(np.float16)
    packed = pack_mma_u4(codes, scales, group, kernel["layout"])
    print(f"{kernel['name']}: m={m} n={n}, {packed.nbytes} bytes of weight")

    driver = Driver()
    image = (options.folder / description["file"]).read_bytes() + b"\0"
    function = driver.function(image, kernel["name"])
    y = driver.array(bytes_=2 * m * n)
    arguments = {"x": driver.array(x), "weight": driver.array(packed), "y": y,
                 "workspace": driver.array(
                     bytes_=kernel.get("workspace_bytes", 0)),
                 "m": ctypes.c_int32(m), "n": ctypes.c_int32(n)}
    grid, _ = grid_of(kernel, m, n)
    cluster = grid[2] if grid[2] <= kernel.get("max_cluster", 1) else 1
    driver.launch(function, grid, kernel["block"],
                  kernel["dynamic_shared_bytes"], cluster,
                  [arguments[name] for name in names])
    got = np.empty((m, n), np.float16)
    driver.call("cuMemcpyDtoH_v2", ctypes.c_void_p(got.ctypes.data), y,
                ctypes.c_size_t(got.nbytes))
    weight = np.repeat(scales.astype(float), group, axis=1)[:, :k] * (codes - 8)
    want = x.astype(float) @ weight.T
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    print(f"relative error {error:.1e}")
    if not error < 1e-3:
        sys.exit("launch.py: expected less than 1e-3")


main()
