# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime on what `python -m qk.onnx` writes: logits as qk's own code
computes them from the same codes.

By itself: QK_SOURCE, QK_BUILD and QK_LIBRARY as utils/check-clients sets them.
"""

import os
import sys

import numpy as np

ENVIRONMENT = "iree"
PACKAGES = ["onnxruntime", "onnx", "numpy", "safetensors"]

import onnx
import onnxruntime
import qk
import qk.onnx
from safetensors.numpy import load_file

import stories_onnx

FOLDER = os.path.join(os.environ["QK_SOURCE"], "examples", "stories260K")
WORK = os.environ.get("QK_WORK", ".")
VERSION = "ONNX Runtime " + onnxruntime.__version__

# Method, its options, the form asked for.
KINDS = [
    ("rtn", dict(bits=4, group_size=32), "auto"),
    ("gptq", dict(bits=4, group_size=32, effort="fast"), "auto"),
    ("gptq", dict(bits=3, group_size=32, effort="fast"), "auto"),
    ("rtn", dict(bits=2, group_size=16), "auto"),
    ("rtn", dict(bits=8, group_size=32, symmetric=True), "auto"),
    ("rtn", dict(bits=8, group_size=-1), "auto"),
    ("rtn", dict(bits=4, group_size=24), "auto"),
    ("gptq", dict(bits=4, group_size=32, effort="fast", static_groups=False), "auto"),
    ("rtn", dict(bits=3, group_size=32), "DequantizeLinear"),
]


def run(path, samples):
    options = onnxruntime.SessionOptions()
    # By default DequantizeLinear and MatMul are fused into a product that rounds
    # activations to 8 bits; 0 is the type of the model.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([
        session.run(None, {"tokens": samples["arg0"][i], "mask": samples["arg1"][i]})[0]
        for i in range(4)])


def ours(text, samples, method, options, statistics):
    module = qk.quantize(text, method, scale_type="f32", statistics=statistics, **options)
    compiled = qk.compile(module, activations="float")
    return np.concatenate([compiled(samples["arg0"][i], samples["arg1"][i]) for i in range(4)])


def main():
    samples = load_file(f"{FOLDER}/evaluation.safetensors")
    with open(f"{FOLDER}/model.mlir") as file:
        text = file.read().replace('model = "model.safetensors"',
                                   f'model = "{FOLDER}/model.safetensors"')
    source = os.path.join(WORK, "stories.onnx")
    onnx.save_model(stories_onnx.build(FOLDER), source)
    expected = qk.compile(text)
    floats = np.concatenate([expected(samples["arg0"][i], samples["arg1"][i]) for i in range(4)])
    scale = np.abs(floats).max()
    if np.abs(run(source, samples) - floats).max() > 1e-4 * scale:
        sys.exit("the float models differ")
    statistics = os.path.join(WORK, "statistics.safetensors")
    found = {}
    for number, (method, options, form) in enumerate(KINDS):
        target = os.path.join(WORK, f"quantised.{number}.onnx")
        model = qk.onnx.load_model(source)
        given = dict(calibration=f"{FOLDER}/calibration.safetensors",
                     write_statistics=statistics) if method != "rtn" else {}
        qk.onnx.quantize_model(model, method, form=form, scale_type="f32", **given, **options)
        qk.onnx.save_model(model, target)
        kinds = {node.op_type for node in model.graph.node} & {"MatMulNBits", "DequantizeLinear"}
        theirs = run(target, samples)
        here = ours(text, samples, method, options, statistics if method != "rtn" else None)
        value = np.abs(here - theirs).max() / np.abs(here).max()
        away = np.abs(floats - theirs).max() / scale
        print(f"  {method} {options}: {'/'.join(kinds)}, {value:.2g} (float: {away:.2g})",
              flush=True)
        if not value <= 1e-4 or not away > 5 * value:
            sys.exit(f"{method} {options}: expected at most 1e-4, and more to the float model, "
                     f"got {value} and {away}")
        for kind in kinds:
            found[kind] = max(found.get(kind, 0), value)
    for kind in sorted(found):
        print(f"| {VERSION} | `python -m qk.onnx`: stories260K as `{kind}`, round-to-nearest and "
              f"GPTQ (calibrated there), 2 to 8 bits | {found[kind]:.1g} of the largest logit |")


main()
