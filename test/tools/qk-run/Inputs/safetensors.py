#!/usr/bin/env python3
"""Writes a safetensors file: safetensors.py FILE NAME:DTYPE:SHAPE:VALUES ...

SHAPE is 2x3 (empty for a scalar); VALUES are separated by commas, one value is
repeated. Example: arg0:I64:1x4:1,2,3,4
"""
import json
import struct
import sys

FORMATS = {"I64": "q", "I32": "i", "F32": "f", "F64": "d", "U8": "B", "BOOL": "?"}
header, data = {}, b""
for text in sys.argv[2:]:
    name, dtype, shape, values = text.split(":")
    shape = [int(s) for s in shape.split("x")] if shape else []
    count = 1
    for size in shape:
        count *= size
    values = [float(v) if dtype[0] == "F" else int(v) for v in values.split(",")]
    if len(values) == 1 and count != 1:
        values *= count
    begin = len(data)
    data += struct.pack("<%d%s" % (count, FORMATS[dtype]), *values)
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, len(data)]}
text = json.dumps(header).encode()
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
