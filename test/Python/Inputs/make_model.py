# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""make_model.py KIND FOLDER: saves a small random model, and beside the folder
what it computes: FOLDER.in0.npy, FOLDER.out0.npy, and with another number of
tokens FOLDER.in1.npy, FOLDER.out1.npy."""

import json
import os
import sys

import numpy as np
import torch
import transformers

kind, folder = sys.argv[1:]
torch.manual_seed(0)
sizes = dict(vocab_size=96, hidden_size=32, intermediate_size=48,
             num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=2048)
if kind in ("llama", "sharded"):
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        num_key_value_heads=2, tie_word_embeddings=True, **sizes))
elif kind == "opt":  # Positions by a cumulative sum.
    model = transformers.OPTForCausalLM(transformers.OPTConfig(
        vocab_size=96, hidden_size=32, ffn_dim=48, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64,
        word_embed_proj_dim=32))
elif kind == "sliding":
    model = transformers.MistralForCausalLM(transformers.MistralConfig(
        num_key_value_heads=2, sliding_window=5, **sizes))
elif kind == "gemma":  # GELU by a tanh.
    model = transformers.GemmaForCausalLM(transformers.GemmaConfig(
        num_key_value_heads=2, head_dim=8, **sizes))
elif kind == "mixtral":  # Experts chosen by a router.
    model = transformers.MixtralForCausalLM(transformers.MixtralConfig(
        num_key_value_heads=2, num_local_experts=5, num_experts_per_tok=2,
        **sizes))
elif kind == "falcon":  # Eager attention adds alibi twice.
    model = transformers.FalconForCausalLM(transformers.FalconConfig(
        vocab_size=96, hidden_size=32, num_hidden_layers=2,
        num_attention_heads=4, alibi=True, new_decoder_architecture=False,
        multi_query=False, parallel_attn=False, bias=True,
        max_position_embeddings=64))
elif kind == "t5-encoder":  # Half of what its configuration describes.
    model = transformers.T5EncoderModel(transformers.T5Config(
        vocab_size=96, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4))
elif kind == "t5":
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(
        vocab_size=96, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4))
elif kind in ("bert", "sentences"):
    model = transformers.BertModel(transformers.BertConfig(**sizes))
else:
    sys.exit(f"no kind '{kind}'")
model.eval()
# Weights as initialized are so small that any two models nearly agree.
with torch.no_grad():
    for parameter in model.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
model.save_pretrained(folder, max_shard_size="20KB" if kind == "sharded"
                      else "1GB")
if kind == "sentences":
    with open(os.path.join(folder, "modules.json"), "w") as file:
        json.dump([{"type": "sentence_transformers.models." + name}
                   for name in ("Transformer", "Pooling", "Normalize")], file)
    os.mkdir(os.path.join(folder, "1_Pooling"))
    with open(os.path.join(folder, "1_Pooling", "config.json"), "w") as file:
        json.dump({"pooling_mode_mean_tokens": True,
                   "pooling_mode_cls_token": False}, file)
for i, tokens in enumerate((7, 23)):
    if kind == "t5":
        break
    ids = torch.randint(3, 96, (1, tokens))
    with torch.no_grad():
        result = model(ids)
    output = (result.logits if hasattr(result, "logits")
              else result.last_hidden_state)
    if kind == "sentences":
        output = torch.nn.functional.normalize(output.mean(1), dim=-1)
    np.save(f"{folder}.in{i}.npy", ids.numpy())
    np.save(f"{folder}.out{i}.npy", output.numpy())
