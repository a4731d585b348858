#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Scales and folds in modules of StableHLO and of torch ops, has torch-mlir-opt
(beside the Python of $QK_PYTHON) bring the result to linalg, and compares what it
computes with the framework's output: a relative error of 1e-5 at most.

usage: fold-unlinked.py TOOLS FOLDER SCRATCH
"""
import importlib.util
import json
import os
import re
import sys

CASES = ("stories260K-layer-f32", "stories260K-attention-f32", "stories260K-f32-s32", "qwen2-f32")
TO_LINALG = {
    "stablehlo": ["--stablehlo-legalize-to-linalg"],
    "torch": ["--pass-pipeline=builtin.module(func.func(torch-decompose-complex-ops,canonicalize,"
              "convert-torch-to-tmtensor,convert-torch-to-linalg,convert-torch-to-arith,convert-torch-to-tensor,"
              "canonicalize),torch-func-backend-type-conversion,func.func(torch-finalizing-backend-type-conversion))"],
}
GENERIC = ["--allow-unregistered-dialect", "--mlir-print-op-generic"]


def load_fold_exported():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fold-exported.py")
    spec = importlib.util.spec_from_file_location("fold_exported", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    tools, folder, scratch = sys.argv[1:]
    os.makedirs(scratch, exist_ok=True)
    common = load_fold_exported()
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    exporter = os.path.join(os.path.dirname(os.environ.get("QK_PYTHON", "")), "torch-mlir-opt")
    if not os.path.exists(exporter):
        print("no torch-mlir-opt beside", os.environ.get("QK_PYTHON"))
        return
    with open(os.path.join(folder, "expected.json")) as file:
        expected = json.load(file)
    at = lambda name: os.path.join(folder, name)
    into = lambda name: os.path.join(scratch, name)
    folded = stay = bad = 0
    for name in CASES:
        inputs = [at(i) for i in expected[name + ".linalg.ext.mlir"]["inputs"]]
        common.write_samples(into("samples.safetensors"), inputs, False)
        for route in ("stablehlo", "torch"):
            case = expected[f"{name}.{route}.generic.ext.mlir"]
            weights = "--weights=" + at(case["weights"])
            steps = [
                [qk_opt, "--weights=" + at(expected[name + ".linalg.ext.mlir"]["weights"]),
                 "--calibrate=inputs=" + into("samples.safetensors"), "--quant-llm-raise-linear",
                 "--quant-llm-write-statistics=output=" + into("stats.safetensors"), at(name + ".linalg.ext.mlir"),
                 "-o", os.devnull],
                [qk_opt, *GENERIC, weights, "--calibrate=stats=" + into("stats.safetensors"),
                 "--smoothquant=round=false alpha=0.5 layers=all", at(f"{name}.{route}.generic.ext.mlir"), "-o",
                 into("folded.mlir")],
                [exporter, *GENERIC, *TO_LINALG[route], into("folded.mlir"), "-o", into("linalg.mlir")],
                [qk_run, into("linalg.mlir"), *["--input=" + i for i in inputs], "--expect=" + at(case["outputs"][0]),
                 "--atol=1e9"]]
            problem = ""
            for step in steps:
                result = common.run(*step)
                stay += result.stderr.count("stays an op that runs")
                if result.returncode:
                    problem = os.path.basename(step[0]) + " failed: " + result.stderr.strip()[-300:]
                    break
            else:
                error = re.search(r"relative error ([-+.\de]+)", result.stdout)
                if not error or not float(error[1]) <= 1e-5:
                    problem = "expected a relative error of at most 1e-5, got " + result.stdout.strip()
            folded += 1
            bad += bool(problem)
            print(f"{'FAIL' if problem else 'ok  '} {name} {route} {problem}", flush=True)
    print(f"{folded} folded, {stay} stay, {bad} failed")
    sys.exit(bad != 0)


main()
