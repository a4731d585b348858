#!/usr/bin/env python3
"""Runs every exported module for which expected.json has a stock run and
compares its result with the framework's.

usage: run-exported.py QK-RUN FOLDER [--only=SUBSTRING] [--route=ROUTE]

A result passes where its largest difference or its relative error is at most
SLACK times that of the stock compiler (which sums in another order), plus one
rounding of the result's type. Prints a line a module; fails where one does.
"""
import json
import os
import re
import subprocess
import sys

SLACK = 1.5
# Where the stock run is exact, or as good as: one unit in the last place.
FLOOR = {"f32": 3e-7, "f16": 1e-3, "bf16": 8e-3}


def element_type(name):
    for kind in ("bf16", "f16"):
        if "-" + kind in name:
            return kind
    return "f32"


def main():
    options = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--"))
    qk_run, folder = [a for a in sys.argv[1:] if not a.startswith("--")]
    with open(os.path.join(folder, "expected.json")) as f:
        cases = json.load(f)
    bad = ran = skipped = 0
    for name, case in sorted(cases.items()):
        if not case.get("stock_run") or options.get("only", "") not in name:
            continue
        if options.get("route", case["route"]) != case["route"]:
            continue
        weights = [case["weights"]] if case["weights"] else []  # None: inline
        paths = weights + case["inputs"] + case["outputs"]
        if any(not os.path.exists(os.path.join(folder, p)) for p in paths):
            skipped += 1
            continue
        command = [qk_run, name, "--expect=" + case["outputs"][0], "--atol=1e9"]
        command += ["--weights=" + w for w in weights]
        command += ["--input=" + i for i in case["inputs"]]
        try:
            run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            ran, bad = ran + 1, bad + 1
            print(f"FAIL {name}: still running after 300 seconds")
            continue
        found = re.search(r"largest difference ([^ ,]+).* relative error ([^ :]+)", run.stdout)
        ran += 1
        if run.returncode or not found:
            bad += 1
            print(f"FAIL {name}: exit {run.returncode}: {run.stderr.strip()[-400:]}")
            continue
        largest, relative = float(found[1]), float(found[2])
        stock = case["stock_run"]
        floor = FLOOR[element_type(name)]
        good = relative <= SLACK * stock["rel"] + floor
        bad += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: max abs {largest:.2g} "
              f"(stock {stock['max abs']:.2g}), rel {relative:.2g} (stock {stock['rel']:.2g})")
        sys.stdout.flush()
    print(f"{ran - bad} of {ran} modules agree, {skipped} without data")
    return 1 if bad or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
