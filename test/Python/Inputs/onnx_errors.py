# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models and options that qk.onnx can't take, and forms that it finds.

  onnx_errors.py FOLDER
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import qk.onnx
from qk import Error, files

FOLDER = sys.argv[1]
RANDOM = np.random.default_rng(0)


def model(nodes, tensors, k=32, opset=17):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["m", k])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for n, a in tensors.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                             ir_version=10)


def matmul(name="fc.weight", shape=(32, 16), dtype=np.float32, **options):
    return model([helper.make_node("MatMul", ["x", name], ["y"], name="product")],
                 {name: RANDOM.standard_normal(shape).astype(dtype)}, shape[0], **options)


def expect(message, make, *arguments, **options):
    try:
        qk.onnx.quantize_model(make, *arguments, **options)
    except Error as error:
        assert message in str(error), f"expected '{message}', got '{error}'"
        return
    raise AssertionError(f"expected '{message}', got no error")


try:
    qk.onnx.main(["in.onnx", "out.onnx", "--option", "bits=3"])
    raise AssertionError("expected an error of the command line")
except SystemExit as error:
    assert error.code == 2, error.code
rtn = dict(method="rtn", group_size=16)
expect("missing.safetensors: No such file or directory", matmul(), calibration="missing.safetensors")
expect("expected method rtn or gptq, got 'awq'", matmul(), "awq")
expect("no MatMul or Gemm with a constant float matrix", model(
    [helper.make_node("Identity", ["x"], ["y"])], {}), **rtn)
expect("is it quantised already?", model(
    [helper.make_node("DequantizeLinear", ["c", "s"], ["w"]),
     helper.make_node("MatMul", ["x", "w"], ["y"])],
    {"c": np.ones((32, 16), np.int8), "s": np.float32(1)}), **rtn)
expect("--only pattern 'nothing' matches none of 1 layers: fc", matmul(), only=["nothing"], **rtn)
expect("none of 1 layers is left", matmul(), skip=["*"], **rtn)
expect("expected form auto, MatMulNBits or DequantizeLinear, got 'QDQ'", matmul(), form="QDQ", **rtn)
expect("MatMulNBits has groups of a power of two from 16 on, got 8", matmul(), "rtn",
       form="MatMulNBits", group_size=8)
expect("expected calibration or statistics, got both", matmul(), calibration="a", statistics="b")
expect("statistics to write come from calibration samples", matmul(), write_statistics="a")
expect("the layer's scales are not exact in f16", matmul(dtype=np.float16), scale_type="f32", **rtn)


def calibrate(tensors, message):
    path = os.path.join(FOLDER, "calibration.safetensors")
    files.write(path, tensors)
    expect(message, matmul(), calibration=path)


sample = RANDOM.standard_normal((4, 8, 32)).astype(np.float32)
calibrate({"arg1": sample}, "'arg1' is no input of the model; expected arg0 … arg0, x")
calibrate({"x": sample[0]}, "expected 'x' to have 3 dimensions, samples first, got 2")
calibrate({"mask": np.ones((4, 8), np.uint8)}, "no samples")
calibrate({"x": sample, "mask": np.ones((3, 8), np.uint8)}, "expected the mask of 4 samples, got 3")
calibrate({"x": sample * np.float32(np.inf)}, "has values that are not finite")
calibrate({"x": sample, "arg0.0": sample[0]}, "expected samples of one form")

for path, message in ((os.path.join(FOLDER, "missing.onnx"), "no such file"),
                      (__file__, "can't be read as ONNX")):
    try:
        qk.onnx.load_model(path)
        raise AssertionError(message)
    except Error as error:
        assert message in str(error), error


def weight_of(m, kind):
    """What the layer computes, by ONNX's reference evaluator."""
    from onnx.reference import ReferenceEvaluator
    assert kind in [n.op_type for n in m.graph.node], [n.op_type for n in m.graph.node]
    return ReferenceEvaluator(m).run(None, {"x": np.eye(32, dtype=np.float32)})[0]


