# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Safetensors files and checkpoint folders, with numpy alone."""

import json
import os
from collections import namedtuple

import numpy as np

from . import Error

# numpy has no bf16 and no float8_e4m3fn: their bytes are read and written as U16
# and U8.
NUMPY_TYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8,
    "BOOL": np.bool_, "F8_E4M3": np.uint8,
}

# Where a tensor lies: type as safetensors names it, file, first byte.
Entry = namedtuple("Entry", "dtype shape path offset")


def _type_name(array):
    for name, numpy_type in NUMPY_TYPES.items():
        if array.dtype == numpy_type and name not in ("BF16", "F8_E4M3"):
            return name
    raise Error(f"safetensors has no type for {array.dtype}")


def _is_entry(entry):
    def naturals(values):
        return isinstance(values, list) and all(
            type(value) is int and value >= 0 for value in values)
    return (isinstance(entry, dict) and isinstance(entry.get("dtype"), str)
            and naturals(entry.get("shape")) and naturals(entry.get("data_offsets"))
            and len(entry["data_offsets"]) == 2)


def read_header(path):
    """{name: Entry} of one safetensors file, in the order of their bytes."""
    try:
        file = open(path, "rb")
    except OSError as error:
        raise Error(f"{path}: {error.strerror}") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise Error(f"{path}: not a safetensors file: expected a header of "
                        f"{length} bytes, got a file of {size}")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise Error(f"{path}: not a safetensors file: {error}") from None
    if not isinstance(header, dict):
        raise Error(f"{path}: not a safetensors file: expected an object of tensors")
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not _is_entry(entry):
            raise Error(f"{path}: tensor '{name}': expected dtype, shape and two "
                        f"data_offsets, got {str(entry)[:80]}")
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in NUMPY_TYPES:
            raise Error(f"{path}: tensor '{name}': unknown type "
                        f"{entry['dtype']}")
        width = np.dtype(NUMPY_TYPES[entry["dtype"]]).itemsize
        want = width * int(np.prod(entry["shape"], dtype=np.int64))
        if end - begin != want or 8 + length + end > size:
            raise Error(f"{path}: tensor '{name}': expected {want} bytes in "
                        f"the file, got {end - begin} at {8 + length + begin} "
                        f"of {size}")
        tensors[name] = Entry(entry["dtype"], tuple(entry["shape"]), path,
                              8 + length + begin)
    return dict(sorted(tensors.items(), key=lambda item: item[1].offset))


def read(entry):
    """The tensor, mapped and not copied; bf16 as uint16, e4m3 as uint8."""
    return np.memmap(entry.path, NUMPY_TYPES[entry.dtype], "r", entry.offset,
                     entry.shape) if np.prod(entry.shape) else np.empty(
                         entry.shape, NUMPY_TYPES[entry.dtype])


def write(path, tensors):
    """Writes {name: array}; a pair (array of uint16, "BF16") is bf16, one (array
    of uint8, "F8_E4M3") float8_e4m3fn."""
    header, data, offset = {}, [], 0
    for name, tensor in tensors.items():
        array, dtype = tensor if isinstance(tensor, tuple) else (tensor, None)
        array = np.asarray(array)
        header[name] = {"dtype": dtype or _type_name(array),
                        "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        data.append(array)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # Whoever reads while this is written sees the old file or the new one.
    scratch = f"{path}.{os.getpid()}.tmp"
    try:
        with open(scratch, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in data:
                file.write(np.ascontiguousarray(array).tobytes())
        os.replace(scratch, path)
    finally:
        if os.path.exists(scratch):
            os.remove(scratch)


def read_checkpoint(folder):
    """{name: Entry} of all of a folder's weights, in one file or sharded."""
    index = os.path.join(folder, "model.safetensors.index.json")
    single = os.path.join(folder, "model.safetensors")
    if os.path.exists(single):
        names = ["model.safetensors"]
    elif os.path.exists(index):
        try:
            with open(index, encoding="utf-8") as file:
                names = sorted(set(json.load(file)["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Error(f"{index}: expected an object with \"weight_map\", from tensors to "
                        f"shards ({error!r})") from None
    else:
        raise Error(f"{folder}: expected model.safetensors or "
                    "model.safetensors.index.json; save the model with "
                    "save_pretrained() to get them")
    tensors = {}
    for name in names:
        tensors.update(read_header(os.path.join(folder, name)))
    return tensors
