# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks figures that qk-run prints: within.py NAME EXPECTED TOLERANCE ...

Reads standard input for lines `NAME: VALUE`. A tolerance is absolute, or a part
of what is expected (5%). Every figure named must be there once and in bounds.
"""
import sys

lines = sys.stdin.read().splitlines()
sys.stdout.write("\n".join(lines) + "\n")
bad = 0
arguments = sys.argv[1:]
for i in range(0, len(arguments), 3):
    name, expected, tolerance = arguments[i : i + 3]
    wanted = float(expected)
    slack = float(tolerance.rstrip("%")) * (wanted / 100 if "%" in tolerance else 1)
    found = [line.split()[1] for line in lines if line.startswith(name + ": ")]
    if len(found) != 1 or not abs(float(found[0]) - wanted) <= slack:
        print("expected %s of %s +- %s, got %s" % (name, expected, tolerance, found))
        bad = 1
sys.exit(bad)
