#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises every exported module that MLIR 22 reads, on every route, to 4 bits in
groups of 32, by --rtn and by --gptq (without statistics: an identity Hessian).

usage: quantise-exported.py TOOLS FOLDER SCRATCH [--only=SUBSTRING]

Every layer that expected.json lists must be quantised. A module that runs is lowered
by --lower-to-cpu (after --rtn also with activations in float; of whole models only
after --rtn) and by the reference,
and what they compute of the case's inputs must agree to LIMIT; and it must not be what
the float model computes. Of others (ops of other compilers) each layer must become a
call, with host=keep. (Compiled without optimisation: that is most of the time.)
"""
import concurrent.futures
import os
import re
import sys

sys.dont_write_bytecode = True
from exported_cases import cases, element_type, expected_layers, run, runs, samples

METHODS = {
    "--rtn=group-size=32": ("--lower-to-cpu", "--lower-to-cpu=activations=float"),
    "--gptq=group-size=32": ("--lower-to-cpu",),
}
# Relative, to the reference: float activations by the order of sums, codes of 16 bits
# by their rounding; one rounding of the result's type.
LIMIT = {
    "--lower-to-cpu=activations=float": {"f32": 1e-5, "f16": 4e-3, "bf16": 2e-2},
    "--lower-to-cpu": {"f32": 1e-3, "f16": 5e-3, "bf16": 2e-2},
}
MATMUL = re.compile(r"= quant_llm\.matmul ")
CALL = re.compile(r"call_target_name = \"qk_matmul|call @qk_matmul|callee = @qk_matmul")


def difference(qk_run, module, inputs, expected):
    result = run(qk_run, "-O0", module, "--expect=" + expected, "--rtol=0", "--atol=1e9", *["--input=" + f for f in inputs])
    found = re.search(r"relative error ([-+.\de]+)", result.stdout)
    if not found:
        raise RuntimeError("running failed: " + result.stderr.strip()[-300:])
    return float(found[1])


def lower(qk_opt, options, module, lowering, output):
    result = run(qk_opt, *options, lowering, module, "-o", output)
    if result.returncode:
        raise RuntimeError(f"{lowering} failed: {result.stderr.strip()[-400:]}")


def check(qk_opt, qk_run, folder, base, options, name, case, method):
    """Raises RuntimeError with what is wrong; says whether the module was run."""
    codes = base + ".codes.mlir"
    lower(qk_opt, options, os.path.join(folder, name), method, codes)
    unregistered = ["--allow-unregistered-dialect"]
    with open(codes) as file:
        count = len(MATMUL.findall(file.read()))
    wanted = len(expected_layers(case)) if case["layers"] else case["linears"]
    if count < wanted:
        raise RuntimeError(f"expected {wanted} quantised layers, got {count}")
    if not runs(folder, name, case):
        lower(qk_opt, unregistered, codes, "--lower-to-nvvm=host=keep", base + ".keep.mlir")
        with open(base + ".keep.mlir") as file:
            calls = len(CALL.findall(file.read()))
        if calls < wanted:
            raise RuntimeError(f"expected {wanted} calls, got {calls}")
        return False
    lowerings = METHODS[method]
    # Whole models take most of the time, and compute nothing that one layer doesn't.
    if case["linears"] > 20:
        lowerings = lowerings[:1] if method.startswith("--rtn") else ()
    if not lowerings:
        return False
    reference = base + ".reference.mlir"
    lower(qk_opt, unregistered, codes, "--quant-llm-to-reference", reference)
    truth = {}
    for suffix, inputs, output in samples(folder, case):
        truth[suffix] = base + suffix + ".safetensors"
        result = run(qk_run, "-O0", reference, "--output=" + truth[suffix], *["--input=" + f for f in inputs])
        if result.returncode:
            raise RuntimeError("running the reference failed: " + result.stderr.strip()[-300:])
    for lowering in lowerings:
        limits = LIMIT[lowering]
        compiled = base + ".cpu.mlir"
        lower(qk_opt, unregistered, codes, lowering, compiled)
        for suffix, inputs, output in samples(folder, case):
            error = difference(qk_run, compiled, inputs, truth[suffix])
            if not error <= limits[element_type(name)]:
                raise RuntimeError(f"{lowering}{suffix}: expected a relative error of at most "
                                   f"{limits[element_type(name)]}, got {error}")
            moved = difference(qk_run, compiled, inputs, output)
            if not 1e-3 < moved < 0.5:
                raise RuntimeError(f"{lowering}{suffix}: expected to be near the float model and not equal to it, "
                                   f"got a relative error of {moved}")
    return True


def main():
    only = next((a[7:] for a in sys.argv[1:] if a.startswith("--only=")), "")
    tools, folder, scratch = [a for a in sys.argv[1:] if not a.startswith("--")]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")

    def work(job):
        name, case, options, method, base = job
        try:
            return check(qk_opt, qk_run, folder, base, options, name, case, method), ""
        except RuntimeError as error:
            return False, str(error)

    # Zeros say nothing.
    jobs = [(name, case, options, method, os.path.join(scratch, name + method[:6]))
            for name, case, real, options in cases(folder, scratch, only) if real for method in METHODS]
    bad = ran = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job, (was_run, problem) in zip(jobs, pool.map(work, jobs)):
            ran += was_run
            bad += bool(problem)
            print(f"{'FAIL' if problem else 'ok  '} {job[0]} {job[3]} {problem}", flush=True)
    quantised = len(jobs)
    print(f"{quantised} quantised, {ran} run, {bad} failed")
    sys.exit(bad != 0 or (not only and ran < 70))


main()
