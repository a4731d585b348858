#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantises exported modules of dialects that are not linked, with host=keep,
and compares the result with the input op by op.

usage: keep-whole.py TOOLS FOLDER SCRATCH [NAME…]

Ops are paired in order by name, attributes and types. Then
- every op of the input without a pair must be of a kind that layers are made
  of, every op of the output without one of a kind that a call of a kernel is
  made of, and as many calls as layers must be there;
- the operands of a pair must be made by a pair, or by equal ops of equal
  operands; or, where a layer's result is used, by what layers are made of in
  the input and by the call in the output, always the same call for the same
  value.
"""
import json
import os
import re
import subprocess
import sys

ROUTES = ("stablehlo", "torch", "iree", "onnx-torch", "jax")
LAYER = re.compile(
    r"stablehlo\.(constant|transpose|convert|reshape|broadcast_in_dim|dynamic_broadcast_in_dim|multiply|add"
    r"|dot_general|dot)|torch\.(constant\.\w+|prim\.ListConstruct|vtensor\.literal|prims\.convert_element_type"
    r"|aten\.(permute|mm|mul\.Scalar|expand|add\.Tensor|linear|addmm|matmul|t|transpose\.int|size\.int|view))"
    r"|torch_c\.from_builtin_tensor|util\.global\.load|arith\.constant|shape\.\w+|tensor\.(dim|from_elements)"
    r"|onnx\.(Constant|MatMul|Gemm|Add|Transpose)")
CONTRACTION = re.compile(r"stablehlo\.dot|torch\.aten\.(mm|linear|addmm|matmul)|onnx\.(MatMul|Gemm)")
CALL = re.compile(
    r"func\.call|stablehlo\.(custom_call|constant|reshape)|arith\.constant|tensor\.(cast|collapse_shape|expand_shape|dim)"
    r"|torch_c\.(to|from)_builtin_tensor|torch\.aten\.view|func\.func|gpu\.binary")
OP = re.compile(r'^\s*(?:(%[^=]+?) = )?"([\w.$]+)"\(([^()]*)\)(.*)$')
BLOCK = re.compile(r"^\s*\^bb\d+\((.*)\):")


class Op:
    def __init__(self, name, operands, text, types):
        self.name, self.operands, self.text, self.types = name, operands, text, types
        wrapped = re.search(r'name = "(onnx\.\w+)"', text) if name == "torch.operator" else None
        self.kind = wrapped[1] if wrapped else name

    def key(self):
        return self.name, self.text, self.types


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip()[-400:])
    return result.stdout


def normalise(text):
    """Attributes whatever their place and order of printing; empty ones apart."""
    text = re.sub(r"(arg|res)_attrs = \[(\{\}(, )?)*\](, )?", "", text)
    return re.sub(r"\s+", " ", text).replace("<{", "{").replace("}>", "}").strip()


def parse(text):
    """The ops of a module in generic form, in order. Operands are (op, number)
    or the place of a block's argument."""
    ops, scopes, stack = [], [{}], []
    for line in text.splitlines():
        if line.startswith("{-#"):
            break
        if block := BLOCK.match(line):
            for i, argument in enumerate(re.findall(r"(%\w+):", block[1])):
                scopes[-1][argument] = ("argument", len(stack), i)
            continue
        if found := OP.match(line):
            results, name, operands, rest = found.groups()
            values = []
            for operand in filter(None, (o.strip() for o in operands.split(","))):
                scope = next(s for s in reversed(scopes) if operand in s)
                values.append(scope[operand])
            opens = rest.rstrip().endswith("({")
            body, _, types = ("", "", "") if opens else rest.rpartition(" : (")
            op = Op(name, values, normalise(rest if opens else body), types)
            ops.append(op)
            if results:
                first, _, count = results.strip().partition(":")
                for i in range(int(count or 1)):
                    scopes[-1][f"{first}#{i}" if count else first] = (op, i)
            if opens:
                stack.append(op)
                scopes.append({})
            continue
        if line.strip().startswith("})"):
            op = stack.pop()
            scopes.pop()
            # Where the weights are is the one thing that qk says on a module.
            attributes = re.sub(r"(, )?quant_llm\.weights = \{[^}]*\}", "", line.strip())
            op.text += normalise(attributes.replace(" {}", ""))
    return ops


