# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recipes of two layers that read one input, and what they must evaluate to.

recipes.py make DIR          writes DIR/CASE.mlir for each case and DIR/stats.safetensors
recipes.py check CASE FILE   compares evaluated codes, scales and zero points with
                             the formulae of the ops, in f64

Scales are checked against the range that they cover, codes and zero points against
the scales that were stored, and each column of compensated rounding against the
codes before it: so that no value is accepted because it is near, and a number
half-way between two codes may go either way.
"""
import json
import math
import random
import struct
import sys

K, GROUP, TOKENS, GRID, SWEEPS = 20, 8, 64, 10, 2
ROWS = {"q": 6, "v": 5}
ALPHA, DAMPING, RETARGET = 0.6, 0.01, 0.5
CASES = {
    # element type, code type, symmetric, steps
    "smoothing": ("f16", "u4", False, ("smooth", "round")),
    "saliency": ("f32", "u3", False, ("salient", "round")),
    "saliency-duo": ("f32", "u3", True, ("salient duo", "round")),
    "clip": ("f32", "u3", False, ("clip", "round")),
    "clip-symmetric": ("f32", "u3", True, ("clip", "round")),
    "clip-sweeps": ("f32", "u3", False, ("clip sweeps", "round")),
    "chain": ("f32", "u3", False, ("salient", "clip", "compensate")),
    "smoothed-gptq": ("bf16", "u4", True, ("smooth", "compensate")),
    "retarget": ("f16", "u4", False, ("retarget", "compensate")),
    "retarget-chain": ("f32", "u3", False, ("salient", "retarget", "compensate")),
}


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def random_inputs():
    """Weights that every float type holds, and the statistics of the input."""
    rng = random.Random(5)
    weights = {}
    for name, rows in ROWS.items():
        weights[name] = [
            [round(rng.gauss(0, 1) * 16) / 16 for _ in range(K)] for _ in range(rows)
        ]
    weights["q"][0][3] = 5.0  # An outlier that is worth clipping.
    weights["v"][1][8:16] = [0.0] * 8  # A group of zeros.
    gain = [math.exp(rng.gauss(0, 1)) for _ in range(K)]
    x = []
    for _ in range(TOKENS):
        common = rng.gauss(0, 1)
        x.append([g * (rng.gauss(0, 1) + common) for g in gain])
    columns = list(zip(*x))
    statistics = {
        "absmax": [f32(max(map(abs, c))) for c in columns],
        "absmean": [f32(sum(map(abs, c)) / TOKENS) for c in columns],
        "hessian": [
            [f32(sum(a * b for a, b in zip(c, d)) / TOKENS) for d in columns]
            for c in columns
        ],
    }
    # What the float model fed the layer: a little other than x.
    exact = [[v + 0.2 * rng.gauss(0, 1) * g for v, g in zip(token, gain)] for token in x]
    statistics["cross"] = [
        [f32(sum(a * b for a, b in zip(c, d)) / TOKENS) for d in columns]
        for c in zip(*exact)
    ]
    return weights, statistics


def groups():
    return [range(b, min(b + GROUP, K)) for b in range(0, K, GROUP)]


# The formulae ---------------------------------------------------------------


def value_range(values, symmetric):
    lo, hi = min([0.0] + values), max([0.0] + values)
    if symmetric:
        hi = max(-lo, hi)
        lo = -hi
    return lo, hi


def round_half_even(x, bits, smallest):
    if x == 0:
        return 0.0
    step = 2.0 ** max(math.frexp(x)[1] - bits, smallest)
    return round(x / step) * step


def to_element(x, element):
    bits, smallest = {"f32": (24, -149), "f16": (11, -24), "bf16": (8, -133)}[element]
    return round_half_even(x, bits, smallest)


def quantised(values, bits, symmetric):
    """Values after a round trip through the nearest code."""
    lo, hi = value_range(values, symmetric)
    top = 2**bits - 1
    scale = round_half_even((hi - lo) / top, 11, -24) or 1.0
    zero = 2 ** (bits - 1)
    if not symmetric and lo != hi:
        zero = min(round(-lo / scale), top)
    code = lambda w: min(max(round(w / scale) + zero, 0), top)
    return [scale * (code(w) - zero) for w in values]


def smoothing(absmax, weights):
    factors = []
    for k in range(K):
        w = max([1e-5] + [abs(row[k]) for rows in weights for row in rows])
        factors.append(max(absmax[k] ** ALPHA / w ** (1 - ALPHA), 1e-5))
    return factors


def output_error(delta, hessian):
    return sum(
        d[i] * hessian[i][j] * d[j] for d in delta for i in range(K) for j in range(K)
    )


def saliency(absmean, hessian, weights, bits, symmetric, duo):
    def loss(s):
        total = 0.0
        for rows in weights:
            delta = []
            for row in rows:
                d = []
                for g in groups():
                    q = quantised([row[k] * s[k] for k in g], bits, symmetric)
                    d += [value / s[k] - row[k] for value, k in zip(q, g)]
                delta.append(d)
            total += output_error(delta, hessian)
        return total

    def relative_size(k):
        g = groups()[k // GROUP]
        sizes = []
        for rows in weights:
            for row in rows:
                largest = max(abs(row[i]) for i in g)
                sizes.append(abs(row[k]) / largest if largest else 0.0)
        return sum(sizes) / len(sizes)

    candidates = [(loss([1.0] * K), [1.0] * K)]
    for step in range(GRID + 1):
        r = step / GRID
        s = []
        for k in range(K):
            a = absmean[k] ** r
            if duo:
                a /= relative_size(k) ** (1 - r) + 1e-4
            s.append(max(a, 1e-4))
        middle = math.sqrt(max(s) * min(s))
        s = [value / middle for value in s]
        candidates.append((loss(s), s))
    ordered = sorted(candidates, key=lambda each: each[0])
    assert ordered[0][0] < 0.99 * candidates[0][0], "scaling changes nothing here"
    assert ordered[1][0] > 1.001 * ordered[0][0], "two are as good: other inputs"
    return ordered[0][1]


def clip_ranges(row, g, hessian, bits, symmetric, others=None, close=1e-4):
    """Ranges of a group whose losses can't be told apart in f32, best first, each with
    what rounding within it changes. `others`: the Hessian times the errors of the row's
    other groups."""
    low = min(0.0, min(row[k] for k in g))
    high = max(0.0, max(row[k] for k in g))
    if symmetric:
        low, high = min(low, -high), max(high, -low)
    tried = []
    for step in range(GRID // 2):
        f = 1 - step / GRID
        clipped = [min(max(row[k], f * low), f * high) for k in g]
        d = [a - row[k] for a, k in zip(quantised(clipped, bits, symmetric), g)]
        loss = sum(
            d[i] * hessian[k][l] * d[j] for i, k in enumerate(g) for j, l in enumerate(g)
        )
        if others:
            loss += 2 * sum(d[i] * others[i] for i in range(len(g)))
        tried.append((loss, (f * low, f * high), d))
    least = min(loss for loss, _, _ in tried)
    # The first of equal ones; a loss that differs little may win in f32.
    return [
        (bounds, d) for loss, bounds, d in tried
        if loss <= least + close * max(abs(each[0]) for each in tried)
    ]


def swept_ranges(row, hessian, bits, symmetric):
    """The range of each group after SWEEPS sweeps."""
    ranges, errors = {}, [0.0] * K
    for sweep in range(SWEEPS + 1):
        for n, g in enumerate(groups()):
            others = None
            if sweep:
                rest = [j for j in range(K) if j not in g]
                others = [sum(hessian[k][j] * errors[j] for j in rest) for k in g]
            found = clip_ranges(row, g, hessian, bits, symmetric, others, 1e-6)
            ranges[n], d = found[0]
            # But for groups of zeros.
            assert all(other == d for _, other in found), "two are as good: other inputs"
            for k, change in zip(g, d):
                errors[k] = change
    return ranges


def invert(a):
    # Gauss-Jordan.
    inverse = [row + [float(i == j) for j in range(K)] for i, row in enumerate(a)]
    for p in range(K):
        pivot = inverse[p][p]
        inverse[p] = [x / pivot for x in inverse[p]]
        for i in range(K):
            if i != p:
                factor = inverse[i][p]
                inverse[i] = [x - factor * y for x, y in zip(inverse[i], inverse[p])]
    return [row[K:] for row in inverse]


def retargeted(row, hessian, cross):
    """The row moved by RETARGET * w (C - H) (H + lambda I)^-1."""
    mean = sum(hessian[i][i] for i in range(K)) / K
    inverse = invert(
        [[h + (DAMPING * mean if i == j else 0.0) for j, h in enumerate(line)] for i, line in enumerate(hessian)]
    )
    d = [sum(row[i] * (cross[i][j] - hessian[i][j]) for i in range(K)) for j in range(K)]
    move = [sum(d[i] * inverse[i][j] for i in range(K)) for j in range(K)]
    assert max(map(abs, move)) > 0.05, "retargeting changes nothing here"
    return [w + RETARGET * m for w, m in zip(row, move)]


def compensation(hessian):
    """Columns by falling diagonal, and U with H⁻¹ = UᵀU of the damped, permuted
    Hessian: by Cholesky, inverse, Cholesky."""
    mean = sum(hessian[i][i] for i in range(K)) / K
    order = sorted(range(K), key=lambda i: (-hessian[i][i], i))
    a = [
        [hessian[i][j] + (DAMPING * mean if i == j else 0.0) for j in order]
        for i in order
    ]
    inverse = invert(a)
    lower = [[0.0] * K for _ in range(K)]
    for i in range(K):
        for j in range(i + 1):
            rest = inverse[i][j] - sum(lower[i][m] * lower[j][m] for m in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return order, [list(column) for column in zip(*lower)]


# Reading and writing --------------------------------------------------------


def write_statistics(path, statistics):
    header = {"__metadata__": {"alias.v": "q"}}
    data = b""
    for name, values in statistics.items():
        if name in ("hessian", "cross"):
            values = [x for row in values for x in row]
            shape = [K, K]
        else:
            shape = [K]
        raw = struct.pack("<%df" % len(values), *values)
        header["q." + name] = {
            "dtype": "F32",
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    header["q.tokens"] = {
        "dtype": "I64",
        "shape": [],
        "data_offsets": [len(data), len(data) + 8],
    }
    data += struct.pack("<q", TOKENS)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def module_of(case, weights):
    element, code, symmetric, steps = CASES[case]
    flag = " symmetric" if symmetric else ""
    scheme = "scheme(<%s, group = %d, scale = f16>)" % (code, GROUP)
    vector, square = "tensor<%dxf32>" % K, "tensor<%dx%dxf32>" % (K, K)
    ty = {name: "tensor<%dx%dx%s>" % (rows, K, element) for name, rows in ROWS.items()}
    body = []
    for name in ROWS:
        value = "[%s]" % ", ".join(str(row) for row in weights[name])
        body.append(
            '%%%s0 = quant_llm.parameter ""::"%s.weight" : %s = dense<%s> : %s'
            % (name, name, ty[name], value, ty[name])
        )
    for kind, shape in (("hessian", square), ("cross", square), ("absmax", vector), ("absmean", vector)):
        body.append('%%%s = quant_llm.statistic %s of "q" : %s' % (kind, kind, shape))
    current = {name: name + "0" for name in ROWS}
    hessian, cross = "hessian", "cross"
    both = "(%q0, %v0)"
    both_types = "(%s, %s)" % (ty["q"], ty["v"])
    for step in steps:
        if step == "smooth":
            body.append(
                "%%s = quant_llm.smoothing_factors %%absmax, %s alpha = %s : %s, %s"
                % (both, ALPHA, vector, both_types)
            )
        elif step.startswith("salient"):
            body.append(
                "%%s = quant_llm.saliency_factors %%absmean, %%hessian, %s %s grid = %d%s%s : %s, %s, %s"
                % (both, scheme, GRID, " duo" if "duo" in step else "", flag, vector, square, both_types)
            )
        if step == "smooth" or step.startswith("salient"):
            for name in ROWS:
                body.append(
                    "%%%s1 = quant_llm.scale_columns %%%s0 by %%s : %s, %s"
                    % (name, name, ty[name], vector)
                )
                current[name] = name + "1"
            body.append(
                "%%h1 = quant_llm.scale_statistic %%hessian by %%s : %s, %s"
                % (square, vector)
            )
            body.append(
                "%%c1 = quant_llm.scale_statistic %%cross by %%s : %s, %s"
                % (square, vector)
            )
            hessian, cross = "h1", "c1"
        if step == "retarget":
            for name in ROWS:
                body.append(
                    "%%%s3 = quant_llm.retarget %%%s, %%%s, %%%s alpha = %s {damping = %e : f64} : %s, %s, %s -> %s"
                    % (name, current[name], hessian, cross, RETARGET, DAMPING, ty[name], square, square,
                       ty[name].replace(element, "f32"))
                )
                current[name] = name + "3"
                ty[name] = ty[name].replace(element, "f32")
        if step.startswith("clip"):
            sweeps = " sweeps = %d" % SWEEPS if "sweeps" in step else ""
            for name in ROWS:
                body.append(
                    "%%%s2 = quant_llm.clip %%%s, %%%s %s grid = %d%s%s : %s, %s"
                    % (name, current[name], hessian, scheme, GRID, sweeps, flag, ty[name], square)
                )
                current[name] = name + "2"
    xtype = "tensor<?x%dx%s>" % (K, element)
    results = []
    for name, rows in ROWS.items():
        codes = "tensor<%dx%dxi%s>" % (rows, K, code[1:])
        scales = "tensor<%dx%dxf16>" % (rows, len(groups()))
        zeros = "tensor<%dx%dxi8>" % (rows, len(groups()))
        outs = [codes, scales] + ([] if symmetric else [zeros])
        left = ", ".join("%%%s%s" % (name, part) for part in ("c", "s", "z")[: len(outs)])
        if steps[-1] == "round":
            body.append(
                "%s = quant_llm.round_to_nearest %%%s %s%s : %s -> %s"
                % (left, current[name], scheme, flag, ty[name], ", ".join(outs))
            )
        else:
            body.append(
                "%s = quant_llm.round_compensated %%%s, %%%s %s%s static_groups {damping = %e : f64} : %s, %s -> %s"
                % (left, current[name], hessian, scheme, flag, DAMPING, ty[name], square, ", ".join(outs))
            )
        ytype = "tensor<?x%dx%s>" % (rows, element)
        body.append(
            '%%%sy = quant_llm.matmul %%x, %%%sc, %%%ss%s scheme(<%s, group = %d, scale = f16>) name("%s") : (%s, %s) -> %s'
            % (name, name, name, "" if symmetric else " zero_points(%%%sz)" % name,
               code, GROUP, name, xtype, ", ".join(outs), ytype)
        )
        results.append(ytype)
    return "func.func @main(%%x: %s) -> (%s) {\n  %s\n  return %%qy, %%vy : %s\n}\n" % (
        xtype, ", ".join(results), "\n  ".join(body), ", ".join(results)
    )


def read_quantised(path, name, bits, symmetric):
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])

    def tensor(what, code):
        entry = header[name + "." + what]
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin : 8 + size + end]
        values = struct.unpack("<%d%s" % (len(raw) // struct.calcsize(code), code), raw)
        width = entry["shape"][1]
        return [values[i : i + width] for i in range(0, len(values), width)]

    codes = []
    for row in tensor("codes", "B"):
        stream = int.from_bytes(bytes(row), "little")
        codes.append([stream >> (bits * k) & (2**bits - 1) for k in range(K)])
    scales = tensor("scales", "e")
    zeros = None if symmetric else tensor("zero_points", "b")
    return codes, scales, zeros


# The check ------------------------------------------------------------------


def parameters_fit(values, scale, zero, bits, symmetric):
    """Whether a group's scale and zero point are those of its values."""
    lo, hi = value_range(values, symmetric)
    wanted = (hi - lo) / (2**bits - 1)
    if wanted == 0:
        return scale == 1 and zero == 2 ** (bits - 1)
    half = 2.0 ** (math.frexp(wanted)[1] - 12)  # Half a unit of f16's last place.
    if abs(scale - wanted) > half * 1.001:
        return False
    if symmetric:
        return True
    return abs(zero - min(-lo / scale, 2**bits - 1)) <= 0.5 + 1e-3


