# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Brings models and texts into the forms that qk-opt and qk-run read.

qk.files    safetensors and .npy, checkpoints of one or more files; numpy only
qk.export   a Hugging Face folder to an MLIR module (PyTorch, torch-mlir)
qk.tokens   texts to calibration samples and evaluation tokens (tokenizers)
"""

__version__ = "0.1.0"


class Error(Exception):
    """Something that the user can put right; printed without a traceback."""
