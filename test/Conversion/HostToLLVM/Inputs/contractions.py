#!/usr/bin/env python3
"""Prints a module with two functions that compute the same contractions of
small integers: @blas in f32 (library calls), @loops in f64 (plain loops)."""

SIZES = {"a": 2, "b": 3, "c": 1, "m": 5, "n": 7, "k": 11, "l": 4}
CASES = [
    "mk,kn->mn", "mk,nk->mn", "km,kn->mn", "km,nk->mn",  # transposes
    "mk,kn->nm", "mk,nk->nm",                            # the result's, too
    "bmk,bkn->bmn", "bmk,kn->bmn", "mk,bkn->bmn",        # batches, broadcasts
    "abmk,abkn->abmn", "abmk,bakn->abmn",                # two that merge or not
    "bmk,bnk->mbn", "bmk,bnk->bnm",
    "mkl,nkl->mn", "mkl,lkn->mn",                        # two sums
    "abk,kn->abn", "mk,kab->mab", "amk,kbn->ambn",       # two row or column dims
    "mk,k->m", "k,kn->n", "bmk,bk->bm", "ck,kn->cn", "k,k->",  # vectors
]


def letters(text):
    return ", ".join(text)


def tensor(dims, element, dynamic):
    return "tensor<" + "".join(("?" if d in dynamic else str(SIZES[d])) + "x" for d in dims) + element + ">"


def fill(name, dims, element, salt, dynamic, out):
    """Integers from -5 to 5 that depend on every index."""
    t = tensor(dims, element, dynamic)
    sizes = ", ".join("%size_" + d for d in dims if d in dynamic)
    out.append(f"  {name}e = tensor.empty({sizes}) : {t}")
    ident = f"affine_map<({letters(dims)}) -> ({letters(dims)})>"
    kinds = ", ".join('"parallel"' for _ in dims)
    out.append(f"  {name} = linalg.generic {{indexing_maps = [{ident}], iterator_types = [{kinds}]}} outs({name}e : {t}) {{")
    out.append(f"  ^bb0(%o: {element}):")
    out.append(f"    %s0 = arith.constant {salt} : index")
    for i in range(len(dims)):
        out.append(f"    %i{i} = linalg.index {i} : index")
        out.append(f"    %f{i} = arith.constant {(3, 7, 5, 13, 17)[i]} : index")
        out.append(f"    %p{i} = arith.muli %i{i}, %f{i} : index")
        out.append(f"    %s{i + 1} = arith.addi %s{i}, %p{i} : index")
    out.append("    %c11 = arith.constant 11 : index")
    out.append("    %c5 = arith.constant 5 : i64")
    out.append(f"    %r = arith.remui %s{len(dims)}, %c11 : index")
    out.append("    %j = arith.index_cast %r : index to i64")
    out.append("    %v = arith.subi %j, %c5 : i64")
    out.append(f"    %x = arith.sitofp %v : i64 to {element}")
    out.append(f"    linalg.yield %x : {element}")
    out.append(f"  }} -> {t}")


def function(name, element):
    out, values, types = [], [], []
    for number, case in enumerate(CASES):
        inputs, result = case.split("->")
        left, right = inputs.split(",")
        loops = result + "".join(d for d in left if d not in result)
        loops += "".join(d for d in right if d not in loops)
        dynamic = "mk" if number % 2 else ""
        a, b, c = f"%left{number}", f"%right{number}", f"%start{number}"
        fill(a, left, element, 1, dynamic, out)
        fill(b, right, element, 2, dynamic, out)
        fill(c, result, element, number, dynamic, out)
        maps = ", ".join(f"affine_map<({letters(loops)}) -> ({letters(d)})>" for d in (left, right, result))
        kinds = ", ".join('"parallel"' if d in result else '"reduction"' for d in loops)
        t = [tensor(d, element, dynamic) for d in (left, right, result)]
        out.append(f"  %y{number} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}} "
                   f"ins({a}, {b} : {t[0]}, {t[1]}) outs({c} : {t[2]}) {{")
        out.append(f"  ^bb0(%p: {element}, %q: {element}, %s: {element}):")
        out.append(f"    %0 = arith.mulf %p, %q : {element}")
        out.append(f"    %1 = arith.addf %s, %0 : {element}")
        out.append(f"    linalg.yield %1 : {element}")
        out.append(f"  }} -> {t[2]}")
        values.append(f"%y{number}")
        types.append(t[2])
    head = [f"func.func @{name}(%m: tensor<?xi64>, %k: tensor<?xi64>) -> ({', '.join(types)}) {{",
            "  %zero = arith.constant 0 : index",
            "  %size_m = tensor.dim %m, %zero : tensor<?xi64>",
            "  %size_k = tensor.dim %k, %zero : tensor<?xi64>"]
    return head + out + [f"  return {', '.join(values)} : {', '.join(types)}", "}"]


print("\n".join(function("blas", "f32") + function("loops", "f64")))
