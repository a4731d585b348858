#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Raises every exported module that MLIR 22 reads, by every route, and compares
what is found with expected.json. Modules of linalg and TOSA ops it then lowers, by
the reference, by --lower-to-cpu=arithmetic=plain and by --lower-to-cpu, runs, and
compares the results with the framework's, for both inputs where a dimension is
dynamic.

usage: raise-exported.py TOOLS FOLDER SCRATCH [--only=SUBSTRING]

Found must be exactly the layers expected: number, N, K and bias of each, and
nothing else. (A head with a weight of its own is a linear layer as long as no
checkpoint names it.) The result may differ by what the stock compiler's does: its
figures in expected.json, literally, for the reference and for plain arithmetic, which
is that of the stock compiler's loops. By default --lower-to-cpu sums what is long in
another order: by SLACK times those, so by nothing where they are 0.
Where there is no stock figure it may differ by LIMIT. Modules with ops of other
compilers are raised and not run. Weights that are arguments (JAX) are named by a
map: JAX sorts them as the file does.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
from exported_cases import cases, check_found, element_type, run, runs, samples

# Of a case whose stock run is missing: 1.5 times the largest of the others', and one
# rounding of the result's type.
LIMIT = {"f32": 1.8e-6, "f16": 2e-3, "bf16": 1e-2}
SLACK = 1.04
# Ways to run a module, and how much of the figures' relative error each may take.
LOWERINGS = {"--quant-llm-to-reference": 1, "--lower-to-cpu=arithmetic=plain": 1, "--lower-to-cpu": SLACK}


def check_result(qk_opt, qk_run, folder, scratch, options, name, case, lowering):
    """Of one of LOWERINGS."""
    lowered = os.path.join(scratch, name)
    result = run(qk_opt, *options, "--quant-llm-raise-linear",
                 lowering, os.path.join(folder, name), "-o", lowered)
    if result.returncode:
        return "lowering failed: " + result.stderr.strip()[-300:]
    kind = element_type(name)
    problem = ""
    for suffix, inputs, output in samples(folder, case):
        # The stock compiler was run on the first input.
        stock = {} if suffix else case.get("stock_run") or {}
        absolute = stock.get("max abs", 1e9)
        relative = LOWERINGS[lowering] * stock.get("rel", LIMIT[kind])
        result = run(qk_run, lowered, "--expect=" + output, "--rtol=0", "--atol=" + repr(absolute),
                     *["--input=" + f for f in inputs])
        found = re.search(r"largest difference ([-+.\de]+).* relative error ([-+.\de]+)", result.stdout)
        if not found:
            return "running failed: " + result.stderr.strip()[-300:]
        # Figures are printed with three digits.
        if result.returncode or not float(found[2]) <= 1.005 * relative:
            problem += (f"{lowering}: expected a largest difference of at most {absolute:.3g} and a relative error of at most "
                        f"{relative:.3g}, got {found[1]} and {found[2]} ")
    return problem


def main():
    only = next((a[7:] for a in sys.argv[1:] if a.startswith("--only=")), "")
    tools, folder, scratch = [a for a in sys.argv[1:] if not a.startswith("--")]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    bad = raised = ran = 0
    for name, case, real, options in cases(folder, scratch, only):
        result = run(qk_opt, *options, "--quant-llm-raise-linear", os.path.join(folder, name))
        raised += 1
        problem = result.stderr.strip()[-300:] if result.returncode else check_found(result.stdout, case)
        if not problem and real and runs(folder, name, case):
            ran += 1
            for lowering in LOWERINGS:
                problem += check_result(qk_opt, qk_run, folder, scratch, options, name, case, lowering)
        bad += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name} {problem}", flush=True)
    print(f"{raised} raised, {ran} run, {bad} failed")
    sys.exit(bad != 0 or (not only and ran < 45))


main()
