#!/usr/bin/env python3
"""Logits of a GGUF file by llama.cpp, in a process of its own: llama.cpp ends the process where an assertion fails.

    python tests/peers/llama_process.py MODEL.gguf IDS.npy LOGITS.npy [--threads 1] [--cache f32]

IDS are int32 [windows, length], LOGITS float32 [windows, length, vocabulary]. Needs PyPI llama-cpp-python and numpy.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

CACHES = {"f32": 0, "f16": 1}


class Refused(Exception):
    """What llama.cpp said when it did not take a file."""


def logits(model, ids, threads=1, cache="f32"):
    """[windows, length, vocabulary] of ids [windows, length]; Refused with llama.cpp's last words."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = pathlib.Path(folder, "ids.npy"), pathlib.Path(folder, "logits.npy")
        np.save(given, np.asarray(ids, np.int32))
        done = subprocess.run([sys.executable, __file__, str(model), str(given), str(out), "--threads", str(threads),
                               "--cache", cache], capture_output=True, text=True, errors="replace")
        if done.returncode == 0:
            return np.load(out)
        lines = [line.strip() for line in done.stderr.splitlines()]
        why = [line for line in lines if re.search(r"error loading model|GGML_ASSERT|unsupported|not supported", line)]
        raise Refused((why or lines or [f"exit status {done.returncode}"])[-1].removeprefix("llama_model_load: "))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("ids")
    parser.add_argument("logits")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", choices=CACHES, default="f32", help="format of the stored keys and values")
    arguments = parser.parse_args()
    import llama_cpp

    windows = np.load(arguments.ids)
    length = windows.shape[1]
    model = llama_cpp.Llama(arguments.model, n_ctx=length, n_batch=length, n_ubatch=length, logits_all=True, verbose=True,
                            n_threads=arguments.threads, n_threads_batch=arguments.threads,
                            type_k=CACHES[arguments.cache], type_v=CACHES[arguments.cache])
    out = np.empty((*windows.shape, model.n_vocab()), np.float32)
    for row, ids in zip(out, windows):
        model.reset()
        model.eval(ids.tolist())
        row[:] = model.scores[:length]
    np.save(arguments.logits, out)


if __name__ == "__main__":
    main()
