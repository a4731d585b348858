# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises and compiles modules in this process; see quantize and compile."""

import ctypes
import os
import warnings
from ctypes import byref, c_size_t

import numpy as np

from . import Error
from .library import LayerView, Tensor, load, to_array, to_tensor


def e4m3_values():
    """The values of the 256 bytes of a float8_e4m3fn."""
    byte = np.arange(256)
    exponent, mantissa = byte >> 3 & 15, byte & 7
    value = np.where(exponent == 0, mantissa * 2.0 ** -9,
                     (8 + mantissa) * 2.0 ** (exponent - 10.0))
    value[byte & 127 == 127] = np.nan
    return np.where(byte & 128, -value, value).astype(np.float32)


class Layer:
    """A quantised layer: weight[n, k] = scales[n, g] * (codes[n, k] -
    zero_points[n, g]) with g = k // group_size. With `is_float`, codes are the
    bytes of float8_e4m3fn, whose values count."""

    def __init__(self, view):
        def copy(pointer, shape, dtype):
            return np.ctypeslib.as_array(pointer, shape).astype(dtype, copy=True)

        self.name = view.name.decode()
        self.bits, self.group_size = view.bits, view.group_size
        self.codes = copy(view.codes, (view.n, view.k), np.uint8)
        self.is_float = bool(view.is_float)
        if view.is_signed:
            self.codes = self.codes.view(np.int8)
        self.scales = copy(view.scales, (view.n, view.groups), np.float32)
        self.zero_points = copy(view.zero_points, (view.n, view.groups), np.int16)
        self.permutation = (copy(view.permutation, (view.k,), np.int32)
                            if view.permutation else None)

    def dequantize(self):
        """The weight [n, k] in f32, its columns in the model's order."""
        k = self.codes.shape[1]
        length = k if self.group_size < 0 else min(self.group_size, k)
        group = np.arange(k) // length
        codes = (e4m3_values()[self.codes] if self.is_float
                 else self.codes.astype(np.float32))
        weight = self.scales[:, group] * (codes - self.zero_points[:, group])
        if self.permutation is None:
            return weight
        result = np.empty_like(weight)
        result[:, self.permutation] = weight
        return result


def _spell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_spell(v) for v in value)
    text = str(value)
    if any(c in text for c in " {}'\""):
        return '"' + text + '"' if '"' not in text else "'" + text + "'"
    return text


def _options(options):
    return " ".join(f"{key.replace('_', '-')}={_spell(value)}"
                    for key, value in options.items()).encode()


class Module:
    """A module in memory. `weights`: the path of a checkpoint, float or quantised
    by others (its layers are quantised then), or a dict of arrays by name, which
    stay where they are."""

    def __init__(self, source, weights=None, name=""):
        self._library = load()
        if isinstance(source, os.PathLike) or (
                isinstance(source, str) and "\n" not in source and os.path.exists(source)):
            raise Error(f"expected a module's text or bytecode, got the path '{source}'; "
                        "give what the file holds")
        data = source.encode() if isinstance(source, str) else bytes(source)
        self._module = None
        self._keep = []
        self._context = self._library.qkContextCreate()
        self._module = self._library.qkModuleParse(
            self._context, data, len(data), name.encode())
        self._check(not self._module)
        if isinstance(weights, dict):
            for key, array in weights.items():
                tensor, keep = to_tensor(array)
                self._keep.append(keep)
                self._check(self._library.qkModuleBindParameter(
                    self._module, key.encode(), byref(tensor)))
        elif weights is not None:
            self.run(f"quant-llm-bind-quantized{{weights={_spell(weights)}}}")

    def __del__(self):
        if getattr(self, "_module", None):
            self._library.qkModuleDestroy(self._module)
        if getattr(self, "_context", None):
            self._library.qkContextDestroy(self._context)

    def _check(self, failed):
        messages = self._library.qkContextTakeMessages(self._context).decode().strip()
        if failed:
            raise Error(messages or "failed without a message")
        kept = [line for line in messages.splitlines() if "warning: " in line]
        if kept:
            warnings.warn("\n".join(kept), stacklevel=3)

    def run(self, pipeline):
        """Runs passes, as between the brackets of `builtin.module(…)` or with them."""
        self._check(self._library.qkModuleRun(self._module, pipeline.encode()))
        return self

    def __str__(self):
        text = self._library.qkModulePrint(self._module)
        try:
            return ctypes.string_at(text).decode()
        finally:
            self._library.qkFree(text)

    @property
    def layers(self):
        """The quantised layers by name."""
        result = {}
        for i in range(self._library.qkModuleNumLayers(self._module)):
            view = LayerView()
            self._check(self._library.qkModuleGetLayer(self._module, i, byref(view)))
            layer = Layer(view)
            result[layer.name] = layer
        return result


