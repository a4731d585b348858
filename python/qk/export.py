# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m qk.export HF_FOLDER -o model.mlir

Writes a Hugging Face model as torch-mlir's linalg-on-tensors. The text holds no
weights: each is a `dense_resource` under its checkpoint's name, and the module
attribute `quant_llm.weights` says which files hold them. A tensor that no file
of the folder holds as the model uses it (rotary tables, weights in another type
than --dtype) goes to a file beside the module.
"""

import argparse
import json
import os
import sys

import numpy as np

from . import Error, files

# Constants that no file holds stay in the text below this many bytes.
INLINE_BYTES = 256

TASKS = {
    "logits": "token ids [1, tokens] to logits [1, tokens, vocabulary]",
    "next": "token ids [1, tokens] to the logits [1, 1, vocabulary] of the "
            "token that follows them",
    "hidden": "token ids [1, tokens] to the last hidden state "
              "[1, tokens, width]",
    "embedding": "token ids [1, tokens] to one sentence embedding [1, width], "
                 "pooled as 1_Pooling/config.json says, of length one where "
                 "the folder normalizes",
}


def import_frameworks():
    """(torch, transformers, torch_mlir.fx), or an error that says what to
    install."""
    try:
        import torch
        import transformers
        import torch_mlir.fx
    except ImportError as error:
        raise Error(f"exporting needs PyTorch, transformers and torch-mlir "
                    f"({error}); pip install './python[export]' in qk's "
                    "folder") from None
    return torch, transformers, torch_mlir.fx


# ---------------------------------------------------------------------------
# What the folder says
# ---------------------------------------------------------------------------


def read_json(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except ValueError as error:
            raise Error(f"{path}: {error}") from None


def default_task(folder, config):
    if read_json(folder, "modules.json"):
        return "embedding"
    names = config.get("architectures") or []
    return "logits" if any("CausalLM" in name or name.endswith("LMHeadModel")
                           for name in names) else "hidden"


def pooling_of(folder):
    """("mean" or "cls", whether to normalize) of a sentence transformer."""
    modules = read_json(folder, "modules.json")
    if modules is None:
        raise Error(f"{folder}: expected modules.json, which says how sentence "
                    "embeddings are pooled; export --task=hidden instead")
    # Normalizing is no weights and often no folder: named among the modules
    # or, by older versions, nowhere.
    normalize = any("Normalize" in module["type"] for module in modules)
    pooling = read_json(folder, "1_Pooling/config.json") or {}
    chosen = [name[len("pooling_mode_"):] for name, value in pooling.items()
              if name.startswith("pooling_mode_") and value is True]
    if "pooling_mode" in pooling:
        chosen = [pooling["pooling_mode"]]
    modes = {"mean_tokens": "mean", "mean": "mean", "cls_token": "cls",
             "cls": "cls"}
    if len(chosen) != 1 or chosen[0] not in modes:
        raise Error(f"{folder}: expected 1_Pooling/config.json to choose "
                    f"mean_tokens or cls_token, got "
                    f"{', '.join(chosen) or 'nothing'}; export --task=hidden "
                    "and pool outside")
    return modes[chosen[0]], normalize


# ---------------------------------------------------------------------------
# The model
# ---------------------------------------------------------------------------


def load_model(torch, transformers, folder, task, dtype, **options):
    types = {"f32": torch.float32, "f16": torch.float16,
             "bf16": torch.bfloat16, "auto": "auto"}
    kind = (transformers.AutoModelForCausalLM
            if task in ("logits", "next") else transformers.AutoModel)
    # AutoModel would make the whole of what such a folder has the encoder of.
    for name in (read_json(folder, "config.json").get("architectures") or []):
        if name.endswith("EncoderModel") and kind is transformers.AutoModel:
            kind = getattr(transformers, name, kind)
    try:
        model = kind.from_pretrained(folder, dtype=types[dtype],
                                     local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise Error(f"{folder}: transformers can't load it: "
                    f"{str(error).splitlines()[0]}") from None
    model.eval()
    if getattr(model.config, "is_encoder_decoder", False):
        raise Error(f"{folder}: expected an encoder or a decoder, got "
                    f"{type(model).__name__}, which has both")
    quantized = getattr(model.config, "quantization_config", None)
    if quantized is not None:
        raise Error(f"{folder}: expected float weights, got a model that is "
                    "quantized already")
    return model


def spread_experts(torch, model):
    """Makes mixtures compute each expert on all tokens, weighted by what the
    router gives it there, mostly 0. Which tokens an expert is given would be
    known as the model runs only; so its matrices are those of linear layers.
    Returns how many mixtures there are."""
    def forward(self, hidden_states, top_k_index, top_k_weights):
        result = torch.zeros_like(hidden_states)
        first = "gate_up_proj" if self.has_gate else "up_proj"

        def linear(x, name, expert):
            weight = getattr(self, name)[expert]
            bias = (getattr(self, name + "_bias")[expert] if self.has_bias
                    else None)
            return torch.nn.functional.linear(
                x, weight.T if self.is_transposed else weight, bias)

        for expert in range(self.num_experts):
            share = (top_k_weights * (top_k_index == expert)).sum(
                -1, keepdim=True)
            inner = linear(hidden_states, first, expert)
            inner = (self._apply_gate(inner) if self.has_gate
                     else self.act_fn(inner))
            y = linear(inner, "down_proj", expert)
            if self.has_post_expert_norm:
                y = self.post_expert_norm(y)
            result = result + share * y
        return result.to(hidden_states.dtype)

    # What transformers' own implementations of experts go by.
    needed = ("has_gate", "has_bias", "is_transposed", "has_post_expert_norm",
              "num_experts", "down_proj")
    mixtures = [module for module in model.modules()
                if all(hasattr(module, name) for name in needed)]
    for module in mixtures:
        module.forward = forward.__get__(module)
    return len(mixtures)


def wrap(torch, model, task, pooling, with_mask):
    """A module with the signature that is exported."""
    import inspect
    parameters = inspect.signature(model.forward).parameters
    takes = lambda name: name in parameters

    class Exported(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask=None):
            mask = (attention_mask if attention_mask is not None else
                    torch.ones_like(input_ids))
            arguments = {"attention_mask": mask}
            if takes("use_cache"):
                arguments["use_cache"] = False
            if task == "next":
                arguments["logits_to_keep"] = 1
            result = self.model(input_ids, return_dict=True, **arguments)
            if task in ("logits", "next"):
                return result.logits
            hidden = result.last_hidden_state
            if task == "hidden":
                return hidden
            mode, normalize = pooling
            if mode == "cls":
                pooled = hidden[:, 0]
            else:
                weight = mask.to(hidden.dtype)[:, :, None]
                pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(
                    min=1e-9)
            if normalize:
                pooled = pooled / pooled.pow(2).sum(
                    -1, keepdim=True).sqrt().clamp(min=1e-12)
            return pooled

    wrapped = Exported().eval()
    # The importer takes buffers from the state, where these are not.
    for module in wrapped.modules():
        module._non_persistent_buffers_set.clear()
    return wrapped


def longest_sequence(config):
    """Positions of the model, None where it doesn't say."""
    for name in ("max_position_embeddings", "n_positions", "n_ctx",
                 "max_seq_len"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None


# ---------------------------------------------------------------------------
# Weights by name
# ---------------------------------------------------------------------------


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


# ---------------------------------------------------------------------------
# Export
# ---------------------------------------------------------------------------


def first_lines(error, count=3):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "\n  ".join(line[:300] for line in lines[:count])


def export_program(torch, wrapped, with_mask, tokens, limit):
    example = 8 if tokens is None else tokens
    # A tensor each: of one given twice, torch.export makes one argument.
    arguments = tuple(torch.ones(1, example, dtype=torch.int64)
                      for _ in range(1 + with_mask))
    shapes = None
    if tokens is None:
        # Two is the least that torch.export doesn't take for a constant.
        length = torch.export.Dim("tokens", min=2, max=limit or 1 << 20)
        shapes = tuple({1: length} for _ in arguments)
    with torch.no_grad():
        return torch.export.export(wrapped, arguments, dynamic_shapes=shapes,
                                   strict=False)


def compute_plainly(torch, model, task, ids):
    """What the model gives for token ids when it is called as users call it."""
    with torch.no_grad():
        try:
            plain = model(ids, return_dict=True)
        except Exception as error:  # Whatever the model's own code raises.
            raise Error(f"{type(model).__name__} can't be called with token ids "
                        f"alone: {type(error).__name__}: "
                        f"{first_lines(error)}") from None
        return {"logits": lambda: plain.logits,
                "next": lambda: plain.logits[:, -1:],
                "hidden": lambda: plain.last_hidden_state,
                "embedding": lambda: plain.last_hidden_state}[task]()


def difference_of(got, want):
    """The largest, relative to the largest value."""
    got, want = got.float(), want.float()
    return ((got - want).abs().max() / want.abs().max().clamp(min=1)).item()


def load_exportable(torch, transformers, folder, task, dtype, log):
    """The model as it is exported: with eager attention, which is made of
    matmuls and a softmax where others are calls that torch-mlir decomposes
    differently in each release; as transformers loads it where that computes
    something else."""
    model = load_model(torch, transformers, folder, task, dtype)
    name = type(model).__name__
    ids = torch.arange(7)[None] % (model.config.vocab_size - 1) + 1
    want = compute_plainly(torch, model, task, ids)
    # Two implementations differ by rounding.
    is_short = want.dtype in (torch.float16, torch.bfloat16)
    for options in {"attn_implementation": "eager"}, {}:
        model = None  # One at a time in memory.
        model = load_model(torch, transformers, folder, task, dtype, **options)
        mixtures = spread_experts(torch, model)
        difference = difference_of(compute_plainly(torch, model, task, ids),
                                   want)
        if difference <= (5e-2 if is_short else 1e-3):
            break
    else:
        raise Error(f"{name} computes something else in the form that is "
                    f"exported (differs by {difference:.3g} of the largest "
                    "value)" + ("; where rounding to 16 bits does that, export "
                                "with --dtype=f32" if is_short else ""))
    if not options:
        log(f"{name}: eager attention computes something else than "
            "transformers' default, which is exported")
    if mixtures:
        log(f"{name}: all experts of {mixtures} mixtures are computed for all "
            "tokens")
    return model


def check_wrapped(torch, model, wrapped, task):
    """What is exported must compute what the model does when it is called
    plainly: arguments given to it have meanings of their own in some."""
    if task == "embedding":
        return
    ids = torch.arange(7)[None] % (model.config.vocab_size - 1) + 1
    with torch.no_grad():
        got = wrapped(ids)
    difference = difference_of(got, compute_plainly(torch, model, task, ids))
    if not difference <= 1e-3:
        raise Error(f"{type(model).__name__} computes something else when it "
                    f"is given a mask of ones (differs by {difference:.3g} of "
                    "the largest value); it can't be exported")


def decompositions(torch):
    """torch-mlir's, and what its linalg has no form of."""
    from torch_mlir.extras.fx_decomp_util import get_decomposition_table

    def cumsum(x, dim, *, dtype=None):
        if dtype is not None:
            x = x.to(dtype)
        elif not x.dtype.is_floating_point:
            x = x.to(torch.int64)
        if x.dim() == 0:
            return x.clone()
        # Positions and alibi of a row of tokens: a square of booleans is
        # small beside attention's.
        x = x.movedim(dim, -1)
        at = torch.arange(x.shape[-1])
        seen = at[:, None] >= at[None, :]
        return torch.where(seen, x[..., None, :], 0).sum(-1).to(
            x.dtype).movedim(-1, dim)

    def gelu(x, *, approximate="none"):
        if approximate != "tanh":
            return NotImplemented
        # torch-mlir has .797724 for the root of 2/pi.
        wide = x.to(torch.float32) if x.dtype != torch.float64 else x
        inner = 0.7978845608028654 * (wide + 0.044715 * wide * wide * wide)
        return (0.5 * wide * (1 + torch.tanh(inner))).to(x.dtype)

    def topk(x, k, dim=-1, largest=True, sorted=True):
        if x.dim() == 0 or x.shape[dim] > 1024:
            return NotImplemented
        # As many comparisons as a router's scores have pairs: how many come
        # before each, equal ones in their order.
        x = x.movedim(dim, -1)
        mine, other = x[..., :, None], x[..., None, :]
        at = torch.arange(x.shape[-1])
        before = (other > mine) if largest else (other < mine)
        before = before | ((other == mine) & (at[None, :] < at[:, None]))
        rank = before.to(torch.int64).sum(-1)
        chosen = rank[..., None, :] == torch.arange(k)[:, None]
        values = torch.where(chosen, x[..., None, :], 0).sum(-1).to(x.dtype)
        indices = torch.where(chosen, at, 0).sum(-1)
        return values.movedim(-1, dim), indices.movedim(-1, dim)

    def scatter(x, dim, index, value, **reduce):
        if (reduce or x.dim() == 0 or x.shape[dim] > 1024 or
                x.movedim(dim, 0)[0].shape != index.movedim(dim, 0)[0].shape):
            return NotImplemented
        # Of a router that chooses groups of experts first.
        at = torch.arange(x.shape[dim])
        hit = (index.movedim(dim, -1)[..., None] == at).any(-2)
        return torch.where(hit.movedim(-1, dim), value, x).to(x.dtype)

    table = dict(get_decomposition_table())
    table[torch.ops.aten.scatter.value] = scatter
    table[torch.ops.aten.topk.default] = topk
    table[torch.ops.aten.gelu.default] = gelu
    table[torch.ops.aten.cumsum.default] = cumsum
    return table


def lower(torch, fx, program, importer):
    from torch_mlir.compiler_utils import TorchMlirCompilerError
    try:
        module = fx.export_and_import(program, output_type="linalg-on-tensors",
                                      fx_importer=importer,
                                      decomposition_table=decompositions(torch))
    except TorchMlirCompilerError as error:
        # It prints some diagnostics itself.
        wrong = [line for line in str(error).splitlines() if "error:" in line]
        raise Error("torch-mlir can't lower the model" +
                    (": " + first_lines("\n".join(wrong)) if wrong else
                     "; its own messages are above")) from None
    for op in module.operation.regions[0].blocks[0].operations:
        found = find_foreign(op)
        if found:
            raise Error(f"torch-mlir left an operation that linalg has no form "
                        f"of: {found}; qk can't read the module")
    return module


def find_foreign(op):
    """The name of an op outside what MLIR itself has, None without one."""
    if op.operation.name.split(".")[0] in ("torch", "torch_c", "tm_tensor"):
        return op.operation.name
    for region in op.operation.regions:
        for block in region.blocks:
            for inner in block.operations:
                found = find_foreign(inner)
                if found:
                    return found
    return None


def export(folder, output, task="auto", dtype="auto", tokens=None,
           with_mask=False, log=print):
    """Writes `output`, and beside it what the folder's files don't hold."""
    config = read_json(folder, "config.json")
    if config is None:
        raise Error(f"{folder}: expected a Hugging Face folder with "
                    "config.json")
    checkpoint = files.read_checkpoint(folder)
    torch, transformers, fx = import_frameworks()
    if task == "auto":
        task = default_task(folder, config)
    pooling = pooling_of(folder) if task == "embedding" else None
    model = load_exportable(torch, transformers, folder, task, dtype, log)
    limit = longest_sequence(model.config)
    if tokens is not None and limit and tokens > limit:
        raise Error(f"expected --tokens of at most the model's {limit} "
                    f"positions, got {tokens}")
    wrapped = wrap(torch, model, task, pooling, with_mask)
    check_wrapped(torch, model, wrapped, task)
    try:
        program = export_program(torch, wrapped, with_mask, tokens, limit)
    except Exception as error:  # torch.export raises of many kinds.
        raise Error(f"torch.export can't take {type(model).__name__}"
                    f"{'' if tokens else ' with any number of tokens'}: "
                    f"{type(error).__name__}: {first_lines(error)}" +
                    ("" if tokens else "\ntry a fixed length, --tokens=N")
                    ) from None
    weights = Weights(torch, model, checkpoint)
    module = lower(torch, fx, program, make_importer(torch, fx, weights))
    text = module.operation.get_asm(enable_debug_info=False)

    extra_path = None
    if weights.extra:
        extra_path = os.path.splitext(output)[0] + ".export.safetensors"
        files.write(extra_path, weights.extra)
    head = "module attributes {"
    if text.count("\nmodule {\n") + text.startswith("module {\n") != 1:
        raise Error("torch-mlir printed a module that this version of "
                    "qk.export doesn't know; report its first line")
    at = 0 if text.startswith("module {\n") else text.index("\nmodule {\n") + 1
    text = (text[:at] + head + "quant_llm.weights = " +
            attribute_of(weights, output, extra_path) + "} {\n" +
            text[at + len("module {\n"):])
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)
    log(f"{output}: {type(model).__name__}, {TASKS[task]}; "
        f"{'any length' if tokens is None else f'{tokens} tokens'}"
        f"{f' up to {limit}' if tokens is None and limit else ''}; "
        f"{len(weights.used)} tensors of {folder}" +
        (f", {len(weights.extra)} of {extra_path}" if extra_path else ""))


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m qk.export",
        description="Writes a Hugging Face model as an MLIR module whose "
                    "weights stay in their files.")
    parser.add_argument("folder", help="with config.json and safetensors")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL.mlir")
    parser.add_argument("--task", default="auto", choices=["auto", *TASKS],
                        help="; ".join(f"{k}: {v}" for k, v in TASKS.items()) +
                        " (default: as the folder's files say)")
    parser.add_argument("--dtype", default="auto",
                        choices=["auto", "f32", "f16", "bf16"],
                        help="type of the weights and of the computation "
                             "(default: the checkpoint's; any other is a "
                             "converted copy of all weights)")
    parser.add_argument("--tokens", default="any", metavar="N",
                        help="a fixed sequence length (default: any)")
    parser.add_argument("--attention-mask", action="store_true",
                        help="a second argument, i64 [1, tokens]: 0 excludes "
                             "padding")
    options = parser.parse_args(argv)
    try:
        tokens = None
        if options.tokens != "any":
            if not options.tokens.isdigit() or int(options.tokens) < 1:
                raise Error(f"expected --tokens=any or a length of at least 1, "
                            f"got {options.tokens}")
            tokens = int(options.tokens)
        export(options.folder, options.output, options.task, options.dtype,
               tokens, options.attention_mask)
    except Error as error:
        print(f"qk.export: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
