# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The linear layers of an ONNX graph, and what replaces them; see qk.onnx."""

import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import Error

FLOATS = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16,
          TensorProto.BFLOAT16: None}


class Linear:
    """A layer: MatMul and Gemm nodes that multiply with one constant [K,N], or
    [N,K] where `transposed`."""

    def __init__(self, name, initializer, transposed):
        self.name, self.initializer, self.transposed = name, initializer, transposed
        self.nodes = []
        shape = list(initializer.dims)
        self.n, self.k = shape if transposed else reversed(shape)

    def weight(self):
        """[N,K] in f32."""
        array = to_f32(self.initializer)
        return np.ascontiguousarray(array if self.transposed else array.T)

    def inputs(self):
        """Names of the tensors that the nodes multiply, each once."""
        return list(dict.fromkeys(node.input[0] for node in self.nodes))


def to_f32(tensor):
    array = numpy_helper.to_array(tensor)
    return np.ascontiguousarray(array, np.float32)


def from_f32(array, data_type, name):
    """A tensor of `data_type`, or an error where that would round."""
    if data_type == TensorProto.BFLOAT16:
        bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
        if np.any(bits & 0xffff):
            raise Error(f"'{name}': the layer's scales are not exact in bf16; use "
                        "--scale-type=bf16")
        return helper.make_tensor(name, data_type, array.shape,
                                  (bits >> 16).astype(np.uint16).tobytes(), raw=True)
    result = array.astype(FLOATS[data_type])
    if np.any(result.astype(np.float32) != array):
        raise Error(f"'{name}': the layer's scales are not exact in f16; use "
                    "--scale-type=f16")
    return numpy_helper.from_array(result, name)


class Graph:
    """What names mean in the main graph of a model."""

    def __init__(self, model):
        self.model, self.graph = model, model.graph
        self.initializers = {t.name: t for t in self.graph.initializer}
        self.producers = {o: n for n in self.graph.node for o in n.output}
        # Values that a caller may replace are no constants.
        for value in self.graph.input:
            self.initializers.pop(value.name, None)

    def constant(self, name):
        """(tensor, transposed) that a value is, seen through Identity and
        Transpose; (None, False) for what is computed."""
        transposed = False
        while True:
            if name in self.initializers:
                return self.initializers[name], transposed
            node = self.producers.get(name)
            if node is None or node.domain not in ("", "ai.onnx"):
                return None, False
            if node.op_type == "Constant":
                value = next((a for a in node.attribute if a.name == "value"), None)
                if value is None:
                    return None, False
                tensor = TensorProto()
                tensor.CopyFrom(value.t)
                tensor.name = node.output[0]
                return tensor, transposed
            if node.op_type == "Transpose":
                if list(_attribute(node, "perm", [1, 0])) != [1, 0]:
                    return None, False
                transposed = not transposed
            elif node.op_type != "Identity":
                return None, False
            name = node.input[0]

    def embeddings(self):
        """Names of the tensors that are looked up in."""
        found = set()
        for node in self.graph.node:
            if node.op_type == "Gather" and node.domain in ("", "ai.onnx"):
                tensor, _ = self.constant(node.input[0])
                if tensor is not None:
                    found.add(tensor.name)
        return found


def _attribute(node, name, default):
    for attribute in node.attribute:
        if attribute.name == name:
            return helper.get_attribute_value(attribute)
    return default


def _why_not(node, tensor):
    """Why a product with a constant stays as it is, or nothing."""
    if tensor.data_type not in FLOATS:
        return f"its weight is {TensorProto.DataType.Name(tensor.data_type)}"
    if len(tensor.dims) != 2:
        return f"its weight has {len(tensor.dims)} dimensions"
    if 0 in tensor.dims:
        return "its weight has no elements"
    if node.op_type == "Gemm":
        if _attribute(node, "alpha", 1.0) != 1.0:
            return "alpha isn't 1"
        if _attribute(node, "transA", 0):
            return "transA is set"
        if len(node.input) > 2 and node.input[2] and _attribute(node, "beta", 1.0) != 1.0:
            return "beta isn't 1"
    return None


