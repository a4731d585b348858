# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a safetensors file for a test, without any package.

make_safetensors.py OUT [META=key=value …] NAME=DTYPE[AxB…]:VALUES …
VALUES: numbers separated by commas, repeated to fill the tensor;
`ramp`: element i is ((i * 37) % 101 - 50) / 50; integers: i % 7.
"""
import json
import re
import struct
import sys

FORMATS = {"F32": "f", "F64": "d", "F16": "e", "BF16": "f", "I64": "q", "I32": "i", "U8": "B", "I8": "b"}


def values(dtype, shape, text):
    count = 1
    for size in shape:
        count *= size
    if text == "ramp":
        if "F" in dtype:
            return [((i * 37) % 101 - 50) / 50 for i in range(count)]
        return [i % 7 for i in range(count)]
    given = [float(v) if "F" in dtype else int(v) for v in text.split(",")]
    return (given * (count // len(given) + 1))[:count]


header, data = {}, b""
for argument in sys.argv[2:]:
    if argument.startswith("META="):
        key, value = argument[5:].split("=", 1)
        header.setdefault("__metadata__", {})[key] = value
        continue
    match = re.fullmatch(r"([^=]+)=(\w+)\[([\dx]*)\]:(.*)", argument)
    name, dtype, shape, text = match.groups()
    shape = [int(size) for size in shape.split("x") if size]
    content = values(dtype, shape, text)
    packed = struct.pack("<%d%s" % (len(content), FORMATS[dtype]), *content)
    if dtype == "BF16":  # Values that bf16 has.
        packed = b"".join(packed[i + 2:i + 4] for i in range(0, len(packed), 4))
    header[name] = {
        "dtype": dtype,
        "shape": shape,
        "data_offsets": [len(data), len(data) + len(packed)],
    }
    data += packed
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<Q", len(text)) + text + data)
