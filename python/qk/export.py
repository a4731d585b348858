# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m qk.export HF_FOLDER -o model.mlir

Writes a Hugging Face model as torch-mlir's linalg-on-tensors. The text holds no
weights: each is a `dense_resource` under its checkpoint's name, and the module
attribute `quant_llm.weights` says which files hold them. A tensor that no file
of the folder holds as the model uses it (rotary tables, weights in another type
than --dtype) goes to a file beside the module.
"""

import argparse
import os
import sys

from . import Error, files
from .export_model import (default_task, load_model, longest_sequence,
                           pooling_of, read_json, spread_experts, wrap)
from .export_weights import Weights, attribute_of, make_importer

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
    except NotImplementedError as error:  # Its importer's, with a whole trace.
        what = str(error).split(", {")[0].removeprefix("FIX ME: ")
        raise Error("torch-mlir can't import the model: " +
                    first_lines(what, 1)) from None
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
    try:
        module = lower(torch, fx, program, make_importer(torch, fx, weights))
    except Error as error:
        # Often what is computed with the length itself.
        raise Error(str(error) + ("" if tokens else
                                  "\ntry a fixed length, --tokens=N")
                    ) from None
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
