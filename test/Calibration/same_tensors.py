# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""same_tensors.py A B PREFIX: whether the tensors of two safetensors files
whose names start with PREFIX have the same bytes; fails where not, or where
there are none."""
import json
import struct
import sys


def tensors(path, prefix):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name.startswith(prefix):
            begin, end = entry["data_offsets"]
            found[name] = data[8 + size + begin : 8 + size + end]
    return found


a, b = (tensors(path, sys.argv[3]) for path in sys.argv[1:3])
different = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
print(f"{len(a)} tensors, different: {different}")
sys.exit(not a or bool(different))