def code_fits(value, code, scale, zero, bits):
    exact = min(max(value / scale + zero, 0.0), 2.0**bits - 1)
    return abs(code - exact) <= 0.5 + 1e-3


def check(case, path):
    weights, statistics = random_inputs()
    element, code, symmetric, steps = CASES[case]
    bits = int(code[1:])
    hessian = statistics["hessian"]
    factors = [1.0] * K
    both = [weights["q"], weights["v"]]
    clipped = kept = moved = 0
    for step in steps:
        if step == "smooth":
            factors = smoothing(statistics["absmax"], both)
        elif step.startswith("salient"):
            factors = saliency(
                statistics["absmean"], hessian, both, bits, symmetric, "duo" in step
            )
    scaled = [
        [hessian[i][j] / (factors[i] * factors[j]) for j in range(K)] for i in range(K)
    ]
    cross = [
        [statistics["cross"][i][j] / (factors[i] * factors[j]) for j in range(K)]
        for i in range(K)
    ]
    for name, rows in weights.items():
        codes, scales, zeros = read_quantised(path, name, bits, symmetric)
        for n, row in enumerate(rows):
            target = [to_element(row[k] * factors[k], element) for k in range(K)]
            if "retarget" in steps:
                target = retargeted(target, scaled, cross)
            zero_of = lambda g: zeros[n][g] if zeros else 2 ** (bits - 1)
            swept = swept_ranges(target, scaled, bits, symmetric) if "clip sweeps" in steps else None
            for g, columns in enumerate(groups()):
                ranges = [(-math.inf, math.inf)]
                if "clip" in steps:
                    ranges = [found for found, _ in clip_ranges(target, columns, scaled, bits, symmetric)]
                elif swept:
                    ranges = [swept[g]]
                for low, high in ranges:
                    values = [min(max(target[k], low), high) for k in columns]
                    if parameters_fit(values, scales[n][g], zero_of(g), bits, symmetric):
                        break
                else:
                    sys.exit(
                        "%s: %s row %d group %d: scale %g, zero point %d do not fit %s"
                        % (case, name, n, g, scales[n][g], zero_of(g), values)
                    )
                cut = values != [target[k] for k in columns]
                clipped += cut
                kept += not cut
                moved += bool(swept) and swept[g] != clip_ranges(target, columns, scaled, bits, symmetric)[0][0]
                for k, value in zip(columns, values):
                    target[k] = value
            order, u = range(K), None
            if steps[-1] == "compensate":
                order, u = compensation(scaled)
            for step, k in enumerate(order):
                g = k // GROUP
                if not code_fits(target[k], codes[n][k], scales[n][g], zero_of(g), bits):
                    sys.exit(
                        "%s: %s row %d column %d: expected the code of %g, got %d (scale %g, zero point %d)"
                        % (case, name, n, k, target[k], codes[n][k], scales[n][g], zero_of(g))
                    )
                if u:
                    value = scales[n][g] * (codes[n][k] - zero_of(g))
                    err = (target[k] - value) / u[step][step]
                    for later in range(step + 1, K):
                        target[order[later]] -= err * u[step][later]
    if "clip" in steps and (clipped == 0 or kept == 0):
        sys.exit("expected some groups to be clipped and some not: other inputs")
    if "clip sweeps" in steps and moved == 0:
        sys.exit("expected the sweeps to change a range: other inputs")
    print("%s: as restated" % case)


def main():
    if sys.argv[1] == "make":
        weights, statistics = random_inputs()
        write_statistics(sys.argv[2] + "/stats.safetensors", statistics)
        for case in CASES:
            with open("%s/%s.mlir" % (sys.argv[2], case), "w") as out:
                out.write(module_of(case, weights))
    else:
        check(sys.argv[2], sys.argv[3])


main()
