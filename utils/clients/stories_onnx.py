# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""examples/stories260K as an ONNX file, written node by node from the weights:
inputs `tokens` and `mask`, i64 [1, tokens], as model.mlir's; output logits.

  stories_onnx.py STORIES-FOLDER OUT.onnx
"""

import itertools
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HIDDEN, LAYERS, HEADS, KV_HEADS, VOCABULARY = 64, 5, 8, 4, 512
HEAD = HIDDEN // HEADS
EPSILON, THETA = 1e-5, 10000.0

# The names of a layer's weights in the file of the example, which has them in
# the order that torch-mlir met them from behind.
PER_LAYER = ("down", "up", "gate", "post_norm", "o", "v", "k", "q", "norm")


def weight_names(tensors):
    """[{role: name} by layer], name of the last norm, name of the embedding.
    `tensors`: the names in the order of the file."""
    last, *rest, embedding = tensors
    layers = [dict(zip(PER_LAYER, rest[i:i + 9])) for i in range(0, len(rest), 9)]
    return layers[::-1], last, embedding


class Builder:
    def __init__(self):
        self.nodes, self.tensors, self.count = [], [], 0

    def constant(self, array, name=None):
        if name is None:
            self.count += 1
            name = f"c{self.count}"
        if all(t.name != name for t in self.tensors):
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def __call__(self, kind, *inputs, **attributes):
        self.count += 1
        result = f"v{self.count}"
        inputs = [i if isinstance(i, str) else self.constant(np.asarray(i)) for i in inputs]
        self.nodes.append(helper.make_node(kind, inputs, [result], **attributes))
        return result


def build(folder):
    """The model as an onnx.ModelProto, opset 17."""
    path = os.path.join(folder, "model.safetensors")
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    order = sorted(header, key=lambda name: header[name]["data_offsets"][0])
    weights = load_file(path)
    layers, last, embedding = weight_names(order)
    b = Builder()

    def norm(x, name):
        square = b("Mul", x, x)
        mean = b("ReduceMean", square, axes=[-1], keepdims=1)
        inverse = b("Reciprocal", b("Sqrt", b("Add", mean, np.float32(EPSILON))))
        return b("Mul", b("Mul", x, inverse), b.constant(weights[name], name))

    names = (f"main.{i}.weight" for i in itertools.count())

    def linear(x, name):
        # As exporters that fold the transpose write it, [K,N]; called as qk calls the
        # layers of model.mlir, so that statistics of one are those of the other.
        return b("MatMul", x, b.constant(weights[name].T, next(names)))

    shape = b("Shape", "tokens")
    length = b("Gather", shape, np.array([1], np.int64), axis=0)
    positions = b("Range", np.int64(0), b("Squeeze", length), np.int64(1))
    inverse = (1.0 / THETA ** (np.arange(0, HEAD, 2, dtype=np.float64) / HEAD)).astype(np.float32)
    angles = b("Mul", b("Unsqueeze", b("Cast", positions, to=TensorProto.FLOAT),
                        np.array([1], np.int64)), inverse)
    angles = b("Concat", angles, angles, axis=1)
    cosine, sine = b("Cos", angles), b("Sin", angles)

    def rotate(x):
        low = b("Slice", x, np.array([0]), np.array([HEAD // 2]), np.array([-1]))
        high = b("Slice", x, np.array([HEAD // 2]), np.array([HEAD]), np.array([-1]))
        turned = b("Concat", b("Neg", high), low, axis=-1)
        return b("Add", b("Mul", x, cosine), b("Mul", turned, sine))

    def heads(x, count):
        split = b("Reshape", x, np.array([1, -1, count, HEAD], np.int64))
        return b("Transpose", split, perm=[0, 2, 1, 3])

    # A key is seen where it isn't later and isn't padding.
    row = b("Unsqueeze", positions, np.array([1], np.int64))
    seen = b("LessOrEqual", b("Unsqueeze", positions, np.array([0], np.int64)), row)
    kept = b("Unsqueeze", b("Cast", "mask", to=TensorProto.BOOL), np.array([1], np.int64))
    bias = b("Where", b("And", seen, kept), np.float32(0), np.float32(np.finfo(np.float32).min))
    bias = b("Unsqueeze", bias, np.array([0], np.int64))

    x = b("Gather", b.constant(weights[embedding], embedding), "tokens")
    for layer in layers:
        h = norm(x, layer["norm"])
        q = rotate(heads(linear(h, layer["q"]), HEADS))
        k = rotate(heads(linear(h, layer["k"]), KV_HEADS))
        v = heads(linear(h, layer["v"]), KV_HEADS)

        def repeat(x):
            one = b("Unsqueeze", x, np.array([2], np.int64))
            both = b("Concat", *[one] * (HEADS // KV_HEADS), axis=2)
            return b("Reshape", both, np.array([1, HEADS, -1, HEAD], np.int64))

        scores = b("MatMul", q, b("Transpose", repeat(k), perm=[0, 1, 3, 2]))
        scores = b("Add", b("Mul", scores, np.float32(HEAD ** -0.5)), bias)
        values = b("MatMul", b("Softmax", scores, axis=-1), repeat(v))
        values = b("Reshape", b("Transpose", values, perm=[0, 2, 1, 3]),
                   np.array([1, -1, HIDDEN], np.int64))
        x = b("Add", x, linear(values, layer["o"]))
        h = norm(x, layer["post_norm"])
        gate = linear(h, layer["gate"])
        gate = b("Mul", gate, b("Sigmoid", gate))
        x = b("Add", x, linear(b("Mul", gate, linear(h, layer["up"])), layer["down"]))
    x = norm(x, last)
    b.nodes.append(helper.make_node(
        "MatMul", [x, b("Transpose", embedding, perm=[1, 0])], ["logits"]))

    def value(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    graph = helper.make_graph(
        b.nodes, "stories260K",
        [value("tokens", TensorProto.INT64, [1, "tokens"]),
         value("mask", TensorProto.INT64, [1, "tokens"])],
        [value("logits", TensorProto.FLOAT, [1, "tokens", VOCABULARY])], b.tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    onnx.save_model(build(sys.argv[1]), sys.argv[2])
