# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints the tensors of .npy and safetensors files, a row each."""

import sys

import numpy as np
from qk import files

for path in sys.argv[1:]:
    if path.endswith(".npy"):
        tensors = {path: np.load(path)}
    else:
        tensors = {name: files.read(entry)
                   for name, entry in files.read_header(path).items()}
    for name, array in tensors.items():
        rows = array.reshape(-1, array.shape[-1])
        print(name, array.dtype, *(np.array(row) for row in rows))
