#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assembles kernels.ptx and judges what ptxas says.

  check_ptxas.py PTXAS FOLDER [--table]

FOLDER is what `artifacts=` wrote. Every kernel of kernels.json must assemble
for its chip without a spill or local memory, within its max_registers if it has
some, and without a word of ptxas that it serialises wgmma (C75xx). --table prints
registers, shared bytes and stack of each.
"""

import json
import re
import subprocess
import sys
import tempfile


def main():
    ptxas, folder = sys.argv[1:3]
    description = json.load(open(f"{folder}/kernels.json", encoding="utf-8"))
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        done = subprocess.run(
            [ptxas, f"-arch={description['chip']}", "-O3", "-v",
             "--warn-on-spills", "--warn-on-local-memory-usage", "-o",
             cubin.name, f"{folder}/{description['file']}"],
            capture_output=True, text=True)
    log = done.stdout + done.stderr
    if done.returncode:
        sys.exit(f"ptxas failed:\n{log}")
    found = {}
    bad = 0
    for line in log.splitlines():
        if re.search(r"\(C75\d\d\)|serializ", line):
            print(line)
            bad += 1
    for part in log.split("Compiling entry function '")[1:]:
        name = part.split("'", 1)[0]
        numbers = {key: int(value) for value, key in re.findall(
            r"(\d+) bytes (stack frame|spill stores|spill loads|smem)", part)}
        numbers["registers"] = int(re.search(r"Used (\d+) registers",
                                             part).group(1))
        found[name] = numbers
    for kernel in description["kernels"]:
        got = found[kernel["name"]]
        wrong = [f"{got[key]} bytes {key}" for key in
                 ("stack frame", "spill stores", "spill loads") if got[key]]
        # Quantisers and loops have no bound of their own.
        bound = kernel.get("max_registers", 255)
        if got["registers"] > bound:
            wrong.append(f"{got['registers']} registers, expected at most "
                         f"{bound}")
        shared = kernel.get("static_shared_bytes", 0)
        if got.get("smem", 0) < shared:
            wrong.append(f"{got.get('smem', 0)} bytes of shared memory, "
                         f"expected {shared}")
        if wrong:
            print(f"{kernel['name']}: {', '.join(wrong)}")
            bad += 1
        if "--table" in sys.argv:
            print(kernel["name"], got)
    print(f"{description['chip']}: {len(description['kernels'])} kernels, "
          f"{bad} bad, at most "
          f"{max(k['registers'] for k in found.values())} registers")
    return 1 if bad else 0


sys.exit(main())
