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
import qk

transformers.logging.set_verbosity_error()
CLIENT = f"transformers {transformers.__version__}, compressed-tensors {compressed_tensors.__version__}"


def load(folder, **more):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **more)


def logits(loaded, model):
    with torch.no_grad():
        return loaded(torch.tensor(model.inputs[0].reshape(1, -1))).logits[0].double().numpy()


# One layer of 8 bits whose input is rounded to 8 bits a token, as the recipe has it.
LAYER = """func.func @main(%x: tensor<?xKxf32>) -> tensor<?xNxf32> {
  %c = quant_llm.parameter "model"::"codes" : tensor<NxKxi8>
  %s = quant_llm.parameter "model"::"scales" : tensor<Nx1xf16>
  %q, %t = quant_llm.quantize %x scheme(<8, per_token>) : tensor<?xKxf32> -> tensor<?xKxi8>, tensor<?x1xf32>
  %y = quant_llm.matmul %q, %c, %s x_scales(%t) scheme(<s8, group = -1, scale = f16>) x_scheme(<8, per_token>) name("fc") : (tensor<?xKxi8>, tensor<NxKxi8>, tensor<Nx1xf16>, tensor<?x1xf32>) -> tensor<?xNxf32>
  return %y : tensor<?xNxf32>
}
"""


def by_rule(x, layer, largest_code):
    """What a layer makes of x rounded to absmax / largest_code a token, in f64."""
    scales = np.abs(x).max(axis=1, keepdims=True) / np.float32(largest_code)
    codes = np.clip(np.rint(x / scales), -128, 127).astype(np.float64)
    return codes @ layer.codes.astype(np.float64).T * scales * layer.scales.T


def compare_layers(model, loaded, layers):
    """Layers on the inputs that they have in the client: ours against absmax / 127, its against
    absmax / 127.5, ours against its; the largest differences."""
    seen, worst = {}, [0, 0, 0]
    hooks = [loaded.get_submodule(key).register_forward_hook(
        lambda _, inputs, output, key=key: seen.update({key: (inputs[0][0], output[0])}))
        for key in layers]
    logits(loaded, model)
    for hook in hooks:
        hook.remove()
    for key, layer in layers.items():
        x, theirs = (value.numpy() for value in seen[key])
        n, k = layer.codes.shape
        ours = qk.compile(LAYER.replace("K", str(k)).replace("N", str(n)), activations="float", weights={
            "codes": layer.codes, "scales": layer.scales.astype(np.float16)})(x)
        found = (models.difference(ours, by_rule(x, layer, 127)),
                 models.difference(theirs, by_rule(x, layer, 127.5)), models.difference(ours, theirs))
        worst = [max(pair) for pair in zip(worst, found)]
    return worst


def check(model, name, *flags, target="compressed-tensors", activations=False,
          integers=False):
    """`activations`: our code rounds them to 8 bits a token; so does the client, in its own
    way (`integers`: absmax / 127.5), and rounding is what is seen of the logits. That nothing
    else is different single layers of integers show: in a whole model a code at the edge of two falls to either
    side by the order of a sum, and every layer behind it rounds another input."""
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
    # What is said of each difference, the difference, its limit.
    if activations:
        rounding = load(folder)
        found = [("{} with activations of 8 bits" + ", each in its own way" * integers,
                  models.difference(logits(rounding, model), ours), 5e-2)]
    if integers:
        some = dict(list(layers.items())[::5])
        apart = compare_layers(model, rounding, some)
        found += [(f"of {len(some)} layers on the client's inputs: ours from absmax / 127 by {{}}",
                   apart[0], 1e-6), ("the client's from absmax / 127.5 by {}", apart[1], 2e-6),
                  ("ours from the client's by {}", apart[2], 3e-2)]
    if not activations:
        found = [("{}", models.difference(logits(loaded, model), ours), 3e-3)]
        # It computes weights in the scales' type, f16; without that rounding all else must agree.
        for key, weight in weights.items():
            weight.data = torch.from_numpy(layers[key].dequantize().astype(np.float32))
        found.append(("{} with unrounded weights", models.difference(logits(loaded, model), ours), 1e-4))
    text = ", ".join(words.format(f"{value:.1e}") for words, value, _ in found)
    if any(not value <= limit for _, value, limit in found):
        raise SystemExit(f"{name}: logits, of the largest: {text}; expected at most "
                         f"{', '.join(str(limit) for _, _, limit in found)}")
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
check(stories, "w8a8", "--smoothquant=layers=norms", activations=True, integers=True)
check(stories, "float8", "--smoothquant=layers=norms format=e4m3", activations=True)
synthetic = models.synthetic()
removed(synthetic, "order", "--gptq=bits=4 group-size=32 effort=fast static-groups=false")
check(synthetic, "mixed", "--rtn=bits=4 group-size=32 only=*.mlp.*")