def _name(node, tensor, used):
    """The weight's own name less `.weight`, or that of the node where exporters
    made the weight's up."""
    name = tensor.name
    if re.search(r"::|^(val|onnx|arg|t|const\w*)_?\d+$", name) and node.name:
        name = re.sub(r"/(MatMul|Gemm)(_\d+)?$", "", node.name).strip("/").replace("/", ".")
    name = re.sub(r"\.weight$", "", name)
    unique, number = name, 0
    while unique in used:
        number += 1
        unique = f"{name}_{number}"
    used.add(unique)
    return unique


def find_linears(graph):
    """(layers, [(node, reason)] of the products with a constant that are none).
    Of a product with the constant on the left (W·x) nothing is said: ONNX's
    quantised product has it on the right."""
    layers, left, used = {}, [], set()
    for node in graph.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in ("MatMul", "Gemm"):
            continue
        tensor, transposed = graph.constant(node.input[1])
        if tensor is None or graph.constant(node.input[0])[0] is not None:
            continue
        reason = _why_not(node, tensor)
        if reason:
            left.append((node, reason))
            continue
        if node.op_type == "Gemm" and _attribute(node, "transB", 0):
            transposed = not transposed
        key = tensor.name, transposed
        if key not in layers:
            layers[key] = Linear(_name(node, tensor, used), tensor, transposed)
        layers[key].nodes.append(node)
    return list(layers.values()), left


