# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""gptqmodel loads what qk-translate writes: GPTQ v1 and v2, AWQ. Its PyTorch kernels run
on the CPU, in f16."""
import gc
import warnings

import numpy as np

ENVIRONMENT = "torch"
PACKAGES = ["torch", "transformers", "accelerate", "safetensors", "numpy", "gptqmodel"]

warnings.filterwarnings("ignore")
import gptqmodel
import torch
import transformers
from gptqmodel import BACKEND, GPTQModel

import models

CLIENT = f"gptqmodel {gptqmodel.__version__}"


def weight_of(linear):
    """[out, in] as the reader's kernel dequantises it."""
    if hasattr(linear, "dequantize_weight"):
        weight = linear.dequantize_weight()
        weight = weight[0] if isinstance(weight, (tuple, list)) else weight
    else:
        weight = linear._dequantize_weight_for_inference(torch.zeros(1), dtype=torch.float16)
    return weight.detach().to(torch.float16).T.contiguous()


def check(model, name, target, flags):
    module = model.quantise(name, *flags)
    folder = model.path(name)
    models.run("qk-translate", f"--to={target}", module, "-o", folder)
    backend = BACKEND.AWQ_TORCH if target == "awq" else BACKEND.GPTQ_TORCH
    loaded = GPTQModel.load(folder, backend=backend, device="cpu", dtype=torch.float16)
    layers = models.layers(module)
    plain = transformers.AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32)
    wrong = 0
    for key, layer in layers.items():
        linear = loaded.model.get_submodule(key)
        weight = weight_of(linear)
        wrong += models.unequal(weight.numpy(), layer.dequantize())
        plain.get_submodule(key).weight.data = torch.from_numpy(layer.dequantize().astype(np.float32))
    if wrong or not layers:
        raise SystemExit(f"{name}: {wrong} weights of {len(layers)} layers differ in f16")
    # All else as the folder has it: norms that took scales from AWQ are among it.
    for key, value in models.tensors(folder).items():
        if key in plain.state_dict():
            plain.state_dict()[key].copy_(torch.from_numpy(value))
    ours = model.logits(module)
    tokens = torch.tensor(model.inputs[0].reshape(1, -1))
    with torch.no_grad():
        theirs = loaded.model(input_ids=tokens).logits[0].double().numpy()
        wide = plain(tokens).logits[0].double().numpy()
    errors = models.difference(theirs, ours), models.difference(wide, ours)
    if not (errors[0] <= 3e-2 and errors[1] <= 1e-4):
        raise SystemExit(f"{name}: logits differ by {errors[0]:.2e} (its kernel, f16) and "
                         f"{errors[1]:.2e} (unrounded weights, f32) of the largest, limits 3e-2, 1e-4")
    models.row(CLIENT, f"`--to={target}`, {model.name}, {len(layers)} layers: `{' '.join(flags)}`",
               f"weights in f16: 0; logits, of the largest: {errors[0]:.1e} in f16, "
               f"{errors[1]:.1e} with unrounded weights in f32")
    del loaded, plain
    gc.collect()


synthetic = models.synthetic()
for bits in (4, 3, 2, 8):
    check(synthetic, f"v2-{bits}", "gptq_v2", [f"--gptq=bits={bits} group-size=32 effort=fast"])
check(synthetic, "v1", "gptq", ["--rtn=bits=4 group-size=64 symmetric"])
check(synthetic, "order", "gptq_v2",
      ["--gptq=bits=4 group-size=32 effort=fast static-groups=false"])
check(synthetic, "some", "gptq_v2", ["--rtn=bits=4 group-size=32 skip=*.mlp.*"])
check(synthetic, "awq", "awq", ["--awq=bits=4 group-size=32 layers=foldable"])
stories = models.stories()
check(stories, "v2", "gptq_v2", ["--gptq=bits=4 group-size=32 effort=fast skip=*.mlp.*"])