# A Gemm with a bias, its weight [N,K]; a weight behind a Transpose; ONNX's own evaluator
# agrees with the codes.
weight = RANDOM.standard_normal((16, 32)).astype(np.float32)
bias = RANDOM.standard_normal(16).astype(np.float32)
for nodes, tensors, added in (
        ([helper.make_node("Gemm", ["x", "fc.weight", "b"], ["y"], transB=1)],
         {"fc.weight": weight, "b": bias}, bias),
        ([helper.make_node("Transpose", ["fc.weight"], ["t"], perm=[1, 0]),
          helper.make_node("MatMul", ["x", "t"], ["y"])], {"fc.weight": weight}, 0)):
    m = model(nodes, tensors, opset=21)
    names = qk.onnx.quantize_model(m, "rtn", form="DequantizeLinear", group_size=16,
                                   scale_type="f32")
    assert names == ["fc"], names
    assert all(t.name != "fc.weight" for t in m.graph.initializer)
    layer = qk.quantize(qk.onnx._module_text([qk_layer for qk_layer in [
        type("Layer", (), dict(name="fc", n=16, k=32))]]), "rtn",
        weights={"fc.weight": weight}, group_size=16, scale_type="f32").layers["fc"]
    got = weight_of(m, "DequantizeLinear")
    assert np.abs(got - (layer.dequantize().T + added)).max() < 1e-5
    assert np.abs(got - (weight.T + added)).max() > 1e-3

# GPTQ: statistics are those of the samples that the mask lets count, and the codes those
# that qk makes of them; a permutation is a Gather. Less error than round-to-nearest.
path = os.path.join(FOLDER, "gptq.safetensors")
x = (RANDOM.standard_normal((4, 8, 32)) * RANDOM.uniform(.1, 3, 32)).astype(np.float32)
mask = np.ones((4, 8), np.uint8)
mask[:, 6:] = 0
files.write(path, {"x": x, "mask": mask})
counted = x[mask.astype(bool)].astype(np.float64)
statistics = {"fc": dict(tokens=len(counted),
                         hessian=(counted.T @ counted / len(counted)).astype(np.float32),
                         absmax=np.abs(counted).max(axis=0),
                         absmean=np.abs(counted).mean(axis=0))}
text = qk.onnx._module_text([type("Layer", (), dict(name="fc", n=16, k=32))])
errors = {}
for method, options in (("rtn", {}), ("gptq", {}), ("gptq", dict(static_groups=False))):
    m = model([helper.make_node("MatMul", ["x", "fc.weight"], ["y"])], {"fc.weight": weight.T})
    options = dict(options, group_size=16, scale_type="f32", bits=3)
    qk.onnx.quantize_model(m, method, calibration=None if method == "rtn" else path, **options)
    kinds = [node.op_type for node in m.graph.node]
    assert kinds[-1] == "MatMulNBits" and ("Gather" in kinds) == ("static_groups" in options), kinds
    layer = qk.quantize(text, method, weights={"fc.weight": weight},
                        statistics=None if method == "rtn" else statistics, **options).layers["fc"]
    import onnxruntime
    got = onnxruntime.InferenceSession(m.SerializeToString()).run(
        None, {"x": counted.astype(np.float32)})[0]
    assert np.abs(got - counted @ layer.dequantize().T).max() < 1e-4 * np.abs(got).max()
    errors[kinds[0], method] = np.square(got - counted @ weight.T).sum()
assert errors["MatMulNBits", "gptq"] < .9 * errors["MatMulNBits", "rtn"], errors

# Alpha, a batch, integers: left, and said.
lines = []
m = model([helper.make_node("Gemm", ["x", "a"], ["h"], alpha=2.0, name="scaled"),
           helper.make_node("MatMul", ["h", "b"], ["i"], name="batched"),
           helper.make_node("MatMul", ["i", "fc.weight"], ["y"])],
          {"a": RANDOM.standard_normal((32, 16)).astype(np.float32),
           "b": RANDOM.standard_normal((2, 16, 32)).astype(np.float32), "fc.weight": weight.T})
assert qk.onnx.quantize_model(m, "rtn", group_size=16, log=lines.append) == ["fc"]
assert "'scaled' stays in float: alpha isn't 1" in lines, lines
assert "'batched' stays in float: its weight has 3 dimensions" in lines, lines
print("errors are well")
