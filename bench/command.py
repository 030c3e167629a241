"""The command's own costs: start-up, size, and what checkpoints take from training, A/B in pairs.

    python bench/command.py --suiren build/release/suiren --shards DIR [--steps 20] [--pairs 3]

Prints one JSON line. Standard library only.
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--shards", required=True)
ap.add_argument("--steps", type=int, default=20); ap.add_argument("--pairs", type=int, default=3)
a = ap.parse_args()
CONFIG = """output: {out}
model: {{vocab_size: 8192, hidden_size: 256, num_hidden_layers: 6, num_attention_heads: 4, num_key_value_heads: 4, intermediate_size: 704,
        max_position_embeddings: 256, tie_word_embeddings: true, rms_norm_eps: 1.0e-5}}
data: {{shards: {shards}, sequence_length: 256}}
batch: {{sequences: 16}}
steps: {steps}
optimizer: {{name: adamw, lr: 2.0e-3}}
schedule: {{name: constant}}
checkpoint: {{every: {every}}}
"""


def seconds(folder, every):
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    (folder / "c.yaml").write_text(CONFIG.format(out=out, shards=a.shards, steps=a.steps, every=every))
    r = subprocess.run([a.suiren, "train", "--config", folder / "c.yaml", "--json", "--quiet"], capture_output=True, text=True, check=True)
    return json.loads(r.stdout)["seconds"]


def start_ms():
    best = 1e9
    for _ in range(30):
        t = time.perf_counter()
        subprocess.run([a.suiren, "--version"], stdout=subprocess.DEVNULL, check=True)
        best = min(best, time.perf_counter() - t)
    return 1000 * best


with tempfile.TemporaryDirectory() as t:
    folder = pathlib.Path(t)
    pairs = [(seconds(folder, 10), seconds(folder, 0)) for _ in range(a.pairs)]
    stripped = folder / "stripped"
    subprocess.run(["strip", "-o", stripped, a.suiren], check=True)
    size = stripped.stat().st_size
cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
print(json.dumps(dict(cpu=cpu, cpus=os.cpu_count(), version_ms=round(start_ms(), 1), stripped_mb=round(size / 1e6, 2),
                      seconds_with_and_without_checkpoints=pairs, checkpoint_every_10_costs=round(statistics.median(w / n for w, n in pairs) - 1, 4))))
