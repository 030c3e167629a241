#!/usr/bin/env python3
"""Quantized formats and GGUF files beside PyPI gguf: numbers out of random blocks equal bit for bit, numbers into blocks with no
more error, files read and written again equal.

    python tests/peers/gguf_check.py [--runner build/release/peer_gguf_runner] [--seed 0] [--blocks 4096]

Needs PyPI gguf, numpy. Exits 1 on a difference.
"""
import argparse, json, pathlib, subprocess, sys, tempfile
import gguf, numpy as np

ap = argparse.ArgumentParser()
ap.add_argument("--runner", default="build/release/peer_gguf_runner"); ap.add_argument("--seed", type=int, default=0)
ap.add_argument("--blocks", type=int, default=4096)
a = ap.parse_args()
random, failures = np.random.default_rng(a.seed), []
READ = "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS IQ2_XXS IQ2_XS IQ3_XXS MXFP4".split()
WRITTEN = "F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 MXFP4".split()


def run(*arguments, data=b""):
    return subprocess.run([a.runner, *map(str, arguments)], input=data, capture_output=True, check=True).stdout


def kind(name):
    return gguf.GGMLQuantizationType[name]


def dequantize(name):
    elements, size = gguf.GGML_QUANT_SIZES[kind(name)]
    blocks = random.integers(0, 256, (a.blocks, size), np.uint8)
    with np.errstate(all="ignore"):
        want = gguf.quants.dequantize(blocks.reshape(1, -1), kind(name)).reshape(-1)
    got = np.frombuffer(run("dequantize", name.lower(), want.size, data=blocks.tobytes()), np.float32)
    return bool(np.all((got.view(np.uint32) == want.view(np.uint32)) | (np.isnan(got) & np.isnan(want))))


def quantize(name):
    """Our weighted squared error over that of gguf, and whether the bytes are the same."""
    x = random.standard_t(4, (64, 1024)).astype(np.float32)
    w = np.exp(random.normal(0, 1, 1024)).astype(np.float32)
    theirs = gguf.quants.quantize(x, kind(name)).view(np.uint8)
    ours = np.frombuffer(run("quantize", name.lower(), x.size, w.size, data=w.tobytes() + x.tobytes()), np.uint8).reshape(theirs.shape)
    error = [float((w * (gguf.quants.dequantize(b, kind(name)).astype(np.float64) - x) ** 2).sum()) for b in (ours, theirs)]
    return error[0] / error[1], bool((ours == theirs).all())


def copy(folder):
    """A file of gguf's writer, ours after it, read by gguf's reader: the same bytes, the same tensors."""
    writer = gguf.GGUFWriter(folder / "a.gguf", "llama")
    writer.add_array("tokenizer.ggml.tokens", [f"t{i}" for i in range(5000)])
    writer.add_array("tokenizer.ggml.scores", [float(i) for i in range(5000)])
    for i, name in enumerate(READ):
        elements, size = gguf.GGML_QUANT_SIZES[kind(name)]
        data = random.integers(0, 256, (3, 8 * size), np.uint8)
        writer.add_tensor(f"blk.{i}.weight", data, raw_dtype=kind(name))
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()
    run("copy", folder / "a.gguf", folder / "b.gguf")
    one, two = gguf.GGUFReader(folder / "a.gguf"), gguf.GGUFReader(folder / "b.gguf")
    same = all(x.name == y.name and x.tensor_type == y.tensor_type and list(x.shape) == list(y.shape) and x.data.tobytes() == y.data.tobytes()
               for x, y in zip(one.tensors, two.tensors)) and len(one.tensors) == len(two.tensors) == len(READ)
    return same and (folder / "a.gguf").read_bytes() == (folder / "b.gguf").read_bytes()


equal = {name: dequantize(name) for name in READ}
errors = {name: quantize(name) for name in WRITTEN}
with tempfile.TemporaryDirectory() as folder:
    copied = copy(pathlib.Path(folder))
failures = [n for n, ok in equal.items() if not ok] + [n for n, (ratio, _) in errors.items() if ratio > 1 + 1e-6] + ([] if copied else ["copy"])
print(json.dumps(dict(seed=a.seed, blocks=a.blocks, dequantized_equal=sum(equal.values()), formats=len(equal),
                      error_over_gguf={n: round(r, 4) for n, (r, _) in errors.items()}, same_bytes=[n for n, (_, s) in errors.items() if s],
                      files_equal=copied, failures=failures)))
sys.exit(1 if failures else 0)
