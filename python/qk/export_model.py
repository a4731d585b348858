# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model that a Hugging Face folder holds, in the form that is exported."""

import json
import os

from . import Error


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