def align(a, b):
    """The longest common subsequence of two lists, as a dictionary."""
    keys = {}
    x, y = ([keys.setdefault(op.key(), len(keys)) for op in ops] for ops in (a, b))
    rows = [[0] * (len(y) + 1)]
    for i in reversed(x):
        below, row, right = rows[-1], [0] * (len(y) + 1), 0
        for j in range(len(y) - 1, -1, -1):
            right = below[j + 1] + 1 if i == y[j] else max(below[j], right)
            row[j] = right
        rows.append(row)
    rows.reverse()
    pair, i, j = {}, 0, 0
    while i < len(x) and j < len(y):
        if x[i] == y[j]:
            pair[a[i]] = b[j]
            i, j = i + 1, j + 1
        elif rows[i + 1][j] >= rows[i][j + 1]:
            i += 1
        else:
            j += 1
    return pair


def compare(before, after):
    a, b = parse(before), parse(after)
    pair = align(a, b)
    kept = set(pair.values())
    removed = [op for op in a if op not in pair]
    added = [op for op in b if op not in kept]
    for op in removed:
        if not LAYER.fullmatch(op.kind):
            return f"lost {op.name} {op.text[:100]}", 0
    for op in added:
        if not CALL.fullmatch(op.kind):
            return f"added {op.name} {op.text[:100]}", 0
    calls = [op for op in added if "qk_matmul" in op.text and op.name.endswith("call")]
    layers = [op for op in removed if CONTRACTION.match(op.kind)]
    if len(calls) != len(layers):
        return f"{len(layers)} products lost, {len(calls)} calls made", 0
    made = {}

    def same(x, y):
        if x[0] == "argument" or y[0] == "argument":
            return x == y
        if pair.get(x[0]) is y[0]:
            return x[1] == y[1]
        if x[0].key() == y[0].key() and x[1] == y[1]:
            return len(x[0].operands) == len(y[0].operands) and all(map(same, x[0].operands, y[0].operands))
        if x[0] in pair or y[0] in kept:
            return False
        return made.setdefault(x, y) == y

    for x, y in pair.items():
        if len(x.operands) != len(y.operands) or not all(map(same, x.operands, y.operands)):
            return f"other operands: {x.name} {x.text[:100]}", 0
    return "", len(calls)


def main():
    tools, folder, scratch, *names = sys.argv[1:]
    qk_opt = os.path.join(tools, "qk-opt")
    os.makedirs(scratch, exist_ok=True)
    with open(os.path.join(folder, "expected.json")) as file:
        cases = json.load(file)
    bad = checked = total = 0
    for name, case in sorted(cases.items()):
        path = os.path.join(folder, name)
        if names and name not in names:
            continue
        if case["route"] not in ROUTES or ".generic" not in name or not case["mlir_opt_22"].startswith("reads"):
            continue
        weights = os.path.join(folder, case["weights"] or "")
        if not os.path.isfile(weights) or ".jax-args" in name:
            continue
        common = [qk_opt, "--allow-unregistered-dialect"]
        generic = "--mlir-print-op-generic"
        kept = os.path.join(scratch, name)
        try:
            run(*common, "--weights=" + weights, "--rtn=group-size=32", "--lower-to-nvvm=host=keep", path, "-o", kept)
            problem, calls = compare(run(*common, generic, path), run(*common, generic, kept))
            # A head with a weight of its own is a layer where no name tells.
            head = case["lm_head"]
            expected = case["linears"] + bool(head and not head.get("tied"))
            if not problem and calls != expected:
                problem = f"expected {expected} calls, got {calls}"
        except RuntimeError as error:
            problem, calls = str(error), 0
        checked += 1
        total += calls
        bad += bool(problem)
        print("FAIL" if problem else "ok  ", name, problem, flush=True)
    print(f"{checked} modules, {total} calls, {bad} failed")
    sys.exit(bad != 0 or not checked)


main()
