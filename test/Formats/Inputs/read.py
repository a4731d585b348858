# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Binds each checkpoint that pack.py wrote; codes, scales and zero points must
be those that went in, bit for bit, and the compiled model what they say."""
import glob
import sys

import numpy as np
import qk

folder = sys.argv[1]
text = open(folder + "/model.mlir").read()
x = np.load(folder + "/x.npy")
names = sorted(path[len(folder) + 1:-4] for path in glob.glob(folder + "/*.npz"))
for name in names:
    known = np.load(f"{folder}/{name}.npz")
    module = qk.Module(text, weights=f"{folder}/{name}")
    layers = module.layers
    assert sorted(layers) == ["model.down", "model.up"], (name, sorted(layers))
    for key, layer in layers.items():
        def same(what, got, expected):
            assert np.array_equal(got, expected), (name, key, what)

        order = np.argsort(known[key + ".index"], kind="stable")
        same("permutation", np.arange(len(order)) if layer.permutation is None else layer.permutation, order)
        same("codes", layer.codes, known[key + ".codes"][:, order])
        same("scales", layer.scales, known[key + ".scales"])
        same("zero points", layer.zero_points, known[key + ".zeros"])
        same("weight", layer.dequantize(), known[key + ".weight"])
        # 1 layer out of 2 needs no permutation when it is the natural order.
        assert (layer.permutation is not None) == ("order" in name), name
    for result, key in zip(qk.compile(module, activations="float")(x), ("model.up", "model.down")):
        expected = x @ known[key + ".weight"].T + known[key + ".bias"]
        error = np.abs(result - expected).max() / np.abs(expected).max()
        assert error < 1e-4, (name, key, error)
    print(name, "is read")
