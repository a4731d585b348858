# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Statistics of an ONNX model's layers, by running it; see qk.onnx."""

import os

import tempfile

import numpy as np
import onnx

from . import Error, files


def read_samples(path, graph):
    """[{input: array}], and [mask or None]: `arg0`, `arg1`, … or the inputs' own
    names, with samples first; or `arg0.0`, `arg0.1`, … one by one. `mask`
    [samples, tokens] says which tokens count, unless an input is called so."""
    header = files.read_header(path)
    initializers = {t.name for t in graph.initializer}
    inputs = [v for v in graph.input if v.name not in initializers]
    names = {v.name: v.name for v in inputs}
    names.update({f"arg{i}": v.name for i, v in enumerate(inputs)})
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in inputs}
    whole, single, mask = {}, {}, None
    for key, entry in header.items():
        name, _, index = key.rpartition(".")
        if key in names:
            whole[names[key]] = files.read(entry)
        elif key == "mask":
            mask = files.read(entry)
        elif name in names and index.isdigit():
            single.setdefault(int(index), {})[names[name]] = np.array(files.read(entry))
        else:
            raise Error(f"{path}: '{key}' is no input of the model; expected "
                        f"arg0 … arg{len(inputs) - 1}, {', '.join(names)} or mask")
    if single and whole:
        raise Error(f"{path}: expected samples of one form, got '{next(iter(whole))}' "
                    "beside samples one by one")
    samples, masks = [], []
    if whole:
        counts = {name: len(array) for name, array in whole.items()}
        if len(set(counts.values())) != 1:
            raise Error(f"{path}: expected as many samples of every input, got {counts}")
        for name, array in whole.items():
            if array.ndim != ranks[name] + 1:
                raise Error(f"{path}: expected '{name}' to have {ranks[name] + 1} dimensions, "
                            f"samples first, got {array.ndim}")
        count = next(iter(counts.values()))
        if mask is not None and len(mask) != count:
            raise Error(f"{path}: expected the mask of {count} samples, got {len(mask)}")
        for i in range(count):
            samples.append({name: np.array(array[i]) for name, array in whole.items()})
            masks.append(None if mask is None else np.array(mask[i]).astype(bool).ravel())
    for i in sorted(single):
        samples.append(single[i])
        masks.append(None)
    if not samples:
        raise Error(f"{path}: no samples")
    for sample in samples:
        missing = [v.name for v in inputs if v.name not in sample]
        if missing:
            raise Error(f"{path}: no samples of input '{missing[0]}'")
    return samples, masks


def _with_outputs(model, names):
    """A copy of the model that also gives the values `names`."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    given = {value.name for value in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in given)
    return copy


class _OnnxRuntime:
    def __init__(self, model, names, runtime):
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        self.names = names
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "model.onnx")
        # Models of more than 2 GB exist in files only.
        onnx.save_model(_with_outputs(model, names), path, save_as_external_data=True,
                        location="data", size_threshold=1 << 20)
        self.session = runtime.InferenceSession(path, options,
                                                providers=["CPUExecutionProvider"])

    def __call__(self, sample):
        return self.session.run(self.names, sample)


class _Reference:
    """ONNX's own evaluator: numpy alone, and slow."""

    def __init__(self, model, names):
        from onnx.reference import ReferenceEvaluator
        self.names = names
        self.evaluator = ReferenceEvaluator(_with_outputs(model, names))

    def __call__(self, sample):
        return self.evaluator.run(self.names, sample)


def make_runner(model, names):
    try:
        import onnxruntime
    except ImportError:
        return _Reference(model, names)
    return _OnnxRuntime(model, names, onnxruntime)


class _Sums:
    def __init__(self, k, hessian):
        self.hessian = np.zeros((k, k), np.float64) if hessian else None
        self.absmax, self.absmean = np.zeros(k, np.float32), np.zeros(k, np.float64)
        self.tokens = 0

    def add(self, x):
        x = np.ascontiguousarray(x, np.float32)
        if not len(x):
            return
        if self.hessian is not None:
            self.hessian += x.T @ x
        magnitude = np.abs(x)
        self.absmax = np.maximum(self.absmax, magnitude.max(axis=0))
        self.absmean += magnitude.sum(axis=0, dtype=np.float64)
        self.tokens += len(x)

    def result(self):
        tokens = max(self.tokens, 1)
        result = {"tokens": self.tokens, "absmax": self.absmax,
                  "absmean": (self.absmean / tokens).astype(np.float32)}
        if self.hessian is not None:
            result["hessian"] = (self.hessian / tokens).astype(np.float32)
        return result


def collect(model, layers, samples, masks, hessian=True):
    """{layer: statistics} of `layers`, from one run over all samples. Where a
    mask is given, tokens (all leading dimensions of a layer's input together)
    that it has as 0 don't count."""
    names = list(dict.fromkeys(n for layer in layers for n in layer.inputs()))
    sums = {layer.name: _Sums(layer.k, hessian) for layer in layers}
    # Layers that read one value share its sums.
    shared = {}
    for layer in layers:
        key = tuple(layer.inputs())
        sums[layer.name] = shared.setdefault(key, sums[layer.name])
    run = make_runner(model, names)
    for i, (sample, mask) in enumerate(zip(samples, masks)):
        values = dict(zip(names, run(sample)))
        for key, total in shared.items():
            for name in key:
                x = np.asarray(values[name])
                x = x.reshape(-1, x.shape[-1])
                if mask is not None and len(mask) == len(x):
                    x = x[mask]
                if not np.isfinite(x).all():
                    raise Error(f"sample {i}: '{name}', the input of a layer, has values "
                                "that are not finite")
                total.add(x)
    results = {key: total.result() for key, total in shared.items()}
    return {layer.name: results[tuple(layer.inputs())] for layer in layers}


def write_statistics(path, statistics):
    """As quant-llm-write-statistics writes them."""
    tensors = {}
    for name, entry in statistics.items():
        for key in ("hessian", "absmax", "absmean"):
            if key in entry:
                tensors[f"{name}.{key}"] = entry[key]
        tensors[f"{name}.tokens"] = np.array(entry["tokens"], np.int64)
    files.write(path, tensors)
