# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transformers with compressed-tensors loads what qk-translate writes: pack-quantized,
int-quantized and float-quantized."""
import warnings

import numpy as np

ENVIRONMENT = "torch"
PACKAGES = ["torch", "transformers", "compressed-tensors", "accelerate", "safetensors", "numpy"]

warnings.filterwarnings("ignore")
import compressed_tensors
import torch
import transformers
from transformers.utils.quantization_config import CompressedTensorsConfig

import models

transformers.logging.set_verbosity_error()
CLIENT = f"transformers {transformers.__version__}, compressed-tensors {compressed_tensors.__version__}"


def load(folder, **more):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more)


def logits(loaded, model):
    with torch.no_grad():
        return loaded(torch.tensor(model.inputs[0].reshape(1, -1))).logits[0].double().numpy()


def check(model, name, *flags, target="compressed-tensors", activations=False):
    """`activations`: our code rounds them to 8 bits a token; so does the client, in its own
    way (absmax / 127.5), and rounding is what is seen of the logits."""
    module, folder = model.quantise(name, *flags), model.path(name)
    models.run("qk-translate", f"--to={target}", module, "-o", folder)
    loaded = load(folder, quantization_config=CompressedTensorsConfig(dequantize=True))
    layers = models.layers(module)
    weights = {key: loaded.get_submodule(key).weight for key in layers}
    wrong = sum(models.unequal(weight.detach().numpy(), layers[key].dequantize())
                for key, weight in weights.items())
    if wrong or not layers:
        raise SystemExit(f"{name}: {wrong} weights of {len(layers)} layers differ in f16")
    ours = model.logits(module)
    if activations:
        found = {" with activations of 8 bits": (models.difference(
            logits(load(folder), model), ours), 5e-2)}
    else:
        found = {"": (models.difference(logits(loaded, model), ours), 3e-3)}
        # It computes weights in the scales' type, f16; without that rounding all else must agree.
        for key, weight in weights.items():
            weight.data = torch.from_numpy(layers[key].dequantize().astype(np.float32))
        found[" with unrounded weights"] = models.difference(logits(loaded, model), ours), 1e-4
    text = ", ".join(f"{value:.1e}{kind}" for kind, (value, _) in found.items())
    if any(not value <= limit for value, limit in found.values()):
        raise SystemExit(f"{name}: logits differ by {text} of the largest, expected at most "
                         f"{', '.join(str(limit) for _, limit in found.values())}")
    models.row(CLIENT, f"`--to={target}`, {model.name}, {len(layers)} layers: "
               f"`{' '.join(flags)}`", f"weights in f16: 0; logits, of the largest: {text}")


def removed(model, name, flags):
    """A layer whose columns are in another order; this client knew the form until it took it out."""
    folder = model.path(name)
    models.run("qk-translate", "--to=compressed-tensors", model.quantise(name, flags), "-o", folder)
    try:
        load(folder)
    except Exception as error:
        if "actorder='group' has been removed" not in str(error):
            raise
        models.row(CLIENT, f"`--to=compressed-tensors`, {model.name}: `{flags}`",
                   "refused: it no longer has columns in another order (`actorder` `group`)")
        return
    raise SystemExit(f"{name}: expected the client to refuse columns in another order; it takes "
                     "them: check their weights here")


stories = models.stories()
for bits in (4, 3, 2, 8):
    check(stories, f"w{bits}", f"--gptq=bits={bits} group-size=4 effort=fast")
check(stories, "symmetric", "--rtn=bits=4 group-size=-1 symmetric")
check(stories, "awq", "--awq=bits=4 group-size=4 layers=foldable")
check(stories, "int8", "--rtn=bits=8 group-size=-1 symmetric", target="int-quantized")
check(stories, "w8a8", "--smoothquant=layers=norms", activations=True)
check(stories, "float8", "--smoothquant=layers=norms format=e4m3", activations=True)
synthetic = models.synthetic()
removed(synthetic, "order", "--gptq=bits=4 group-size=32 effort=fast static-groups=false")
check(synthetic, "mixed", "--rtn=bits=4 group-size=32 only=*.mlp.*")
