#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the examples of the documentation.

  examples.py QK-OPT FILE-OR-FOLDER...

Takes ODS (.td) and Markdown (.md) files; of a folder, all of them.

In ODS files every ```mlir block of a description, in Markdown files every
```mlir block, must parse and verify. In the description of a pass, a block,
a line `==>` and a second block mean: the pass turns the first into the second
(compared as qk-opt prints them). A block of a pass that leaves something out
(`...` or `…`) is a sketch and is counted, not run; one of an op must be whole.
Prints what fails; the status says whether anything did, or that there was no
example at all.
"""

import os
import re
import subprocess
import sys
import textwrap

BLOCK = re.compile(r"^([ \t]*)```mlir[^\n]*\n(.*?)^[ \t]*```", re.M | re.S)
DESCRIPTION = re.compile(r"let description = \[\{(.*?)\}\];", re.S)
PASS = re.compile(r'^def \w+\s*:\s*Pass<\s*"([^"]+)"', re.M)


def run(qk_opt, text, *flags):
    """What qk-opt prints for `text`, and its errors (None: it succeeded)."""
    done = subprocess.run([qk_opt, "--allow-unregistered-dialect", *flags],
                          input=text, capture_output=True, text=True)
    return done.stdout, done.stderr if done.returncode else None


def descriptions(path, text):
    """(first line, pass name or None, description)."""
    if not path.endswith(".td"):
        yield 1, None, text
        return
    passes = [(m.start(), m.group(1)) for m in PASS.finditer(text)]
    definitions = [m.start() for m in re.finditer(r"^(def|class) ", text, re.M)]
    for found in DESCRIPTION.finditer(text):
        owner = max((d for d in definitions if d < found.start()), default=-1)
        name = next((n for start, n in passes if start == owner), None)
        yield text.count("\n", 0, found.start(1)) + 1, name, found.group(1)


def check(qk_opt, path):
    text = open(path, encoding="utf-8").read()
    examples = failures = sketches = 0
    for line, pass_name, description in descriptions(path, text):
        blocks = [(m.start(), m.end(), textwrap.dedent(m.group(2)))
                  for m in BLOCK.finditer(description)]
        printed = []
        for start, _, code in blocks:
            if pass_name and re.search(r"\.\.\.|…", code):
                sketches += 1
                printed.append(None)
                continue
            examples += 1
            where = f"{path}:{line + description.count(chr(10), 0, start)}"
            out, error = run(qk_opt, code)
            printed.append(out if error is None else None)
            if error is not None:
                failures += 1
                print(f"{where}: example does not parse\n{error}")
        for i in range(len(blocks) - 1):
            between = description[blocks[i][1]:blocks[i + 1][0]].strip()
            if not pass_name or between != "==>" or None in printed[i:i + 2]:
                continue
            where = f"{path}:{line + description.count(chr(10), 0, blocks[i][0])}"
            got, error = run(qk_opt, blocks[i][2], "--" + pass_name)
            if error is not None or got != printed[i + 1]:
                failures += 1
                print(f"{where}: --{pass_name} does not make the second example "
                      f"of the first; got\n{error or got}expected\n{printed[i + 1]}")
    return examples, failures, sketches


def main():
    qk_opt, *paths = sys.argv[1:]
    examples = failures = sketches = 0
    files = []
    for path in paths:
        files += [path] if path.endswith((".td", ".md")) else sorted(
            os.path.join(folder, name) for folder, _, names in os.walk(path)
            for name in names if name.endswith((".td", ".md")))
    for path in files:
        more, failed, left_out = check(qk_opt, path)
        examples += more
        failures += failed
        sketches += left_out
    print(f"{examples} examples, {failures} failures, {sketches} sketches")
    return 1 if failures or not examples else 0


if __name__ == "__main__":
    sys.exit(main())
