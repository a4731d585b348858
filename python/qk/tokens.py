# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m qk.tokens HF_FOLDER TEXT --calibration=FILE and/or --evaluation=FILE

Turns a text into what qk-opt calibrates on and qk-run measures with.

--calibration=FILE.safetensors
    `arg0`, i64 [samples, 1, length]: disjoint stretches of the text, evenly
    spread over it; with --attention-mask also `arg1` of that shape, all ones.
    With --lines each line of the text is a sample of its own length, as the
    tokenizer frames it: `arg0.0`, `arg0.1`, ..., i64 [1, tokens].
--evaluation=FILE.npy
    The whole text's tokens, i64 [n], none added at either end.
"""

import argparse
import os
import sys

import numpy as np

from . import Error, files


def load_tokenizer(folder):
    """encode(text, framed) -> list of ids."""
    path = os.path.join(folder, "tokenizer.json")
    if not os.path.exists(path):
        raise Error(f"{folder}: expected tokenizer.json; "
                    "AutoTokenizer.from_pretrained(...).save_pretrained(...) "
                    "of transformers writes it")
    try:
        import tokenizers
    except ImportError as error:
        raise Error(f"reading {path} needs the package tokenizers ({error}); "
                    "pip install './python[tokens]' in qk's folder") from None
    try:
        tokenizer = tokenizers.Tokenizer.from_file(path)
    except Exception as error:  # What the library raises has no other type.
        raise Error(f"{path}: {error}") from None
    # A file may ask for the lengths its model was trained on.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text, framed: tokenizer.encode(
        text, add_special_tokens=framed).ids


def stretches(tokens, samples, length):
    """`samples` disjoint stretches of `length` tokens, evenly spread:
    [samples, length]."""
    tokens = np.asarray(tokens, np.int64)
    if samples < 1 or length < 1:
        raise Error(f"expected at least one sample of at least one token, got "
                    f"{samples} of {length}")
    available = len(tokens) // length
    if available < samples:
        raise Error(f"expected {samples * length} tokens for {samples} samples "
                    f"of {length}, got {len(tokens)}, enough for {available}; "
                    "give a longer text, or fewer or shorter samples")
    begins = np.arange(samples) * (len(tokens) - length) // max(samples - 1, 1)
    return np.stack([tokens[begin:begin + length] for begin in begins])


def calibration(samples, with_mask):
    """Tensors of a calibration file from stretches of one length
    [samples, length], or from a list of samples of their own lengths."""
    tensors = {}
    if isinstance(samples, np.ndarray):
        tensors["arg0"] = samples[:, None, :]
        if with_mask:
            tensors["arg1"] = np.ones_like(tensors["arg0"])
        return tensors
    for i, sample in enumerate(samples):
        tensors[f"arg0.{i}"] = np.asarray(sample, np.int64)[None]
    if with_mask:
        for i in range(len(samples)):
            tensors[f"arg1.{i}"] = np.ones_like(tensors[f"arg0.{i}"])
    return tensors


def lines_of(text, encode, samples, length):
    """The first `samples` lines that hold a sentence, each cut to `length`."""
    chosen = []
    for line in text.splitlines():
        # Headings and empty lines teach nothing.
        if len(line.split()) < 4:
            continue
        chosen.append(encode(line.strip(), True)[:length])
        if len(chosen) == samples:
            return chosen
    raise Error(f"expected {samples} lines of four words or more, got "
                f"{len(chosen)}; give a longer text or fewer --samples")


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="python -m qk.tokens",
        description="Turns a text into calibration samples and evaluation "
                    "tokens.")
    parser.add_argument("folder", help="a Hugging Face folder, for its "
                                       "tokenizer.json")
    parser.add_argument("text", help="a text file, UTF-8")
    parser.add_argument("--calibration", metavar="FILE.safetensors")
    parser.add_argument("--evaluation", metavar="FILE.npy")
    parser.add_argument("--samples", type=int, default=32,
                        help="calibration samples (32)")
    parser.add_argument("--length", type=int, default=512,
                        help="tokens of a sample, at most with --lines (512)")
    parser.add_argument("--lines", action="store_true",
                        help="a sample is a line, with the tokens that the "
                             "tokenizer adds (encoders)")
    parser.add_argument("--attention-mask", action="store_true",
                        help="for a module exported with --attention-mask")
    options = parser.parse_args(argv)
    try:
        if not options.calibration and not options.evaluation:
            raise Error("expected --calibration=FILE, --evaluation=FILE or "
                        "both, got neither")
        if options.evaluation and not options.evaluation.endswith(".npy"):
            raise Error(f"expected --evaluation to end in .npy, got "
                        f"{options.evaluation}")
        try:
            with open(options.text, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise Error(f"{options.text}: {error}") from None
        encode = load_tokenizer(options.folder)
        tokens = None
        if options.evaluation or not options.lines:
            tokens = np.asarray(encode(text, False), np.int64)
        if options.calibration:
            samples = (lines_of(text, encode, options.samples, options.length)
                       if options.lines else
                       stretches(tokens, options.samples, options.length))
            files.write(options.calibration,
                        calibration(samples, options.attention_mask))
            count = sum(len(sample) for sample in samples)
            print(f"{options.calibration}: {len(samples)} samples, {count} "
                  "tokens")
        if options.evaluation:
            np.save(options.evaluation, tokens)
            print(f"{options.evaluation}: {len(tokens)} tokens")
    except Error as error:
        print(f"qk.tokens: error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