def pack(codes, bits):
    """Rows of codes, low bits first, padded with zeros to whole bytes."""
    rows, columns = codes.shape
    if bits == 8:
        return codes
    per_byte = 8 // bits
    padded = np.zeros((rows, -(-columns // per_byte) * per_byte), np.uint8)
    padded[:, :columns] = codes
    fields = padded.reshape(rows, -1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * bits
    return np.bitwise_or.reduce(fields << shifts, axis=2).astype(np.uint8)


def unsigned(layer):
    """(codes, zero points) of 0 … 2^bits - 1."""
    if layer.codes.dtype == np.int8:
        return ((layer.codes.astype(np.int16) + 128).astype(np.uint8),
                layer.zero_points + 128)
    return layer.codes, layer.zero_points


def block_size(layer):
    """Columns of a block."""
    k = layer.codes.shape[1]
    return k if layer.group_size < 0 else min(layer.group_size, k)


def has_nbits_blocks(group_size):
    """MatMulNBits has blocks of a power of two from 16 on."""
    return group_size >= 16 and group_size & (group_size - 1) == 0


def opset_of(model):
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)


def choose_form(layer, form):
    fits = has_nbits_blocks(layer.group_size)
    _, zeros = unsigned(layer)
    if zeros.min() < 0 or zeros.max() >= 1 << layer.bits:
        raise Error(f"layer '{layer.name}': ONNX has zero points of 0 to "
                    f"{(1 << layer.bits) - 1}, got {zeros.min()} to {zeros.max()}; "
                    "use --symmetric")
    if form == "MatMulNBits" and not fits:
        raise Error(f"layer '{layer.name}': MatMulNBits has groups of a power of two "
                    f"from 16 on, got {layer.group_size}; use --form=DequantizeLinear")
    return "MatMulNBits" if fits and form != "DequantizeLinear" else "DequantizeLinear"


class Rewriter:
    """Puts quantised layers in the place of float ones."""

    def __init__(self, graph, form):
        self.graph, self.form = graph, form
        self.made, self.used_forms = [], set()
        self.replacement = {}  # id of a node -> nodes

    def _tensor(self, tensor):
        self.graph.graph.initializer.append(tensor)
        return tensor.name

    def _array(self, array, name):
        return self._tensor(numpy_helper.from_array(np.ascontiguousarray(array), name))

    def replace(self, linear, layer):
        """`layer`: what qk found for it."""
        form = choose_form(layer, self.form)
        self.used_forms.add(form)
        make = (self._matmul_nbits if form == "MatMulNBits" else self._dequantize)(linear, layer)
        permutation = None
        if layer.permutation is not None:
            permutation = self._array(layer.permutation.astype(np.int64),
                                      linear.name + ".permutation")
        for node in linear.nodes:
            nodes, x, y = [], node.input[0], node.output[0]
            if permutation:
                nodes.append(helper.make_node("Gather", [x, permutation], [y + ".permuted"],
                                              axis=-1))
                x = y + ".permuted"
            bias = node.input[2] if node.op_type == "Gemm" and len(node.input) > 2 else ""
            nodes += make(x, y + ".product" if bias else y, node.name)
            if bias:
                nodes.append(helper.make_node("Add", [y + ".product", bias], [y]))
            self.replacement[id(node)] = nodes
        self.made.append((linear, form))

    def _matmul_nbits(self, linear, layer):
        """B [N, blocks, block·bits/8], scales [N, blocks], zero points packed
        along blocks; codes of 3 bits in 4."""
        codes, zeros = unsigned(layer)
        bits = 4 if layer.bits == 3 else layer.bits
        block, (n, k) = layer.group_size, codes.shape
        blocks = -(-k // block)
        padded = np.zeros((n, blocks * block), np.uint8)
        padded[:, :k] = codes
        b = pack(padded, bits).reshape(n, blocks, block * bits // 8)
        inputs = [self._array(b, linear.name + ".codes"),
                  self._tensor(from_f32(layer.scales, linear.initializer.data_type,
                                        linear.name + ".scales"))]
        if np.any(zeros != 1 << (bits - 1)):
            inputs.append(self._array(pack(zeros.astype(np.uint8), bits),
                                      linear.name + ".zero_points"))
        return lambda x, y, name: [helper.make_node(
            "MatMulNBits", [x, *inputs], [y], name=name, domain="com.microsoft",
            K=k, N=n, bits=bits, block_size=block)]

    def _dequantize(self, linear, layer):
        """DequantizeLinear of [K,N] along K, then MatMul."""
        if opset_of(self.graph.model) < 21:
            raise Error(f"layer '{layer.name}' needs DequantizeLinear of opset 21, the model has "
                        f"{opset_of(self.graph.model)}; use --form=DequantizeLinear, which "
                        "converts it")
        codes, zeros = unsigned(layer)
        block, (n, k) = block_size(layer), codes.shape
        whole = layer.scales.shape[1] == 1
        scales = layer.scales[:, 0] if whole else layer.scales.T
        zeros = zeros[:, 0] if whole else zeros.T

        def integers(array, name):
            if layer.bits == 8:
                return self._array(array.astype(np.uint8), name)
            return self._tensor(helper.make_tensor(
                name, TensorProto.UINT4, array.shape,
                pack(np.ascontiguousarray(array, np.uint8).reshape(1, -1), 4).tobytes(), raw=True))

        inputs = [integers(codes.T, linear.name + ".codes"),
                  self._tensor(from_f32(scales, linear.initializer.data_type,
                                        linear.name + ".scales")),
                  integers(zeros, linear.name + ".zero_points")]
        weight = linear.name + ".dequantized"
        attributes = {"axis": 1} if whole else {"axis": 0, "block_size": block}
        made = []

        def make(x, y, name):
            nodes = [helper.make_node("MatMul", [x, weight], [y], name=name)]
            if not made:
                nodes.insert(0, helper.make_node("DequantizeLinear", inputs, [weight],
                                                 **attributes))
                made.append(True)
            return nodes

        return make

    def finish(self):
        """Puts the nodes in, and takes out what nothing reads any more."""
        graph = self.graph.graph
        nodes = []
        for node in graph.node:
            for new in self.replacement.get(id(node), [node]):
                copy = onnx.NodeProto()
                copy.CopyFrom(new)
                nodes.append(copy)
        while True:
            used = {value.name for value in graph.output}
            for node in nodes:
                used.update(_reads(node))
            kept = [n for n in nodes if used & set(n.output)
                    or n.op_type not in ("Constant", "Identity", "Transpose")]
            if len(kept) == len(nodes):
                break
            nodes = kept
        del graph.node[:]
        graph.node.extend(nodes)
        # By index: a copy of all weights would need their memory twice.
        for i in reversed(range(len(graph.initializer))):
            name = graph.initializer[i].name
            if name not in used:
                del graph.initializer[i]
                for j in reversed(range(len(graph.input))):
                    if graph.input[j].name == name:
                        del graph.input[j]
        if "MatMulNBits" in self.used_forms and not any(
                opset.domain == "com.microsoft" for opset in self.graph.model.opset_import):
            self.graph.model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _reads(node):
    """Names that a node reads, in its subgraphs too."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
            names.update(value.name for value in inner.output)
            for other in inner.node:
                names |= _reads(other)
    return names
