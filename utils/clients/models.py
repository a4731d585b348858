# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that clients are given, as float modules with folders of Hugging Face's, and
what qk makes of them. No client itself."""
import json
import os
import subprocess

import numpy as np

import qk
from qk.files import read, read_checkpoint, read_header, write

SOURCE, BUILD = os.environ["QK_SOURCE"], os.environ["QK_BUILD"]
WORK = os.environ["QK_WORK"]

# A layer's weights in the order of the example's file, which has them as torch-mlir met
# them from behind.
ROLES = ("mlp.down_proj", "mlp.up_proj", "mlp.gate_proj", "post_attention_layernorm",
         "self_attn.o_proj", "self_attn.v_proj", "self_attn.k_proj", "self_attn.q_proj",
         "input_layernorm")


def run(tool, *arguments):
    done = subprocess.run([os.path.join(BUILD, "bin", tool), *arguments], cwd=WORK,
                          capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{tool} {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def llama_config(hidden, intermediate, layers, heads, kv_heads, vocabulary, tied):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden,
            "intermediate_size": intermediate, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "head_dim": hidden // heads, "vocab_size": vocabulary, "hidden_act": "silu",
            "rms_norm_eps": 1e-05, "max_position_embeddings": 512, "attention_bias": False,
            "mlp_bias": False, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
            "tie_word_embeddings": tied, "bos_token_id": 1, "eos_token_id": 2,
            "torch_dtype": "float32", "use_cache": True}


class Model:
    """name; `folder`: the float model as a folder of Hugging Face's; `module`: its MLIR;
    `calibration`; `inputs`: arrays that the module takes, the tokens first."""

    def __init__(self, name):
        self.name = name
        self.folder = os.path.join(WORK, name)
        os.makedirs(self.folder, exist_ok=True)
        self.module = os.path.join(WORK, name + ".mlir")

    def path(self, name):
        return os.path.join(WORK, self.name + "-" + name)

    def save_config(self, config):
        with open(os.path.join(self.folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file, indent=2)

        # Some loaders can't do without a tokenizer.
        words = {f"t{i}": i for i in range(config["vocab_size"])}
        for name, content in (("tokenizer.json", {
                "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
                "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None,
                "decoder": None, "model": {"type": "WordLevel", "vocab": words, "unk_token": "t0"}}),
                ("tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast",
                                           "bos_token": "t1", "eos_token": "t2", "unk_token": "t0"})):
            with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
                json.dump(content, file)

    def quantise(self, name, *flags):
        """The quantised module."""
        result = self.path(name + ".mlir")
        run("qk-opt", f"--weights={self.folder}", f"--calibrate=inputs={self.calibration}",
            *flags, self.module, "-o", result)
        return result

    def logits(self, module):
        lowered, output = self.path("lowered.mlir"), self.path("logits.npy")
        run("qk-opt", "--lower-to-cpu=activations=float", module, "-o", lowered)
        inputs = []
        for i, array in enumerate(self.inputs):
            np.save(self.path(f"in{i}.npy"), array)
            inputs.append(f"--input={self.path(f'in{i}.npy')}")
        run("qk-run", lowered, *inputs, f"--output={output}")
        return np.load(output).astype(np.float64).reshape(self.inputs[0].shape[-1], -1)


def stories():
    """examples/stories260K, with the names of a checkpoint of Hugging Face's."""
    model = Model("stories260K")
    example = os.path.join(SOURCE, "examples", "stories260K")
    entries = sorted(read_checkpoint(example).items(), key=lambda item: item[1].offset)
    names = ["model.norm.weight"]
    names += [f"model.layers.{layer}.{role}.weight" for layer in reversed(range(5)) for role in ROLES]
    names.append("model.embed_tokens.weight")
    assert len(names) == len(entries)
    with open(os.path.join(example, "model.mlir"), encoding="utf-8") as file:
        text = file.read()
    weights = {}
    for name, (handle, entry) in zip(names, entries):
        text = text.replace(f"dense_resource<{handle}>", f"dense_resource<{name}>")
        weights[name] = np.array(read(entry))
    text = text.replace(' attributes {quant_llm.weights = {model = "model.safetensors"}}', "")
    with open(model.module, "w", encoding="utf-8") as file:
        file.write(text)
    write(os.path.join(model.folder, "model.safetensors"), weights)
    model.save_config(llama_config(64, 172, 5, 8, 4, 512, True))
    model.calibration = os.path.join(example, "calibration.safetensors")
    evaluation = tensors(os.path.join(example, "evaluation.safetensors"))
    model.inputs = [evaluation["arg0"][0], evaluation["arg1"][0]]
    return model


def shard(folder):
    """Splits a folder's model.safetensors in two."""
    path = os.path.join(folder, "model.safetensors")
    whole = list(tensors(path).items())
    os.remove(path)
    shards = {"model-00001-of-00002.safetensors": whole[::2],
              "model-00002-of-00002.safetensors": whole[1::2]}
    for name, part in shards.items():
        write(os.path.join(folder, name), dict(part))
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {"total_size": sum(array.nbytes for _, array in whole)},
                   "weight_map": {key: name for name, part in shards.items() for key, _ in part}}, file)


def synthetic():
    """A LLaMA with random weights, in two shards, whose layers fill the words of every
    format."""
    model = Model("llama")
    subprocess.run([os.path.join(SOURCE, "utils", "make-synthetic-model"), model.folder, "--blocks=2",
                    "--hidden=128", "--intermediate=192", "--heads=4", "--vocabulary=160",
                    "--tokens=64", "--samples=8"], check=True, stdout=subprocess.DEVNULL)
    for name, target in (("model.mlir", model.module),
                         ("calibration.safetensors", model.path("calibration.safetensors"))):
        os.replace(os.path.join(model.folder, name), target)
    shard(model.folder)
    model.save_config(llama_config(128, 192, 2, 4, 4, 160, False))
    model.calibration = model.path("calibration.safetensors")
    model.inputs = [tensors(model.calibration)["arg0"][0]]
    return model


def tensors(path):
    """All tensors of a file, or of a folder's shards."""
    entries = read_checkpoint(path) if os.path.isdir(path) else read_header(path)
    return {name: np.array(read(entry)) for name, entry in entries.items()}


def layers(module):
    """What qk has of each layer: qk.compiler.Layer by name."""
    with open(module, encoding="utf-8") as file:
        return qk.Module(file.read(), name=module).layers


def difference(a, b):
    """Largest difference, as a part of the largest value."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def unequal(a, b):
    """How many elements differ in f16, bit for bit."""
    a, b = a.astype(np.float16), b.astype(np.float16)
    if a.shape != b.shape:
        raise SystemExit(f"expected weights of {b.shape}, got {a.shape}")
    return int((a.view(np.uint16) != b.view(np.uint16)).sum())


def row(client, what, largest):
    print(f"| {client} | {what} | {largest} |", flush=True)
