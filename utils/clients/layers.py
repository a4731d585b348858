# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantised layers that clients exchange, and how far results are apart."""

import sys

import numpy as np
import qk


def layer_text(n, k, element, bias):
    text = f"""module {{
  func.func @main(%x: tensor<?x{k}x{element}>) -> tensor<?x{n}x{element}> {{
    %w = quant_llm.parameter "model"::"fc.weight" : tensor<{n}x{k}x{element}>
"""
    operands, types = "%x, %w", f"tensor<?x{k}x{element}>, tensor<{n}x{k}x{element}>"
    if bias:
        text += f"""    %b = quant_llm.parameter "model"::"fc.bias" : tensor<{n}x{element}>
"""
        operands += " bias(%b)"
        types += f", tensor<{n}x{element}>"
    return text + f"""    %y = quant_llm.linear {operands} name("fc") : ({types}) -> tensor<?x{n}x{element}>
    return %y : tensor<?x{n}x{element}>
  }}
}}
"""


def make_layer(n, k, element, bias, method, options):
    """The quantised module, as text, and an input."""
    random = np.random.default_rng(n * k)
    dtype = np.float16 if element == "f16" else np.float32
    weights = {"fc.weight": random.standard_normal((n, k)).astype(dtype)}
    if bias:
        weights["fc.bias"] = random.standard_normal(n).astype(dtype)
    calibration = random.standard_normal((256, k)).astype(np.float32) * random.uniform(.2, 3, k)
    statistics = {"fc": dict(
        tokens=len(calibration),
        hessian=(calibration.T @ calibration / len(calibration)).astype(np.float32),
        absmax=np.abs(calibration).max(axis=0), absmean=np.abs(calibration).mean(axis=0))}
    module = qk.quantize(layer_text(n, k, element, bias), method, weights=weights,
                         statistics=None if method == "rtn" else statistics, **options)
    return str(module), random.standard_normal((5, k)).astype(dtype)


def difference(ours, theirs):
    """Largest difference, in units of the largest value."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        sys.exit(f"expected finite values of shape {ours.shape}, got {theirs.shape}")
    return np.abs(ours - theirs).max() / np.abs(ours).max()
