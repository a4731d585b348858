# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The generic form of a JAX export with the locations that JAX gives the first
function's arguments: those of a map (argN: path), behind `p`."""
import json
import re
import sys

with open(sys.argv[1]) as file:
    names = json.load(file)
with open(sys.argv[2]) as file:
    text = file.read()


def located(match):
    arguments = re.split(r", (?=%)", match[1])
    for i, argument in enumerate(arguments):
        name = names.get("arg%d" % i)
        arguments[i] = argument + (' loc("p%s")' % name if name else "")
    return "^bb0(" + ", ".join(arguments) + "):"


sys.stdout.write(re.sub(r"\^bb0\(([^\n]*)\):", located, text, count=1))
