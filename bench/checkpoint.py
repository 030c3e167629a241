#!/usr/bin/env python3
"""What a checkpoint every 10 steps costs (row R5): pairs of the same training with and without, A/B then B/A.

    python3 bench/checkpoint.py --suiren build/release/suiren [--pairs 10] [--steps 100]

A 1.85 M model (hidden 128, 4 layers, vocabulary 8192 tied, 8 x 256 tokens) on random tokens. Prints a line a pair and one
JSON line with the median of the pairs' ratios of seconds and its quartiles. Standard library only.
"""
import argparse, json, pathlib, random, statistics, subprocess, sys, tempfile

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--pairs", type=int, default=10); ap.add_argument("--steps", type=int, default=100)
ap.add_argument("--threads", type=int, default=2)
a = ap.parse_args()
CONFIG = """output: {out}
model: {{vocab_size: 8192, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 4, intermediate_size: 352,
        max_position_embeddings: 256, tie_word_embeddings: true}}
data: {{tokens: {tokens}, order: shuffled, sequence_length: 256}}
batch: {{sequences: 8}}
steps: {steps}
checkpoint: {{every: {every}, keep: 2}}
"""


def seconds(folder, name, every):
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.format(out=folder / name, tokens=folder / "tokens.u16", steps=a.steps, every=every))
    p = subprocess.run([a.suiren, "train", "--config", str(config), "--threads", str(a.threads), "--quiet", "--json"], capture_output=True, text=True)
    if p.returncode:
        sys.exit(p.stderr)
    return json.loads(p.stdout)["seconds"]


ratios = []
with tempfile.TemporaryDirectory() as t:
    folder = pathlib.Path(t)
    rng = random.Random(1)
    (folder / "tokens.u16").write_bytes(b"".join(rng.randrange(8192).to_bytes(2, "little") for _ in range(300_000)))
    for pair in range(a.pairs):
        took = {}
        for every in ((10, a.steps), (a.steps, 10))[pair % 2]:  # the run without writes the one checkpoint that ends every run
            took[every] = seconds(folder, f"{pair}-{every}", every)
        ratios.append(took[10] / took[a.steps])
        print(f"pair {pair + 1}: {took[10]:.2f} s with, {took[a.steps]:.2f} s without, {100 * (ratios[-1] - 1):+.1f}%", flush=True)
cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
low, middle, high = statistics.quantiles(ratios, n=4)
print(json.dumps(dict(cpu=cpu, threads=a.threads, steps=a.steps, pairs=a.pairs, ratio=round(statistics.median(ratios), 4), quartiles=[round(low, 4), round(high, 4)])))
