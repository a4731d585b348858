#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Raises products that torch and ONNX modules write as einsum, with dimensions in random
order and number, and compares each compiled layer with the sum that the equation defines.

usage: raise-einsum.py TOOLS SCRATCH

What is left of torch's types after raising is read as builtin tensors.
"""
import itertools
import os
import random
import re
import struct
import subprocess
import sys

CASES = 32
FREE, CONTRACTED, CHANNELS = "abc", "kl", "no"


def npy(path, shape, values):
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        file.write(struct.pack(f"<{len(values)}f", *values))


def shuffled(labels):
    return "".join(random.sample(labels, len(labels)))


def strides(labels, sizes):
    result, step = {}, 1
    for label in reversed(labels):
        result[label], step = step, step * sizes[label]
    return result


def einsum(x, x_labels, w, w_labels, y_labels, sizes):
    """The definition: for each element of y the sum over all that y doesn't name."""
    summed = [label for label in x_labels if label not in y_labels]
    at_x, at_w = strides(x_labels, sizes), strides(w_labels, sizes)
    result = []
    for place in itertools.product(*(range(sizes[label]) for label in y_labels)):
        index = dict(zip(y_labels, place))
        total = 0.0
        for inner in itertools.product(*(range(sizes[label]) for label in summed)):
            index.update(zip(summed, inner))
            total += (x[sum(index[l] * at_x[l] for l in x_labels)] * w[sum(index[l] * at_w[l] for l in w_labels)])
        result.append(total)
    return result


def literal(values, shape):
    if not shape:
        return repr(values[0])
    step = len(values) // shape[0]
    return "[" + ", ".join(literal(values[i * step:(i + 1) * step], shape[1:]) for i in range(shape[0])) + "]"


def case(number, scratch):
    """One function, and what it must give."""
    free = FREE[:random.randint(1, 3)]
    contracted = CONTRACTED[:random.randint(1, 2)]
    channels = CHANNELS[:random.randint(1, 2)]
    x_labels, w_labels = shuffled(free + contracted), shuffled(contracted + channels)
    y_labels = shuffled(free + channels)
    sizes = {label: random.randint(2, 5) for label in free + contracted + channels}
    dynamic = {label for label in free if random.random() < .4}
    count = lambda labels: eval("*".join(str(sizes[label]) for label in labels))
    draw = lambda labels: [random.randrange(-64, 65) / 32 for _ in range(count(labels))]
    x, w = draw(x_labels), draw(w_labels)
    npy(f"{scratch}/{number}.x.npy", [sizes[l] for l in x_labels], x)
    npy(f"{scratch}/{number}.y.npy", [sizes[l] for l in y_labels], einsum(x, x_labels, w, w_labels, y_labels, sizes))
    vtensor = lambda labels: ("!torch.vtensor<[" + ",".join("?" if l in dynamic else str(sizes[l]) for l in labels) +
                              "],f32>")
    w_shape = [sizes[l] for l in w_labels]
    value = f"dense<{literal(w, w_shape)}> : tensor<{'x'.join(map(str, w_shape))}xf32>"
    operands = [("%x", x_labels), ("%w", w_labels)]
    if random.random() < .5:
        operands.reverse()
    names, labels = zip(*operands)
    equation = ",".join(labels) + "->" + y_labels
    types = ", ".join(vtensor(l) for l in labels)
    lines = [f"func.func @f{number}(%x: {vtensor(x_labels)}) -> {vtensor(y_labels)} {{"]
    if random.random() < .5:
        lines += [f'  %w = "torch.vtensor.literal"() <{{value = {value}}}> : () -> {vtensor(w_labels)}',
                  '  %none = "torch.constant.none"() : () -> !torch.none',
                  f'  %e = "torch.constant.str"() <{{value = "{equation}"}}> : () -> !torch.str',
                  f'  %l = "torch.prim.ListConstruct"({", ".join(names)}) : ({types}) -> !torch.list<vtensor>',
                  f'  %y = "torch.aten.einsum"(%e, %l, %none) : (!torch.str, !torch.list<vtensor>, !torch.none) -> '
                  f'{vtensor(y_labels)}']
    else:
        lines += [f'  %w = "torch.operator"() <{{name = "onnx.Constant"}}> {{torch.onnx.value = {value}}} : () -> '
                  f'{vtensor(w_labels)}',
                  f'  %y = "torch.operator"({", ".join(names)}) <{{name = "onnx.Einsum"}}> '
                  f'{{torch.onnx.equation = "{equation}"}} : ({types}) -> {vtensor(y_labels)}']
    lines += [f"  return %y : {vtensor(y_labels)}", "}"]
    return equation + " " + vtensor(x_labels), "\n".join(lines) + "\n"


def builtin(text):
    """A raised module, torch's types those of builtin tensors."""
    text = re.sub(r'.*= "torch\.(constant|prim|vtensor|operator).*\n', "", text)
    text = re.sub(r"!torch\.vtensor<\[([^\]]*)\],f32>", lambda m: f"tensor<{m[1].replace(',', 'x')}xf32>", text)
    return re.sub(r'"torch_c\.(?:to|from)_builtin_tensor"\((%\w+)\) : \((.*?)\) -> ', r"tensor.cast \1 : \2 to ", text)


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


def main():
    tools, scratch = sys.argv[1:]
    qk_opt, qk_run = os.path.join(tools, "qk-opt"), os.path.join(tools, "qk-run")
    os.makedirs(scratch, exist_ok=True)
    random.seed(3)
    cases = [case(number, scratch) for number in range(CASES)]
    module = os.path.join(scratch, "module.mlir")
    with open(module, "w") as file:
        file.write("".join(text for _, text in cases))
    status, log = run(qk_opt, "--allow-unregistered-dialect", "--quant-llm-raise-linear", module, "-o", module + ".raised")
    if status:
        sys.exit(log)
    with open(module + ".raised") as file:
        raised = file.read()
    print(raised.count("quant_llm.linear"), "layers of", CASES)
    with open(module + ".builtin", "w") as file:
        file.write(builtin(raised))
    status, log = run(qk_opt, "--lower-to-cpu", module + ".builtin", "-o", module + ".cpu")
    if status:
        sys.exit(log)
    bad = 0
    for number, (what, _) in enumerate(cases):
        status, log = run(qk_run, module + ".cpu", f"--entry=f{number}", f"--input={scratch}/{number}.x.npy",
                          f"--expect={scratch}/{number}.y.npy")
        bad += status != 0
        print("ok  " if status == 0 else "FAIL", what, "" if status == 0 else log.strip())
    print(f"{CASES} products, {bad} differ")
    sys.exit(bad != 0)


main()
