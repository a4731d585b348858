#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads x86 assembly and prints, for each innermost loop with dots of bytes, what
it is made of: dots, loads of whole weight vectors, other vector instructions on
them, and how often it touches the stack.
"""
import re
import sys

labels, lines, function = {}, [], None
for line in sys.stdin:
    line = line.split("#")[0].rstrip().replace("{vex}\t", "")
    label = re.match(r"^(\S+):$", line)
    if label:
        name = label.group(1)
        if not name.startswith(".L"):
            function = name.strip('"')
            labels = {}
            lines = []
            print("function", function)
        labels[name] = len(lines)
        continue
    if re.match(r"^\t[a-z]", line):
        lines.append(line.strip())
        jump = re.match(r"^j\w+\s+(\.L\S+)$", line.strip())
        if jump and jump.group(1) in labels:
            body = lines[labels[jump.group(1)]:]
            # Another jump inside: not innermost.
            if any(re.match(r"^j", b) for b in body[:-1]):
                continue
            dots = sum(b.startswith(("vpdpbusd", "vpmaddubsw")) for b in body)
            if dots == 0:
                continue
            loads = sum(bool(re.match(r"vmov\w+\s+[^%]*\(.*, %[yz]mm", b)) for b in body)
            unpack = sum(bool(re.match(r"(vpand|vpsrl|vpternlog|vpor)", b)) for b in body)
            scalar = sum(bool(re.match(r"(vpextr|vpinsr|movzx|vpmovzx|vpunpck|vpshuf)", b)) for b in body)
            stack = sum("%rsp" in b for b in body)
            fetch = sum(b.startswith("prefetch") for b in body)
            print("  loop: dots %d loads %d unpack %d scalar %d stack %d prefetch %d"
                  % (dots, loads, unpack, scalar, stack, fetch))
