#!/usr/bin/env python3
"""Families of models that `suiren convert` writes as GGUF files, read by llama.cpp: its logits beside those of transformers
and of Suiren from the same file.

    python tests/peers/llama_logits.py [--families tests/golden/families] [--suiren build/release/suiren]

FAMILIES is what tests/golden/families/make_families.py writes: a folder a family, with its prompt and transformers' logits.
llama.cpp computes some settings otherwise than the models' reference, or has no field for them (LIMITS): such a family is made
again with settings that both know, and has to agree then. GELU goes through a table of f16 numbers in llama.cpp: of families that
use it, transformers' logits with GELU rounded the same way are compared too. A family that llama.cpp refuses is listed with its
reason. Exits 1 where logits differ by more than --tolerance. Needs PyPI llama-cpp-python, numpy, torch and transformers.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

import llama_process

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "golden" / "families"))
import make_families

LONGROPE = dict(rope_theta=10000.0, rope_type="longrope", original_max_position_embeddings=512,
                short_factor=[1 + 0.1 * i for i in range(8)], long_factor=[2 + 0.5 * i for i in range(8)])
YARN = dict(rope_theta=150000.0, rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0,
            original_max_position_embeddings=4096, truncate=True)
# What llama.cpp computes otherwise, and settings under which it does not.
LIMITS = {
    "deepseek_v2": ("a group of experts counts as its two best, in deepseek_v2 as its best", dict(topk_method="greedy", n_group=1, topk_group=1)),
    "gemma3": ("no field for query_pre_attn_scalar: the size of a head", dict(query_pre_attn_scalar=16)),
    "gpt_oss": ("the bounds of yarn are whole numbers, truncate=false is not known", dict(rope_parameters=YARN)),
    "minicpm3": ("scale_emb is 12 and dim_model_base 256, whatever the model says", dict(scale_emb=12, dim_model_base=256)),
    "mistral": ("sees past the window", dict(sliding_window=None)),
    "phi3-longrope": ("the context is rounded up to 256, which asks for the long factors",
                      dict(max_position_embeddings=1024, original_max_position_embeddings=512, rope_parameters=LONGROPE)),
}
GELU = ("gpt2", "gemma2", "gemma3")


class RoundedGelu(torch.nn.Module):
    """GELU by a table from f16 to f16; beyond 10 it is 0 or x."""

    def forward(self, x):
        table = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().float()
        return torch.where(x <= -10, torch.zeros_like(x), torch.where(x >= 10, x, table))


def with_rounded_gelu(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if "GELU" in type(child).__name__:
                setattr(module, name, RoundedGelu())
                replaced += 1
    assert replaced, f"{folder}: no GELU found"
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].numpy()


def ours(suiren, model, ids, out):
    subprocess.run([suiren, "eval", "--model", str(model), "--ids", ",".join(map(str, ids)), "--logits-out", str(out)],
                   check=True, capture_output=True)
    return np.load(out)


def largest(a, b):
    return float(np.abs(a - b).max())


class Comparison:
    def __init__(self, suiren, tolerance, temporary):
        self.suiren, self.tolerance, self.temporary = suiren, tolerance, pathlib.Path(temporary)
        self.agree, self.refused, self.wrong = [], [], []

    def differences(self, folder):
        """llama.cpp and transformers, llama.cpp and Suiren, Suiren and transformers."""
        file = self.temporary / (folder.name + ".gguf")
        subprocess.run([self.suiren, "convert", "--input", str(folder), "--output", str(file), "--to", "gguf",
                        "--dtype", "f32"], check=True, capture_output=True)
        ids, want = json.loads((folder / "reference.json").read_text())["prompt"], np.load(folder / "logits.npy")
        mine, theirs = ours(self.suiren, file, ids, file.with_suffix(".npy")), llama_process.logits(file, [ids])[0]
        if folder.name in GELU:
            return [largest(theirs, want), largest(theirs, mine), largest(mine, want),
                    largest(theirs, with_rounded_gelu(folder, ids))]
        return [largest(theirs, want), largest(theirs, mine), largest(mine, want)]

    def row(self, name, d, note):
        rounded = f"{d[3]:15.1e}" if len(d) > 3 else " " * 15
        print(f"{name:14} {d[0]:13.1e} {d[1]:13.1e} {d[2]:13.1e} {rounded}  {note}".rstrip(), flush=True)

    def within(self, d):
        # Of the two of llama.cpp, the one beside its own GELU where it has one.
        return max(d[3] if len(d) > 3 else max(d[0], d[1]), d[2]) <= self.tolerance

    def family(self, folder):
        name = folder.name
        try:
            d = self.differences(folder)
            self.row(name, d, LIMITS[name][0] if name in LIMITS else "")
            if name in LIMITS:
                if d[2] > self.tolerance:
                    return self.wrong.append(name)
                d = self.remade(name)
        except llama_process.Refused as why:
            print(f"{name:14} refused: {why}", flush=True)
            return self.refused.append(name)
        (self.agree if self.within(d) else self.wrong).append(name)

    def remade(self, name):
        kind, settings = make_families.families("a")[name]
        folder = self.temporary / "remade"
        make_families.build(folder, name, kind, dict(settings, **LIMITS[name][1]), 1)
        d = self.differences(folder / name)
        self.row("", d, "with " + ", ".join(LIMITS[name][1]))
        return d


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", default="tests/golden/families")
    parser.add_argument("--suiren", default="build/release/suiren")
    parser.add_argument("--only", nargs="*", help="names of families")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print("largest difference of a logit:")
    print(f"{'':14} {'llama.cpp':>13} {'llama.cpp':>13} {'suiren':>13} {'llama.cpp':>15}")
    print(f"{'family':14} {'transformers':>13} {'suiren':>13} {'transformers':>13} {'+ rounded GELU':>15}")
    with tempfile.TemporaryDirectory() as temporary:
        comparison = Comparison(arguments.suiren, arguments.tolerance, temporary)
        for folder in sorted(pathlib.Path(arguments.families).iterdir()):
            if (folder / "model.safetensors").exists() and (not arguments.only or folder.name in arguments.only):
                comparison.family(folder)
    print(f"{len(comparison.agree)} agree within {arguments.tolerance:g}; differ: {comparison.wrong or 'none'}; "
          f"refused by llama.cpp: {comparison.refused or 'none'}")
    return 1 if comparison.wrong or not comparison.agree else 0


sys.exit(main())
