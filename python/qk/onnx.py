# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises the linear layers of an ONNX file.

  python -m qk.onnx IN.onnx OUT.onnx --method gptq --calibration calib.safetensors

Finds the MatMul and Gemm nodes that multiply with a constant, quantises their
weights by qk's own core (qk.quantize), and writes MatMulNBits nodes
(com.microsoft, for groups of a power of two from 16 on) or DequantizeLinear in
front of a MatMul (for all others). Needs the packages onnx and numpy; samples
are run in onnxruntime where it is installed, else in ONNX's reference
evaluator, which is slow.
"""

import argparse
import fnmatch
import os
import sys
import warnings

import numpy as np

from . import Error

# Bytes of Hessians at a time; with more the samples are run again.
HESSIANS_AT_A_TIME = 4 << 30


def _import_onnx():
    try:
        import onnx
        return onnx
    except ImportError:
        raise Error("the package onnx is missing: pip install onnx") from None


def _module_text(layers):
    """One function a layer; its weight is a resource of its name."""
    lines = ["module {"]
    for i, layer in enumerate(layers):
        n, k = layer.n, layer.k
        name = layer.name.replace("\\", "\\\\").replace('"', '\\"')
        lines += [
            f"  func.func @layer_{i}(%x: tensor<?x{k}xf32>) -> tensor<?x{n}xf32> {{",
            f'    %w = quant_llm.parameter "model"::"{name}.weight" : tensor<{n}x{k}xf32>',
            f'    %y = quant_llm.linear %x, %w name("{name}") : (tensor<?x{k}xf32>, '
            f"tensor<{n}x{k}xf32>) -> tensor<?x{n}xf32>",
            f"    return %y : tensor<?x{n}xf32>", "  }"]
    return "\n".join(lines + ["}"])


def _select(layers, graph, only, skip):
    """The layers to quantise. The head, whose weight an embedding reads or that
    is called lm_head, is not unless `only` names it."""
    embeddings = graph.embeddings()
    for option, globs in (("--only", only), ("--skip", skip)):
        for glob in globs:
            if not any(fnmatch.fnmatchcase(layer.name, glob) for layer in layers):
                raise Error(f"{option} pattern '{glob}' matches none of {len(layers)} layers: "
                            + ", ".join(layer.name for layer in layers[:8])
                            + (", …" if len(layers) > 8 else ""))

    def chosen(layer):
        def matches(globs):
            return any(fnmatch.fnmatchcase(layer.name, glob) for glob in globs)
        if matches(skip):
            return False
        if only:
            return matches(only)
        is_head = (layer.initializer.name in embeddings
                   or layer.name.split(".")[-1] == "lm_head")
        return not is_head

    return [layer for layer in layers if chosen(layer)]


def _chunks(layers, with_hessians):
    """Layers in the order of the graph, as many as have Hessians that fit."""
    chunk, size = [], 0
    for layer in layers:
        more = 12 * layer.k * layer.k if with_hessians else 0
        if chunk and size + more > HESSIANS_AT_A_TIME:
            yield chunk
            chunk, size = [], 0
        chunk.append(layer)
        size += more
    if chunk:
        yield chunk


def quantize_model(model, method="gptq", *, calibration=None, statistics=None,
                   write_statistics=None, form="auto", only=(), skip=(), log=None, **options):
    """Quantises an onnx.ModelProto in place; returns the names of the quantised
    layers. `options` are those of the method's pipeline (bits=4, group_size=32,
    …), `calibration` a file of samples, `statistics` what
    quant-llm-write-statistics or `write_statistics` wrote."""
    _import_onnx()
    import qk
    from . import onnx_calibrate, onnx_layers
    if method not in ("rtn", "gptq"):
        raise Error(f"expected method rtn or gptq, got '{method}': the scales of "
                    "awq and smoothquant go into other nodes of the model, which needs it as "
                    "MLIR (torch-mlir's ONNX importer, then qk-opt)")
    log = log or (lambda text: None)
    if form not in ("auto", "MatMulNBits", "DequantizeLinear"):
        raise Error(f"expected form auto, MatMulNBits or DequantizeLinear, got '{form}'")
    if form == "DequantizeLinear" or (form == "auto" and not onnx_layers.has_nbits_blocks(
            int(options.get("group_size", 128)))):
        _raise_opset(model)
    graph = onnx_layers.Graph(model)
    layers, left = onnx_layers.find_linears(graph)
    for node, reason in left:
        log(f"'{node.name or node.output[0]}' stays in float: {reason}")
    if not layers:
        raise Error("the main graph has no MatMul or Gemm with a constant float matrix as its "
                    "second operand" + (" (is it quantised already?)" if any(
                        n.op_type in ("MatMulNBits", "MatMulInteger", "QLinearMatMul",
                                      "DequantizeLinear") for n in model.graph.node) else ""))
    selected = _select(layers, graph, list(only), list(skip))
    for layer in layers:
        if layer not in selected:
            log(f"'{layer.name}' stays in float")
    if not selected:
        raise Error(f"none of {len(layers)} layers is left to quantise")

    samples = masks = None
    if calibration is not None:
        if statistics is not None:
            raise Error("expected calibration or statistics, got both")
        samples, masks = onnx_calibrate.read_samples(calibration, model.graph)
    elif write_statistics:
        raise Error("statistics to write come from calibration samples; none are given")
    rewriter = onnx_layers.Rewriter(graph, form)
    gathered = {}
    for chunk in _chunks(selected, samples is not None):
        given = statistics
        if samples is not None:
            given = onnx_calibrate.collect(model, chunk, samples, masks)
            if write_statistics:
                gathered.update(given)
        weights = {f"{layer.name}.weight": layer.weight() for layer in chunk}
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            module = qk.quantize(_module_text(chunk), method, weights=weights,
                                 statistics=given, **options)
        found = module.layers
        for layer in chunk:
            rewriter.replace(layer, found[layer.name])
    if write_statistics:
        onnx_calibrate.write_statistics(write_statistics, gathered)
    rewriter.finish()
    for layer, used in rewriter.made:
        log(f"'{layer.name}' {layer.n}x{layer.k}: {used}")
    return [layer.name for layer, _ in rewriter.made]


def _raise_opset(model):
    """DequantizeLinear with blocks and 4-bit types is of opset 21."""
    import onnx.version_converter
    from .onnx_layers import opset_of
    opset = opset_of(model)
    if opset >= 21:
        return
    try:
        converted = onnx.version_converter.convert_version(model, 21)
    except Exception as error:  # what it can't convert it says in many ways
        raise Error(f"DequantizeLinear with blocks needs opset 21, the model has {opset}, and "
                    f"it can't be converted: {error}; --group-size of a power of two from 16 on "
                    "gives MatMulNBits, which needs no conversion") from None
    model.CopyFrom(converted)


def load_model(path):
    onnx = _import_onnx()
    try:
        return onnx.load_model(path)
    except FileNotFoundError as error:
        raise Error(f"{error.filename}: no such file") from None
    except Exception as error:  # protobuf's and onnx's own
        raise Error(f"{path}: can't be read as ONNX: {error}") from None


def save_model(model, path):
    """Writes the file whole or not at all; weights of more than 1.5 GB go to
    PATH.data beside it."""
    onnx = _import_onnx()
    # Loaded weights remember the file that they came from.
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
        del tensor.external_data[:]
    folder, name = os.path.split(os.path.abspath(path))
    scratch, data = f"{name}.{os.getpid()}.tmp", f"{name}.data"
    large = sum(t.ByteSize() for t in model.graph.initializer) > 1.5e9
    try:
        if large:
            data_path = os.path.join(folder, data)
            if os.path.exists(data_path):
                os.remove(data_path)
            onnx.save_model(model, os.path.join(folder, scratch), save_as_external_data=True,
                            location=data, size_threshold=1024)
        else:
            onnx.save_model(model, os.path.join(folder, scratch))
        os.replace(os.path.join(folder, scratch), path)
    except OSError as error:
        raise Error(f"can't write '{path}': {error.strerror}") from None
    finally:
        if os.path.exists(os.path.join(folder, scratch)):
            os.remove(os.path.join(folder, scratch))


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m qk.onnx", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", metavar="IN.onnx")
    parser.add_argument("output", metavar="OUT.onnx")
    parser.add_argument("--method", default="gptq", help="gptq (default) or rtn")
    parser.add_argument("--bits", type=int, default=4, help="2, 3, 4 (default) or 8")
    parser.add_argument("--group-size", type=int, default=32,
                        help="input channels that share a scale (default 32); -1: all")
    parser.add_argument("--symmetric", action="store_true", help="no zero points")
    parser.add_argument("--scale-type", help="f16, bf16 or f32; default: as the weights")
    parser.add_argument("--calibration", metavar="FILE",
                        help="safetensors: arg0, arg1, … with samples first")
    parser.add_argument("--statistics", metavar="FILE",
                        help="instead: statistics by layer, as quant-llm-write-statistics "
                        "or --write-statistics wrote them")
    parser.add_argument("--write-statistics", metavar="FILE")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB",
                        help="quantise only layers of these names")
    parser.add_argument("--skip", action="append", default=[], metavar="GLOB")
    parser.add_argument("--form", default="auto",
                        help="MatMulNBits, DequantizeLinear, or auto (default): the first "
                        "where groups allow it")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                        help="any other option of the method (docs/Options.md)")
    given = parser.parse_args(arguments)
    options = {}
    for text in given.option:
        name, equals, value = text.partition("=")
        if not equals:
            parser.error(f"--option: expected NAME=VALUE, got '{text}'")
        key = name.replace("-", "_")
        if hasattr(given, key):
            parser.error(f"--option: '{name}' is a flag of its own, --{key.replace('_', '-')}")
        options[key] = value
    try:
        model = load_model(given.input)
        names = quantize_model(
            model, given.method, calibration=given.calibration, statistics=given.statistics,
            write_statistics=given.write_statistics, form=given.form, only=given.only,
            skip=given.skip, log=print, bits=given.bits, group_size=given.group_size,
            symmetric=given.symmetric, scale_type=given.scale_type or _scale_type(model),
            **options)
        save_model(model, given.output)
    except Error as error:
        print(f"qk.onnx: {error}", file=sys.stderr)
        return 1
    print(f"{len(names)} layers quantised")
    return 0


def _scale_type(model):
    """The type that the most matrices have: scales have that of the input."""
    from onnx import TensorProto
    known = {TensorProto.FLOAT: "f32", TensorProto.FLOAT16: "f16", TensorProto.BFLOAT16: "bf16"}
    types = [known[t.data_type] for t in model.graph.initializer
             if t.data_type in known and len(t.dims) == 2]
    return max(set(types), key=types.count) if types else "f32"


if __name__ == "__main__":
    sys.exit(main())
