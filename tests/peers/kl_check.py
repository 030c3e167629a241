#!/usr/bin/env python3
"""What quantization costs, beside llama.cpp: mean KL divergence of Suiren's and of llama.cpp's next tokens to those of the
float32 model.

    python tests/peers/kl_check.py FILE.gguf ... --text ENGLISH.txt --text CHINESE.txt [--windows 8] [--length 512]
    python tests/peers/kl_check.py --float FOLDER --type q4_k_m --text ENGLISH.txt --text CHINESE.txt

Of a FILE both run, the float32 model is the file unpacked by transformers (gguf_file=). With --float, `suiren quantize` and
llama.cpp's own quantization both make a file of FOLDER (Hugging Face's layout, float32), each program runs its own, and Suiren
runs llama.cpp's too. Windows are cut from TEXT (.txt or .txt.zst) at places that --seed chooses; --windows of each text.
Prints the means, their ratio and its 95% interval from a bootstrap over blocks of 64 tokens, the same blocks for both. Exits 1
where the ratio is above --ratio. Needs PyPI torch, transformers, llama-cpp-python, gguf, numpy, and zstd for .zst.
tools/fetch_models smollm2 fetches a FILE.gguf.
"""
import argparse
import ctypes
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import llama_process

BLOCK = 64


def load_float(path):
    path = pathlib.Path(path).resolve()
    where = dict(pretrained_model_name_or_path=path) if path.is_dir() else dict(pretrained_model_name_or_path=path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(**where)


def read_text(path):
    if not path.endswith(".zst"):
        return pathlib.Path(path).read_text(encoding="utf-8", errors="ignore")
    done = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True)
    return done.stdout.decode("utf-8", errors="ignore")


def windows(texts, tokenizer, a):
    random = np.random.default_rng(a.seed)
    for path, text in texts:
        for _ in range(a.windows):
            at = int(random.integers(0, max(1, len(text) - 16 * a.length)))
            ids = tokenizer.encode(text[at:at + 16 * a.length], add_special_tokens=False)
            if len(ids) < a.length:
                sys.exit(f"{path}: {len(ids)} tokens in {16 * a.length} characters, fewer than a window")
            yield path, ids[:a.length]


def suiren_logits(a, model, ids, folder):
    out = pathlib.Path(folder, "logits.npy")
    done = subprocess.run([a.suiren, "eval", "--model", str(model), "--ids", ",".join(map(str, ids)), "--logits-out", str(out)],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"suiren eval: {done.stderr.strip()}")
    return np.load(out)


def divergences(reference, logits):
    """KL(reference || the other) of each position, in nats."""
    p, q = (torch.log_softmax(torch.as_tensor(x).double(), -1) for x in (reference, logits))
    return (p.exp() * (p - q)).sum(-1).numpy()


def interval(ours, theirs):
    """95% interval of the ratio of means, of blocks drawn with replacement."""
    random = np.random.default_rng(0)
    x, y = (v[:len(v) // BLOCK * BLOCK].reshape(-1, BLOCK).mean(-1) for v in (ours, theirs))
    drawn = random.integers(0, len(x), (10000, len(x)))
    return np.quantile(x[drawn].mean(-1) / y[drawn].mean(-1), [0.025, 0.975])


def report(name, path, ours, theirs, bound, judged=True):
    ratio, (low, high) = ours.mean() / theirs.mean(), interval(ours, theirs)
    bad = judged and ratio > bound
    print(f"{name:34} {pathlib.Path(path).name[:20]:20} {ours.mean():10.3e} {theirs.mean():10.3e} {ratio:6.3f} [{low:.3f}, {high:.3f}]"
          + ("  ABOVE" if bad else ""), flush=True)
    return bad


def measure(a, name, reference, texts, runs):
    """`runs`: what is compared as (name, Suiren or llama.cpp, file); the last is what the others are held against."""
    model, tokenizer = reference
    kept, bad = {}, False
    with tempfile.TemporaryDirectory() as folder:
        for path, ids in windows(texts, tokenizer, a):
            with torch.no_grad():
                want = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]
            for run, program, file in runs:
                logits = suiren_logits(a, file, ids, folder) if program == "suiren" else llama_process.logits(file, [ids], a.threads, "f16")[0]
                kept.setdefault((path, run), []).append(divergences(want, logits))
    paths, last = [path for path, _ in texts], runs[-1][0]
    of = lambda path, run: np.concatenate(kept[path, run])
    for run, _, _ in runs[:-1]:
        judged = not run.startswith("(")
        for path in paths:
            report(f"{name} {run}", path, of(path, run), of(path, last), a.ratio, False)
        all_of = lambda r: np.concatenate([of(path, r) for path in paths])
        bad |= report(f"{name} {run}", "all", all_of(run), all_of(last), a.ratio, judged)
    return bad


def quantize_both(a, kind, folder):
    import llama_cpp

    whole, ours, theirs = (str(pathlib.Path(folder, n)) for n in ("f32.gguf", "ours.gguf", "theirs.gguf"))
    subprocess.run([a.suiren, "convert", "--input", a.float, "--output", whole, "--to", "gguf", "--dtype", "f32"], check=True, capture_output=True)
    subprocess.run([a.suiren, "quantize", "--input", whole, "--output", ours, "--type", kind], check=True, capture_output=True)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + kind.upper()), a.threads
    if llama_cpp.llama_model_quantize(whole.encode(), theirs.encode(), ctypes.byref(parameters)):
        sys.exit(f"llama.cpp could not quantize {whole} to {kind}")
    return ours, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--float", help="a model folder in float32, to be quantized by both")
    parser.add_argument("--type", action="append", help="mixtures for --float (default: q4_k_m)")
    parser.add_argument("--text", action="append", required=True)
    parser.add_argument("--suiren", default="build/release/suiren")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ratio", type=float, default=1.03)
    a = parser.parse_args()
    if not a.files and not a.float:
        parser.error("give files, or --float FOLDER")
    torch.set_num_threads(a.threads)
    texts = [(path, read_text(path)) for path in a.text]
    bad = False
    print(f"{a.windows} windows of {a.length} tokens of each text; nats a token")
    print(f"{'file':34} {'text':20} {'suiren':>10} {'llama.cpp':>10} {'ratio':>6} 95% interval")
    for file in a.files:
        bad |= measure(a, pathlib.Path(file).stem[-24:], load_float(file), texts, [("", "suiren", file), ("llama.cpp", "llama.cpp", file)])
    for kind in (a.type or ["q4_k_m"]) if a.float else []:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = quantize_both(a, kind, folder)
            bad |= measure(a, f"{kind} made by each,", load_float(a.float), texts,
                           [("run by each", "suiren", ours), ("(ours by llama.cpp)", "llama.cpp", ours),
                            ("llama.cpp", "llama.cpp", theirs)])
    return 1 if bad else 0


sys.exit(main())
