#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All kernels of all linalg models of a folder assemble, for several chips.

  import.py QK-OPT PTXAS FOLDER SCRATCH

FOLDER/expected.json says which weights a model is with, and what a stock tool
says of its text: what is in the custom syntax of a dialect that is not linked
is there in generic form, too. Skipped is what can't be read so, or has no
weights there (a model that is fetched apart).
"""

import json
import os
import subprocess
import sys

CHIPS = ["sm_80", "sm_90a", "sm_120"]


def main():
    qk_opt, ptxas, folder, scratch = sys.argv[1:]
    check = os.path.join(os.path.dirname(__file__), "check_ptxas.py")
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        cases = json.load(file)
    models = bad = 0
    for name, case in sorted(cases.items()):
        if ".linalg." not in name:
            continue
        weights = case["weights"]
        path = os.path.join(folder, weights or name)
        if not os.path.exists(path):
            print(f"skipped {name}: no {weights}")
            continue
        if (not case["mlir_opt_22"].startswith("reads")
                and ".generic." not in name):
            print(f"skipped {name}: {case['mlir_opt_22']}")
            continue
        models += 1
        codes = os.path.join(scratch, "codes.mlirbc")
        os.makedirs(scratch, exist_ok=True)
        flags = [f"--weights={path}"] if weights else []
        done = subprocess.run(
            [qk_opt, "--allow-unregistered-dialect", *flags, os.path.join(folder, name), "--rtn=group-size=32",
             "--quant-llm-evaluate", "--emit-bytecode", "-o", codes],
            capture_output=True, text=True)
        if done.returncode:
            print(f"FAIL {name}: {done.stderr.strip()[-300:]}")
            bad += 1
            continue
        for chip in CHIPS:
            out = os.path.join(scratch, f"{name}.{chip}")
            done = subprocess.run(
                [qk_opt, "--allow-unregistered-dialect", codes, "-o",
                 os.devnull,
                 f"--lower-to-nvvm=host=keep chip={chip} artifacts={out}"],
                capture_output=True, text=True)
            said = done.stderr
            if not done.returncode:
                done = subprocess.run([sys.executable, check, ptxas, out],
                                      capture_output=True, text=True)
                said = done.stdout + done.stderr
            bad += done.returncode != 0
            print("FAIL" if done.returncode else "ok  ", name,
                  said.strip().splitlines()[-1] if said.strip() else chip,
                  flush=True)
    print(f"{models} models, {bad} failed")
    return bad != 0 or not models


sys.exit(main())
