# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes and reads files, good and bad, in the working folder."""

import json

import numpy as np
from qk import Error, files


def message(function, *arguments):
    try:
        function(*arguments)
    except Error as error:
        return error
    return "no error"


def raw(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)


tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3),
           "b": np.array([1, -2], np.int64), "c": np.empty((0, 4), np.float16),
           "half": (np.array([0x3F80, 0x4000], np.uint16), "BF16")}
files.write("all.safetensors", tensors)
header = files.read_header("all.safetensors")
for name, tensor in tensors.items():
    array, dtype = tensor if isinstance(tensor, tuple) else (tensor, None)
    got = files.read(header[name])
    assert got.dtype == array.dtype and got.shape == array.shape, name
    assert np.array_equal(got, array), name
    assert dtype in (None, header[name].dtype), name
print("round trip:", *header)
offsets = [entry.offset for entry in header.values()]
print("offsets in order:", offsets == sorted(offsets))

files.write("model-1.safetensors", {"x": tensors["a"]})
files.write("model-2.safetensors", {"y": tensors["b"]})
with open("model.safetensors.index.json", "w") as file:
    json.dump({"weight_map": {"x": "model-1.safetensors",
                              "y": "model-2.safetensors"}}, file)
checkpoint = files.read_checkpoint(".")
print("sharded:", *(checkpoint[name].path[2:] for name in "xy"))
print("no folder:", message(files.read_checkpoint, "nowhere"))

with open("short.safetensors", "wb") as file:
    file.write((1000000).to_bytes(8, "little") + b"{}  ")
print("short:", message(files.read_header, "short.safetensors"))
raw("text.safetensors", b"not json at all")
print("text:", message(files.read_header, "text.safetensors"))
entry = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
raw("cut.safetensors", {"a": entry}, b"1234")
print("cut:", message(files.read_header, "cut.safetensors"))
raw("type.safetensors", {"a": dict(entry, dtype="F8")}, bytes(24))
print("type:", message(files.read_header, "type.safetensors"))
print("missing:", message(files.read_header, "nowhere.safetensors"))
raw("list.safetensors", b"[1]     ")
print("list:", message(files.read_header, "list.safetensors"))
raw("entry.safetensors", {"a": dict(entry, data_offsets=[-24, 0])}, bytes(24))
print("entry:", message(files.read_header, "entry.safetensors"))
with open("model.safetensors.index.json", "w") as file:
    file.write('{"weight_map": [1]}')
print("index:", message(files.read_checkpoint, "."))
print("complex:", message(files.write, "none.safetensors",
                          {"a": np.zeros(2, np.complex128)}))
