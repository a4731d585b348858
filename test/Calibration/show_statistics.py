# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints a small safetensors file of F32 and I64 tensors, sorted by name."""
import json
import struct
import sys

with open(sys.argv[1], "rb") as file:
    data = file.read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8 : 8 + size])
for key, value in sorted(header.pop("__metadata__", {}).items()):
    print(key, "=", value)
for name, entry in sorted(header.items()):
    begin, end = entry["data_offsets"]
    code, width = {"F32": ("f", 4), "I64": ("q", 8)}[entry["dtype"]]
    raw = data[8 + size + begin : 8 + size + end]
    print(name, "=", list(struct.unpack("<%d%s" % (len(raw) // width, code), raw)))
