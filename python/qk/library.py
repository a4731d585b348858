# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""libqk_c through ctypes: the functions of include/qk-c/QK.h."""

import ctypes
import os
from ctypes import (POINTER, Structure, byref, c_char_p, c_int, c_int16, c_int32,
                    c_int64, c_float, c_size_t, c_uint8, c_void_p)

import numpy as np

from . import Error

# QkType, in order; bf16 has no type in numpy and goes as its bits.
_TYPES = [np.bool_, np.uint8, np.int8, np.uint16, np.int16, np.float16, None,
          np.uint32, np.int32, np.float32, np.uint64, np.int64, np.float64]
_BF16 = 6


class Tensor(Structure):
    _fields_ = [("type", c_int), ("rank", c_size_t), ("shape", POINTER(c_int64)),
                ("data", c_void_p)]


class LayerView(Structure):
    _fields_ = [("name", c_char_p), ("n", c_int64), ("k", c_int64),
                ("groups", c_int64), ("group_size", c_int64), ("bits", c_int),
                ("is_signed", c_int), ("is_float", c_int),
                ("codes", POINTER(c_uint8)),
                ("scales", POINTER(c_float)), ("zero_points", POINTER(c_int16)),
                ("permutation", POINTER(c_int32))]


_FUNCTIONS = {
    "qkVersion": (c_int,),
    "qkContextCreate": (c_void_p,),
    "qkContextDestroy": (None, c_void_p),
    "qkContextTakeMessages": (c_char_p, c_void_p),
    "qkFree": (None, c_void_p),
    "qkModuleParse": (c_void_p, c_void_p, c_char_p, c_size_t, c_char_p),
    "qkModuleDestroy": (None, c_void_p),
    "qkModulePrint": (c_void_p, c_void_p),
    "qkModuleRun": (c_int, c_void_p, c_char_p),
    "qkModuleBindParameter": (c_int, c_void_p, c_char_p, POINTER(Tensor)),
    "qkModuleSetStatistics": (c_int, c_void_p, c_char_p, c_int64, c_int64,
                              c_void_p, c_void_p, c_void_p),
    "qkModuleQuantize": (c_int, c_void_p, c_char_p, c_char_p),
    "qkModuleNumLayers": (c_size_t, c_void_p),
    "qkModuleGetLayer": (c_int, c_void_p, c_size_t, POINTER(LayerView)),
    "qkModuleCompile": (c_void_p, c_void_p, c_char_p),
    "qkExecutableDestroy": (None, c_void_p),
    "qkExecutableCall": (c_int, c_void_p, c_char_p, POINTER(Tensor), c_size_t,
                         POINTER(Tensor), POINTER(c_size_t)),
}


def _find():
    """Beside this file in a wheel; QK_LIBRARY names it in a build."""
    given = os.environ.get("QK_LIBRARY")
    if given:
        return given
    here = os.path.join(os.path.dirname(__file__), "lib", "libqk_c.so")
    if os.path.exists(here):
        return here
    raise Error("this package has no libqk_c.so: install the wheel that "
                "utils/build-wheel makes, or set QK_LIBRARY to the file in "
                "qk's build/lib")


_loaded = None


def load():
    """The library, loaded once."""
    global _loaded
    if _loaded is None:
        try:
            library = ctypes.CDLL(_find())
        except OSError as error:
            raise Error(f"libqk_c can't be loaded: {error}") from None
        for name, (result, *arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
        if library.qkVersion() != 1:
            raise Error(f"expected libqk_c of version 1, got {library.qkVersion()}")
        _loaded = library
    return _loaded


def to_tensor(array):
    """The array as a Tensor, and what must live as long."""
    array = np.ascontiguousarray(array)
    types = [None if t is None else np.dtype(t) for t in _TYPES]
    if array.dtype not in types:
        raise Error(f"expected an array of a type that safetensors has, got {array.dtype}")
    # A scalar stays one: ascontiguousarray makes it 1-D.
    shape = (c_int64 * array.ndim)(*array.shape)
    tensor = Tensor(types.index(array.dtype), array.ndim,
                    ctypes.cast(shape, POINTER(c_int64)), array.ctypes.data)
    return tensor, (array, shape)


def to_array(tensor):
    """A copy of a Tensor; bf16 as f32."""
    shape = tuple(tensor.shape[i] for i in range(tensor.rank))
    dtype = np.dtype(np.uint16 if tensor.type == _BF16 else _TYPES[tensor.type])
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    array = np.frombuffer(ctypes.string_at(tensor.data, size), dtype).reshape(shape)
    if tensor.type == _BF16:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.copy()