def quantize(source, method="gptq", *, weights=None, calibration=None,
             statistics=None, **options):
    """Quantises a module given as text or bytecode, and returns a Module: str()
    is its text, .layers has the codes.

    method       rtn, gptq, awq or smoothquant; `options` are those of its
                 pipeline (bits=4, group_size=128, …)
    weights      a checkpoint's path, or a dict of arrays by name
    calibration  path of a safetensors file of samples
    statistics   by layer: a dict with tokens, and hessian [K,K], absmax [K],
                 absmean [K] as far as the method needs them; or the path of a
                 file that quant-llm-write-statistics wrote
    """
    module = source if isinstance(source, Module) else Module(source, weights)
    if calibration is not None:
        module.run(f"quant-llm-calibrate{{inputs={_spell(calibration)}}}")
    keep = []
    if isinstance(statistics, dict):
        for layer, given in statistics.items():
            unknown = set(given) - {"tokens", "hessian", "absmax", "absmean"}
            if unknown:
                raise Error(f"statistics of '{layer}': expected tokens, hessian, "
                            f"absmax or absmean, got {sorted(unknown)[0]}")
            arrays = {key: np.ascontiguousarray(given[key], np.float32)
                      for key in ("hessian", "absmax", "absmean") if key in given}
            if not arrays:
                raise Error(f"statistics of '{layer}': expected hessian, absmax or absmean")
            sizes = {size for array in arrays.values() for size in array.shape}
            if len(sizes) != 1 or ("hessian" in arrays and arrays["hessian"].ndim != 2):
                raise Error(f"statistics of '{layer}': expected [K,K] and [K], got "
                            + ", ".join(f"{k} {list(a.shape)}" for k, a in arrays.items()))
            keep.append(arrays)
            pointers = [arrays[key].ctypes.data if key in arrays else None
                        for key in ("hessian", "absmax", "absmean")]
            module._check(module._library.qkModuleSetStatistics(
                module._module, layer.encode(), sizes.pop(),
                int(given.get("tokens", 1)), *pointers))
    elif statistics is not None:
        module.run(f"quant-llm-calibrate{{stats={_spell(statistics)}}}")
    module._check(module._library.qkModuleQuantize(
        module._module, method.encode(), _options(options)))
    return module


class Executable:
    """A compiled module; calling it runs it on arrays."""

    def __init__(self, module, options):
        self._module = module
        self._library = module._library
        self._executable = self._library.qkModuleCompile(module._module, _options(options))
        module._check(not self._executable)

    def __del__(self):
        if getattr(self, "_executable", None):
            self._library.qkExecutableDestroy(self._executable)

    def __call__(self, *arrays, entry=None):
        """The entry's result, or a tuple of them."""
        tensors, keep = [], []
        for array in arrays:
            tensor, kept = to_tensor(array)
            tensors.append(tensor)
            keep.append(kept)
        room = c_size_t(64)
        results = (Tensor * room.value)()
        self._module._check(self._library.qkExecutableCall(
            self._executable, entry.encode() if entry else None,
            (Tensor * len(tensors))(*tensors), len(tensors), results, byref(room)))
        arrays = tuple(to_array(results[i]) for i in range(room.value))
        return arrays[0] if len(arrays) == 1 else arrays


def compile(source, *, weights=None, **options):
    """Compiles a module (text, bytecode, or a Module) for this machine's CPU:
    a callable on numpy arrays. Recipes that are not evaluated are. `options`
    are those of lower-to-cpu (activations="int16", …). A Module given here is
    lowered and can't be quantised again."""
    module = source if isinstance(source, Module) else Module(source, weights)
    return Executable(module, options)
