# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""qk.quantize and qk.compile on the model of test/data."""
import sys
import warnings

import numpy as np
import qk

data = sys.argv[1]
text = open(data + "/linear-f32-2d.linalg.ext.mlir").read()
x = np.load(data + "/linear-f32-2d.in0.npy")
expected = np.load(data + "/linear-f32-2d.out.npy")
weights = data + "/linear-f32-2d.safetensors"

# Float, as it is.
y = qk.compile(text, weights=weights)(x)
assert np.abs(y - expected).max() < 1e-4, np.abs(y - expected).max()

# Quantised; the codes give what the compiled model does.
module = qk.quantize(text, "rtn", weights=weights, bits=4, group_size=16)
(layer,) = module.layers.values()
assert layer.codes.shape == (384, 384) and layer.codes.max() == 15, layer.codes.max()
assert "quant_llm.matmul" in str(module)
with_float = qk.quantize(text, "rtn", weights=weights, bits=8, group_size=16)
(fine,) = with_float.layers.values()
delta = x @ (layer.dequantize() - fine.dequantize()).T
run = qk.compile(module, activations="float")
got = run(x)
# Of 8 bits the result is nearly the float one's, which has the bias.
assert np.abs(got - (expected + delta)).max() < .05, np.abs(got - expected - delta).max()
assert np.abs(got - expected).max() > .05

# Statistics from memory matter.
h = x.T @ x / len(x) + .01 * np.eye(384, dtype=np.float32)
name = layer.name
gptq = qk.quantize(text, "gptq", weights=weights, bits=4, group_size=16, effort="fast",
                   statistics={name: {"tokens": len(x), "hessian": h}})
error = np.abs(qk.compile(gptq, activations="float")(x) - expected).mean()
assert error < .6 * np.abs(got - expected).mean(), (error, np.abs(got - expected).mean())

# Weights from memory.
linear = """
func.func @main(%x: tensor<2x8xf32>) -> tensor<2x4xf32> {
  %w = arith.constant dense_resource<fc.weight> : tensor<4x8xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4xf32>
  %i = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<2x8xf32>, tensor<4x8xf32>) outs(%i : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
"""
w = np.sin(np.arange(32, dtype=np.float32)).reshape(4, 8)
small = np.arange(16, dtype=np.float32).reshape(2, 8) / 8
assert np.allclose(qk.compile(linear, weights={"fc.weight": w})(small), small @ w.T, atol=1e-5)
quantised = qk.quantize(linear, "rtn", weights={"fc.weight": w}, bits=4, group_size=4, symmetric=True)
assert list(quantised.layers) == ["fc"]
assert np.abs(quantised.layers["fc"].dequantize() - w).max() < .1

# Floats of one byte, activations too: what both are worth by the format's definition.
absmax = {"fc": {"tokens": 2, "absmax": np.ones(8, np.float32)}}
float8 = qk.quantize(linear, "smoothquant", weights={"fc.weight": w}, format="e4m3",
                     alpha=0.5, statistics=absmax)
layer = float8.layers["fc"]
assert layer.is_float and layer.codes.dtype == np.uint8
largest = np.abs(w).max(axis=1, keepdims=True)
assert np.all(np.abs(layer.dequantize() - w) <= np.abs(w) / 16 + largest / 448 / 1024 * 2)
scale = np.abs(small).max(axis=1, keepdims=True) / 448
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    y = qk.compile(float8)(small)
steps = 2.0 ** (np.floor(np.log2(np.maximum(small / scale, 2.0 ** -6))) - 3)
rounded = np.round(small / scale / steps) * steps * scale
assert np.allclose(y, rounded @ layer.dequantize().T, atol=1e-5), y


def fails(what, call):
    try:
        call()
    except qk.Error as error:
        assert what in str(error), error
        return
    raise AssertionError("expected an error with: " + what)


fails("error", lambda: qk.Module("func.func"))
fails("got 5", lambda: qk.quantize(linear, "rtn", weights={"fc.weight": w}, bits=5))
fails("'fc.weight' to be 'tensor<4x8xf32>', got F32[8x4]",
      lambda: qk.quantize(linear, "rtn", weights={"fc.weight": w.T.copy()}))
fails("got complex64", lambda: qk.compile(linear, weights={"fc.weight": w.astype(np.complex64)}))
fails("expected F32[2x8], got F32[1x8]",
      lambda: qk.compile(linear, weights={"fc.weight": w})(small[:1]))
fails("got hesian", lambda: qk.quantize(linear, "gptq", weights={"fc.weight": w},
                                        statistics={"fc": {"hesian": w}}))
fails("got hessian [4, 8]", lambda: qk.quantize(linear, "gptq", weights={"fc.weight": w},
                                                statistics={"fc": {"hessian": w}}))
fails("expected hessian", lambda: qk.quantize(linear, "gptq", weights={"fc.weight": w},
                                              statistics={"fc": {}}))
fails("got the path", lambda: qk.quantize(data + "/linear-f32-2d.linalg.ext.mlir"))
fails("expected a method of rtn, gptq, awq, smoothquant, got 'to-linalg'",
      lambda: qk.quantize(linear, "to-linalg", weights={"fc.weight": w}))
fails("lowered already", lambda: qk.compile(run._module, activations="int8"))
fails("bytecode is truncated or malformed in its header", lambda: qk.Module(b"ML\xefR\r"))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    qk.quantize(linear, "gptq", weights={"fc.weight": w}, group_size=4)
assert any("no statistics" in str(w.message) for w in caught), caught
print("python is well")
