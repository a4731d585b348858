# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime on what quant-llm-to-onnx writes: its ops, read by IREE's Python
bindings and put into an ONNX model as they are, give what the codes say; raised
again, the same numbers.

By itself: QK_SOURCE, QK_BUILD and QK_LIBRARY as utils/check-clients sets them.
"""

import sys

import numpy as np

ENVIRONMENT = "iree"
PACKAGES = ["iree-base-compiler", "onnxruntime", "onnx", "numpy", "safetensors"]

import onnx
import onnxruntime
import qk
from iree.compiler import ir
from onnx import helper, numpy_helper

from layers import difference, make_layer

VERSION = "ONNX Runtime " + onnxruntime.__version__

# What is exchanged: name, shape, element type, bias, method, its options, the op.
LAYERS = [
    (f"{bits} bits, {'symmetric' if symmetric else 'zero points'}", 24, 96, "f32", False, "rtn",
     dict(bits=bits, group_size=32, symmetric=symmetric, scale_type="f32"),
     "DequantizeLinear" if bits == 3 else "MatMulNBits")
    for bits in (2, 3, 4, 8) for symmetric in (False, True)] + [
    ("4 bits, groups of 32 in 100 columns", 24, 100, "f32", False, "rtn",
     dict(bits=4, group_size=32, scale_type="f32"), "MatMulNBits"),
    ("4 bits, groups of 24", 20, 96, "f32", False, "rtn",
     dict(bits=4, group_size=24, scale_type="f32"), "DequantizeLinear"),
    ("8 bits, one scale a channel", 24, 96, "f32", False, "rtn",
     dict(bits=8, group_size=-1, symmetric=True, scale_type="f32"), "DequantizeLinear"),
    ("4 bits, a permutation", 24, 96, "f32", False, "gptq",
     dict(bits=4, group_size=32, static_groups=False, effort="fast", scale_type="f32"),
     "MatMulNBits"),
]


def read(text):
    """The ONNX ops of a module with one function of one argument."""
    with ir.Context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(text)
        function = module.body.operations[0]
        nodes, constants = [], []
        block = function.regions[0].blocks[0]
        names = {block.arguments[0]: "x"}
        for op in block.operations:
            operands = [names[value] for value in op.operands if value in names]
            if op.name in ("torch_c.from_builtin_tensor", "torch_c.to_builtin_tensor"):
                names[op.results[0]] = operands[0]
                continue
            if op.name == "func.return":
                return nodes, constants, operands[0]
            kind = ir.StringAttr(op.attributes["name"]).value.removeprefix("onnx.")
            name = names[op.results[0]] = f"v{len(names)}"
            if kind == "Constant":
                value = ir.DenseElementsAttr(op.attributes["torch.onnx.value"])
                constants.append(numpy_helper.from_array(np.array(value), name))
                continue
            attributes = {}
            for key in ("axis", "block_size", "K", "N", "bits"):
                if "torch.onnx." + key in op.attributes:
                    attributes[key] = ir.IntegerAttr(op.attributes["torch.onnx." + key]).value
            if kind == "Transpose":
                attributes["perm"] = [ir.IntegerAttr(value).value for value in
                                      ir.ArrayAttr(op.attributes["torch.onnx.perm"])]
            nodes.append(helper.make_node(
                kind, operands, [name], domain="com.microsoft" if kind == "MatMulNBits" else "",
                **attributes))
    sys.exit("expected a return")


def run(text, x, n, expected_op):
    nodes, constants, result = read(text)
    if expected_op not in [node.op_type for node in nodes]:
        sys.exit(f"expected {expected_op}, got {[node.op_type for node in nodes]}")
    graph = helper.make_graph(
        nodes, "layer",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["m", x.shape[1]])],
        [helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, ["m", n])], constants)
    model = helper.make_model(graph, ir_version=10, opset_imports=[
        helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])
    options = onnxruntime.SessionOptions()
    # See onnx_runtime.py.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def main():
    worst = 0
    for what, n, k, element, bias, method, options, op in LAYERS:
        text, x = make_layer(n, k, element, bias, method, options)
        ours = qk.compile(text, activations="float")(x)
        module = str(qk.Module(text).run("quant-llm-to-onnx"))
        value = difference(ours, run(module, x, n, op))
        print(f"  {what}, {op}: {value:.2g}", flush=True)
        if not value <= 2e-6:
            sys.exit(f"{what}: expected at most 2e-06, got {value}")
        worst = max(worst, value)
        if method == "gptq":
            continue  # The Gather that permutes stays.
        raised = qk.Module(module).run("quant-llm-raise-quantized")
        if not np.array_equal(ours, qk.compile(raised, activations="float")(x)):
            sys.exit(f"{what}: expected the same numbers from what is raised again:\n{raised}")
    print(f"| {VERSION} | `quant-llm-to-onnx`: one layer each of {len(LAYERS)} kinds (2, 3, 4 and "
          "8 bits, symmetric and not, tails, permutation), as `MatMulNBits` and "
          f"`DequantizeLinear` | {worst:.1g} of the largest value |")


main()
