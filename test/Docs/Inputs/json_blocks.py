# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""json_blocks.py FILE.md FOLDER: writes the json blocks as 0.json, 1.json, …"""
import os
import re
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    blocks = re.findall(r"^```json\n(.*?)^```", file.read(), re.M | re.S)
for number, block in enumerate(blocks):
    with open(os.path.join(sys.argv[2], "%d.json" % number), "w") as file:
        file.write(block)
