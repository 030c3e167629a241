#!/usr/bin/env python3
"""llama.cpp's vectors of vocabularies: the ids that Suiren makes of NAME.gguf.inp with the tokenizer of NAME.gguf, beside
those in NAME.gguf.out.

    python tests/peers/vocab_vectors.py $(tools/fetch_models llama_cpp) [--runner build/release/peer_tokenizer_runner]

The folder is models/ of llama.cpp.
A vocabulary that Suiren refuses is listed with the reason. Exits 1 where ids differ, or where more than --refused are refused.
"""
import argparse
import pathlib
import struct
import subprocess
import sys
import tempfile

SEPARATOR = "\n__ggml_vocab_test__\n"


def encode(runner, vocabulary, texts):
    """A list of ids for each text; its words as a string when Suiren refuses the vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        text, ids, decoded = (pathlib.Path(folder, name) for name in ("text", "ids", "decoded"))
        text.write_bytes("\x1e".join(texts).encode())
        done = subprocess.run([runner, str(vocabulary), str(text), str(ids), str(decoded)], capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip()
        rows, row = [], []
        for (i,) in struct.iter_unpack("<I", ids.read_bytes()):
            if i == 0xFFFFFFFF:
                rows.append(row)
                row = []
            else:
                row.append(i)
        return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("--runner", default="build/release/peer_tokenizer_runner")
    parser.add_argument("--refused", type=int, default=0, help="so many vocabularies may be refused")
    arguments = parser.parse_args()
    equal = different = refused = 0
    for given in sorted(pathlib.Path(arguments.models).glob("*.gguf.inp")):
        vocabulary, name = given.with_suffix(""), given.name.removesuffix(".gguf.inp")
        texts = given.read_bytes().decode().split(SEPARATOR)
        want = [[int(i) for i in line.split()] for line in given.with_suffix(".out").read_text().split("\n")]
        got = encode(arguments.runner, vocabulary, texts)
        if isinstance(got, str):
            print(f"{name:30} refused: {got}")
            refused += 1
            continue
        wrong = [(t, g, w) for t, g, w in zip(texts, got, want) if g != w]
        short = len(want) < len(texts) or len(got) != len(texts)
        print(f"{name:30} {len(texts) - len(wrong)} of {len(texts)} texts equal" + (f", {len(want)} lines expected" if short else ""))
        for text, g, w in wrong[:2]:
            print(f"    {text[:60]!r}: {g[:12]}, llama.cpp {w[:12]}")
        equal, different = equal + (not wrong and not short), different + (bool(wrong) or short)
    print(f"{equal} vocabularies equal, {different} different, {refused} refused")
    return 0 if equal and not different and refused <= arguments.refused else 1


sys.exit(main())
