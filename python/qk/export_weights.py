# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The weights of a model that is exported, by their names in the checkpoint."""

import os

import numpy as np

from . import files

# Constants that no file holds stay in the text below this many bytes.
INLINE_BYTES = 256


def safetensors_type(torch, dtype):
    names = {torch.float32: "F32", torch.float16: "F16",
             torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
             torch.int32: "I32", torch.int8: "I8", torch.uint8: "U8",
             torch.bool: "BOOL"}
    return names.get(dtype)


def to_numpy(torch, tensor):
    tensor = tensor.detach().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


class Weights:
    """Finds for each tensor of the model the checkpoint's that equals it."""

    def __init__(self, torch, model, checkpoint):
        self.torch = torch
        self.checkpoint = checkpoint
        self.used = {}    # name -> Entry, of the checkpoint
        self.extra = {}   # name -> array, for the file beside the module
        self.known = {}   # address and shape -> name
        self.owner = {}   # address and shape -> the model's names
        self.kept = []    # so that no address is reused
        prefix = getattr(model, "base_model_prefix", "")
        tensors = list(model.named_parameters(remove_duplicate=False))
        tensors += list(model.named_buffers(remove_duplicate=False))
        for name, tensor in tensors:
            names = self.owner.setdefault(self.key(tensor), [])
            names.append(name)
            if prefix and name.startswith(prefix + "."):
                names.append(name[len(prefix) + 1:])
            elif prefix:
                names.append(prefix + "." + name)
        self.by_form = {}
        for name, entry in checkpoint.items():
            self.by_form.setdefault((entry.dtype, entry.shape), []).append(name)

    @staticmethod
    def key(tensor):
        return tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride())

    def equals(self, array, name):
        stored = files.read(self.checkpoint[name])
        flat, other = array.reshape(-1), stored.reshape(-1)
        # A few elements tell nearly always, before megabytes are compared.
        step = max(1, flat.size // 64)
        return (flat[::step].tobytes() == other[::step].tobytes() and
                flat.tobytes() == other.tobytes())

    def name(self, tensor):
        """The name under which `tensor` will be found; None for a small one
        that the checkpoint doesn't hold."""
        key = self.key(tensor)
        if key in self.known:
            return self.known[key]
        self.kept.append(tensor)
        array = to_numpy(self.torch, tensor)
        form = (safetensors_type(self.torch, tensor.dtype),
                tuple(tensor.shape))
        own = self.owner.get(key, [])
        small = array.nbytes < INLINE_BYTES
        alike = self.by_form.get(form, [])
        if small:  # Equal by chance, unless the name is the same.
            alike = [n for n in alike if n in own]
        # Under its own name first; a model may rename what it loads.
        candidates = [n for n in own if n in alike] + [
            n for n in alike if n not in own]
        for name in candidates:
            if self.equals(array, name):
                self.used[name] = self.checkpoint[name]
                break
        else:
            if small:
                return None
            name = own[0] if own else f"constant.{len(self.extra)}"
            while name in self.checkpoint and not own or name in self.extra:
                name += "_"
            self.extra[name] = ((array, "BF16") if form[0] == "BF16"
                                else array)
        self.known[key] = name
        return name


def make_importer(torch, fx, weights):
    """(context, importer) that writes tensors as references by name."""
    from torch_mlir import ir
    from torch_mlir.dialects import torch as torch_dialect
    from torch_mlir.extras.fx_importer import FxImporter, FxImporterHooks

    # One attribute a name: parsed again, the handle would be another one.
    references = {}

    class Hooks(FxImporterHooks):
        def resolve_literal(self, importer, literal, info):
            if not isinstance(literal, torch.Tensor):
                return None
            kind = safetensors_type(torch, literal.dtype)
            if kind in (None, "BOOL", "U8") or literal.numel() < 2:
                return None
            name = weights.name(literal)
            if name is None:
                return None
            element = {"F32": "f32", "F16": "f16", "BF16": "bf16",
                       "F64": "f64", "I64": "si64", "I32": "si32",
                       "I8": "si8"}[kind]
            shape = "".join(f"{n}x" for n in literal.shape)
            if name not in references:
                references[name] = ir.Attribute.parse(
                    f'dense_resource<"{name}"> : tensor<{shape}{element}>')
            return ir.Operation.create(
                "torch.vtensor.literal",
                results=[importer._cc.create_vtensor_type(
                    literal.dtype, literal.size())],
                attributes={"value": references[name]}).result

    context = ir.Context()
    torch_dialect.register_dialect(context)
    return FxImporter(context=context, hooks=Hooks())


def attribute_of(weights, output, extra_path):
    """quant_llm.weights, with paths as seen from the module's folder."""
    here = os.path.dirname(os.path.abspath(output))

    def seen(path):
        path = os.path.abspath(path)
        inside = os.path.commonpath([here, path]) == here
        return os.path.relpath(path, here) if inside else path

    paths = sorted({entry.path for entry in weights.used.values()})
    scopes = {"model" if i == 0 else f"model_{i}": seen(path)
              for i, path in enumerate(paths)}
    if extra_path:
        scopes["export"] = seen(extra_path)
    quote = lambda text: '"' + text.replace("\\", "\\\\").replace(
        '"', '\\"') + '"'
    return "{" + ", ".join(f"{scope} = {quote(path)}"
                           for scope, path in scopes.items()) + "}"
