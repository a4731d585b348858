# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What samples are cut from a text of the tokens 0 to 99."""

import numpy as np
from qk import Error, files, tokens


def message(function, *arguments):
    try:
        function(*arguments)
    except Error as error:
        return error
    return "no error"


text = np.arange(100)
samples = tokens.stretches(text, 4, 10)
assert np.array_equal(samples, samples[:, :1] + np.arange(10))
print("begins:", *samples[:, 0])
print("one sample:", *tokens.stretches(text, 1, 4)[0])
tensors = tokens.calibration(samples, with_mask=True)
assert (tensors["arg1"] == 1).all()
print("tensors:", *tensors, tensors["arg0"].shape)
files.write("samples.safetensors", tokens.calibration(samples, False))
lines = tokens.calibration([[1, 2], [3, 4, 5]], with_mask=True)
print("lines:", *lines, lines["arg0.0"].shape, lines["arg0.1"].shape)
print("few:", message(tokens.stretches, text, 11, 10))
print("zero:", message(tokens.stretches, text, 0, 10))
