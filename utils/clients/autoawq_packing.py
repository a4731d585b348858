# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""AutoAWQ's own unpacking of what qk-translate writes as AWQ. Its model classes need a
transformers of 2024, its packing rules nothing but PyTorch."""
import importlib.metadata
import importlib.util
import os

ENVIRONMENT = "torch"
PACKAGES = ["torch", "numpy", ["--no-deps", "autoawq"]]

import torch

import models

# By its file: the package itself imports those model classes.
spec = importlib.util.spec_from_file_location("packing_utils", os.path.join(
    importlib.util.find_spec("awq").submodule_search_locations[0], "utils", "packing_utils.py"))
packing = importlib.util.module_from_spec(spec)
spec.loader.exec_module(packing)
CLIENT = f"AutoAWQ {importlib.metadata.version('autoawq')} (`dequantize_gemm`)"


def check(model, name, group, flags):
    module, folder = model.quantise(name, flags), model.path(name)
    models.run("qk-translate", "--to=awq", module, "-o", folder)
    stored, layers, wrong = models.tensors(folder), models.layers(module), 0
    for key, layer in layers.items():
        qweight, qzeros, scales = (torch.from_numpy(stored[f"{key}.{part}"])
                                   for part in ("qweight", "qzeros", "scales"))
        weight = packing.dequantize_gemm(qweight, qzeros, scales, 4, group).T.contiguous().numpy()
        wrong += models.unequal(weight, layer.dequantize())
    if wrong or not layers:
        raise SystemExit(f"{name}: {wrong} weights of {len(layers)} layers differ in f16")
    models.row(CLIENT, f"`--to=awq`, {model.name}, {len(layers)} layers: `{flags}`",
               "weights in f16: 0")


synthetic = models.synthetic()
check(synthetic, "awq", 32, "--awq=bits=4 group-size=32 layers=foldable")
check(synthetic, "rtn", 64, "--rtn=bits=4 group-size=64")
check(synthetic, "symmetric", 32, "--gptq=bits=4 group-size=32 effort=fast symmetric")
