"""Row R1 at length: SIGKILL at random moments until N kills are done; every run that ends must end in the same bits.

    python tests/soak/kill.py --suiren build/release/suiren [--kills 1000] [--seed 1]

A 1 M-parameter language model on tests/golden/training/tokens.u16, 60 steps, a checkpoint every 3. After each finished run the
final weights, and the optimizer's state in the last checkpoint, are compared by SHA-256 with those of a run that was left
alone. Prints progress and one JSON line; exits 1 at the first difference. Standard library only.
"""
import argparse, hashlib, json, pathlib, random, shutil, signal, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--kills", type=int, default=1000); ap.add_argument("--seed", type=int, default=1)
a = ap.parse_args()
CONFIG = """output: {out}
model: {{hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2, intermediate_size: 384, vocab_size: 512,
        max_position_embeddings: 32, tie_word_embeddings: true}}
data: {{tokens: tests/golden/training/tokens.u16, order: shuffled, sequence_length: 32}}
batch: {{sequences: 4}}
steps: 60
optimizer: {{name: adamw, lr: 3.0e-3}}
schedule: {{name: cosine, warmup_steps: 6}}
checkpoint: {{every: 3, keep: 2}}
"""


def command(folder, name):
    path = folder / f"{name}.yaml"
    path.write_text(CONFIG.format(out=folder / name))
    return [a.suiren, "train", "--config", str(path), "--quiet"]


def digest(run):
    parts = [run / "model" / "model.safetensors", *sorted((run / "checkpoints" / "step-000060").iterdir())]
    return [hashlib.sha256(p.read_bytes()).hexdigest() for p in parts if p.name != "state.json" and not p.name.startswith("manifest")]


rng = random.Random(a.seed)
with tempfile.TemporaryDirectory() as t:
    folder = pathlib.Path(t)
    start = time.time()
    subprocess.run(command(folder, "whole"), check=True)
    whole, expected = time.time() - start, digest(folder / "whole")
    kills = runs = 0
    while kills < a.kills:
        name = f"run{runs}"
        while True:
            p = subprocess.Popen(command(folder, name))
            try:
                code = p.wait(timeout=rng.uniform(0.02, 0.7) * whole) if kills < a.kills else p.wait()
                if code:
                    sys.exit(f"{name} ended with {code}")
                break
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL); p.wait(); kills += 1
        runs += 1
        if digest(folder / name) != expected:
            sys.exit(f"{name} differs from the unbroken run after {kills} kills")
        shutil.rmtree(folder / name)
        print(f"{kills} kills, {runs} runs ended, all bitwise equal", file=sys.stderr, flush=True)
    print(json.dumps(dict(check="R1", kills=kills, runs=runs, equal=runs, seed=a.seed, seconds=round(time.time() - start))))
