#!/usr/bin/env python3
"""Greedy text of a quantized GGUF file beside transformers with the same weights in float32.

    python tests/peers/greedy_check.py MODEL.gguf [--suiren build/release/suiren] [--tokens 48] [--show]

transformers unpacks the file (gguf_file=) and continues 20 prompts; `suiren generate --ids` continues the same ids. The two
have to be equal up to the first near-tie: a step whose two best logits of the reference lie closer than --errors times the rms
difference of all logits (`suiren eval --logits-out` over the reference's text), at most --tie. Exits 1 on another difference.
Needs PyPI torch, transformers, gguf and numpy. tools/fetch_models smollm2 (tinyllama) fetches a MODEL.gguf.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ASKED = ["What is the capital of France?", "Name three animals that live in the sea.", "Explain in two sentences why the sky is blue.",
         "Give me a recipe for pancakes.", "Who wrote Romeo and Juliet?", "What is 17 + 25?", "How do I boil an egg?",
         "Write a short poem about autumn.", "Why do cats purr?", "What does a computer's memory do?",
         "Write a Python function that adds two numbers.", "你好，请介绍一下你自己。"]
CONTINUED = ["Once upon a time, in a small village by the river,", "The three laws of motion state that",
             "It was a bright cold day in April, and", "def fibonacci(n):\n    \"\"\"Return the n-th Fibonacci number.\"\"\"\n",
             "#include <stdio.h>\n\nint main(void) {\n", "SELECT name, price FROM products WHERE",
             "{\"name\": \"Alice\", \"age\": 30, \"city\":", "北京是中国的首都，"]


def suiren(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"suiren {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def prompts(tokenizer):
    for question in ASKED:
        text = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
        yield question, tokenizer.encode(text, add_special_tokens=False)
    for text in CONTINUED:
        yield text, tokenizer.encode(text, add_special_tokens=False)


def reference(model, ids, count):
    """The continuation, and the logits of all positions but the last of the whole."""
    with torch.no_grad():
        given = torch.tensor([ids])
        whole = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=count, min_new_tokens=count, do_sample=False)
        logits = model(input_ids=whole[:, :-1], use_cache=False).logits[0]
    # min_new_tokens bars the end tokens: the continuation as it would be without that comes from the logits themselves.
    out = whole[0, len(ids):].tolist()
    best = logits[len(ids) - 1:].argmax(-1).tolist()
    barred = next((i for i, (a, b) in enumerate(zip(out, best)) if a != b), len(out))
    return out[:barred] + best[barred:barred + 1], logits.numpy()[:len(ids) + barred]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--suiren", default="build/release/suiren")
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--errors", type=float, default=4)
    parser.add_argument("--tie", type=float, default=0.3)
    parser.add_argument("--show", action="store_true", help="print the texts")
    a = parser.parse_args()
    path = pathlib.Path(a.model).resolve()
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    wrong = whole = compared = 0
    squares, elements = 0.0, 0
    print(f"{'prompt':44} {'rms error':>9} {'tokens':>6} {'equal':>6} {'first near-tie':>14} {'gap where they part':>19}")
    for prompt, ids in prompts(tokenizer):
        want, logits = reference(model, ids, a.tokens)
        out = suiren(a.suiren, "generate", "--model", path, "--ids", ",".join(map(str, ids)), "--max-tokens", len(want),
                     "--temperature", 0, "--repetition-penalty", 1, "--ignore-eos", "--json")
        got = json.loads(out)["ids"]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "logits.npy")
            suiren(a.suiren, "eval", "--model", path, "--ids", ",".join(map(str, (ids + want)[:len(logits)])), "--logits-out", file)
            error = np.load(file).astype(np.float64) - logits
        squares, elements = squares + float((error ** 2).sum()), elements + error.size
        rms = float(np.sqrt((error ** 2).mean()))
        bound = min(a.errors * rms, a.tie)
        two = np.sort(np.partition(logits[len(ids) - 1:], -2, axis=-1)[:, -2:], axis=-1)
        gaps = two[:, 1] - two[:, 0]
        part = next((i for i, (x, y) in enumerate(zip(got, want)) if x != y), len(want))
        tie = next((i for i, gap in enumerate(gaps[:len(want)]) if gap < bound), len(want))
        good = len(got) >= len(want) and (part == len(want) or gaps[part] < bound)
        wrong, whole, compared = wrong + (not good), whole + (part == len(want)), compared + part
        print(f"{prompt[:40]!r:44} {rms:9.3f} {len(want):6} {part:6} {tie if tie < len(want) else 'none':>14} "
              f"{'' if part == len(want) else format(gaps[part], '19.3f')}{'' if good else '  DIFFERS'}".rstrip(), flush=True)
        if a.show:
            print(f"    {tokenizer.decode(got)!r}")
    print(f"{len(ASKED + CONTINUED)} prompts, {whole} equal to their end, {compared} tokens equal, rms error of a logit "
          f"{np.sqrt(squares / elements):.3f}; {wrong} part where there is no near-tie")
    return 1 if wrong else 0


sys.exit(main())
