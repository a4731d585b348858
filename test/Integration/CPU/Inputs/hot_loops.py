#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads assembly (x86-64, AArch64 with --neon) and prints, for each innermost
loop with dots of bytes, what it is made of: dots, loads of whole weight vectors
(all vectors, with NEON), other vector instructions on them, and how often it
touches the stack.
"""
import re
import sys


class X86:
    comment = "#"
    jump = r"^j\w+\s+(\.L\S+)$"
    any_jump = r"^j"
    dot = r"(vpdpbusd|vpmaddubsw)"
    load = r"vmov\w+\s+[^%]*\(.*, %[yz]mm"
    unpack = r"(vpand|vpsrl|vpternlog|vpor)"
    scalar = r"(vpextr|vpinsr|movzx|vpmovzx|vpunpck|vpshuf)"
    stack = r".*%rsp"
    prefetch = r"prefetch"


class NEON:
    comment = "//"
    jump = r"^(?:b\.\w+|cbn?z|tbn?z)\s+(?:\S+,\s*)*(\.L\S+)$"
    any_jump = r"^(b\.|b\s|cbn?z|tbn?z)"
    dot = r"(sdot|usdot|usmmla)"
    load = r"(ldr|ldur|ldp)\s+q"
    unpack = r"(and|ushr|shl|sli|eor|zip|uzp)\S*\s+v"
    scalar = r"(umov|smov|dup|ins|ext|tbl|sshll|ushll)"
    stack = r".*\[sp"
    prefetch = r"prfm"


machine = NEON if "--neon" in sys.argv[1:] else X86
labels, lines = {}, []
for line in sys.stdin:
    line = line.split(machine.comment)[0].rstrip().replace("{vex}\t", "")
    label = re.match(r"^(\S+):$", line)
    if label:
        name = label.group(1)
        if not name.startswith(".L"):
            labels = {}
            lines = []
            print("function", name.strip('"'))
        labels[name] = len(lines)
        continue
    if not re.match(r"^\t[a-z]", line):
        continue
    lines.append(line.strip())
    jump = re.match(machine.jump, line.strip())
    if not jump or jump.group(1) not in labels:
        continue
    body = lines[labels[jump.group(1)]:]
    # Another jump inside: not innermost.
    if any(re.match(machine.any_jump, b) for b in body[:-1]):
        continue

    def count(pattern):
        return sum(bool(re.match(pattern, b)) for b in body)

    if count(machine.dot) == 0:
        continue
    print("  loop: dots %d loads %d unpack %d scalar %d stack %d prefetch %d"
          % (count(machine.dot), count(machine.load), count(machine.unpack),
             count(machine.scalar), count(machine.stack),
             count(machine.prefetch)))
