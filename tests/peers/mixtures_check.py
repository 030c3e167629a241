#!/usr/bin/env python3
"""Formats of the tensors that `suiren quantize` chooses, beside those of llama.cpp's own quantization.

    python tests/peers/mixtures_check.py MODEL.gguf [--suiren build/release/suiren]

Both quantize the same file to each mixture; the formats of all tensors have to be equal. Needs PyPI llama-cpp-python and gguf.
tools/fetch_models smollm2 fetches a MODEL.gguf.
"""
import argparse
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import gguf
import llama_cpp

MIXTURES = {"q4_k_m": 15, "q4_k_s": 14, "q5_k_m": 17, "q5_k_s": 16, "q6_k": 18, "q8_0": 7, "q4_0": 2, "q4_1": 3,
            "q5_0": 8, "q5_1": 9}


def formats(path):
    return {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--suiren", default="build/release/suiren")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = str(pathlib.Path(folder, "theirs.gguf")), str(pathlib.Path(folder, "ours.gguf"))
        for name, file_type in MIXTURES.items():
            parameters = llama_cpp.llama_model_quantize_default_params()
            parameters.ftype, parameters.allow_requantize = file_type, True
            if llama_cpp.llama_model_quantize(arguments.model.encode(), theirs.encode(), ctypes.byref(parameters)):
                sys.exit(f"llama.cpp could not quantize {arguments.model} to {name}")
            subprocess.run([arguments.suiren, "quantize", "--input", arguments.model, "--output", ours, "--type", name],
                           check=True, capture_output=True)
            want, got = formats(theirs), formats(ours)
            different = [f"{t}: {got.get(t)}, llama.cpp {want[t]}" for t in want if got.get(t) != want[t]]
            print(f"{name}: {len(want) - len(different)} of {len(want)} tensors equal", *different[:5], sep="\n  ")
            wrong += len(different)
    return 1 if wrong else 0


sys.exit(main())
