# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""qk in Python, and models and texts in the forms that qk-opt and qk-run read.

qk.files    safetensors and .npy, checkpoints of one or more files; numpy only
qk.quantize quantises a module in this process (libqk_c, numpy)
qk.compile  compiles one: a callable on numpy arrays
qk.export   a Hugging Face folder to an MLIR module (PyTorch, torch-mlir)
qk.onnx     quantises the linear layers of an ONNX file (onnx)
qk.tokens   texts to calibration samples and evaluation tokens (tokenizers)
"""

__version__ = "0.1.0"


class Error(Exception):
    """Something that the user can put right; printed without a traceback."""


def __getattr__(name):
    # Loaded when asked for: exporting needs no library.
    if name in ("quantize", "compile", "Module", "Layer", "Executable"):
        from . import compiler
        return getattr(compiler, name)
    raise AttributeError(f"module 'qk' has no attribute '{name}'")
