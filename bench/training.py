"""Training beside PyTorch: tokens a second, memory, and held-out loss after the same seconds, A/B/A/B.

    python bench/training.py --suiren build/release/suiren --shards DIR [--torch-script ../shared/peers/torch_train.py] [--seconds 60] [--seeds 3]

Both train the 6.9 M model (hidden 256, 6 layers, 4 heads, intermediate 704, vocabulary 8192 tied, 16 x 256 tokens) on the
same tokens and score the same windows of the held-out tokens. Needs PyPI torch, numpy for the peer; run it with that Python.
Prints one JSON line a run and one with the means; commit it under bench/results/.
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--shards", required=True)
ap.add_argument("--torch-script", default="../shared/peers/torch_train.py"); ap.add_argument("--mode", default="compile")
ap.add_argument("--seconds", type=float, default=60); ap.add_argument("--seeds", type=int, default=3); ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--lr", type=float, default=2e-3, help="of both"); ap.add_argument("--optimizer", default="adamw", help="ours: adamw or muon")
ap.add_argument("--first-seed", type=int, default=0); ap.add_argument("--only", choices=["suiren", "torch"])
a = ap.parse_args()
shards = pathlib.Path(a.shards)
train, val = shards / "train-00000.u16", shards / "holdout.u16"
CONFIG = """output: {out}
model: {{vocab_size: 8192, hidden_size: 256, num_hidden_layers: 6, num_attention_heads: 4, num_key_value_heads: 4, intermediate_size: 704,
        max_position_embeddings: 256, tie_word_embeddings: true, rms_norm_eps: 1.0e-5}}
data: {{tokens: {train}, order: shuffled, sequence_length: 256}}
batch: {{sequences: 16}}
steps: {steps}
optimizer: {{name: {optimizer}, lr: {lr}, betas: [0.9, 0.95], weight_decay: 0.1, grad_clip: 1.0}}
schedule: {{name: wsd, warmup_steps: {warmup}, decay_steps: {decay}, final_ratio: 0.02}}
seed: {seed}
"""


def run(args):
    p = subprocess.run([str(x) for x in args], capture_output=True, text=True)
    if p.returncode:
        sys.exit(p.stderr)
    return p.stdout


def peak_rss_mb(args):
    """The command's own peak, as the kernel counts it."""
    pid = os.posix_spawn(args[0], [str(x) for x in args], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{args} failed")
    return usage.ru_maxrss / 1024


def ours(folder, seed):
    """Steps that fit the seconds are measured first, as `minutes` does; then the same schedule as the peer's."""
    def config(steps, name):
        text = CONFIG.format(out=folder / name, train=train, steps=steps, optimizer=a.optimizer, lr=a.lr, warmup=min(50, max(1, steps // 3)), decay=int(0.4 * steps), seed=seed)
        (folder / (name + ".yaml")).write_text(text)
        return ["train", "--config", folder / (name + ".yaml"), "--threads", a.threads, "--quiet", "--json"]
    probe = json.loads(run([a.suiren, *config(6, f"probe{seed}")]))
    steps = int(a.seconds * probe["tokens_per_second"] / 4096)
    r = json.loads(run([a.suiren, *config(steps, f"run{seed}")]))
    e = json.loads(run([a.suiren, "eval", "--model", folder / f"run{seed}" / "model", "--tokens", val, "--sequence-length", 256, "--json", "--quiet"]))
    rss = peak_rss_mb([a.suiren, *config(4, f"memory{seed}")])
    base = peak_rss_mb([a.suiren, "ops"])
    shutil.rmtree(folder / f"run{seed}")
    return dict(program="suiren", optimizer=a.optimizer, seed=seed, steps=r["steps"], seconds=round(r["seconds"], 1), tokens_per_second=round(r["tokens_per_second"], 1),
                val_loss=round(e["loss"], 4), peak_rss_mb=round(rss), base_rss_mb=round(base))


def torch(seed):
    r = json.loads(run([sys.executable, a.torch_script, "--train", train, "--val", val, "--mode", a.mode, "--seconds", a.seconds, "--threads", a.threads,
                        "--lr", a.lr, "--seed", seed]).strip().splitlines()[-1])
    return dict(program=r["peer"] + " " + r["mode"], seed=seed, **{k: r[k] for k in ("steps", "tokens_per_second", "val_loss", "peak_rss_mb", "base_rss_mb")})


rows = []
with tempfile.TemporaryDirectory() as t:
    for seed in range(a.first_seed, a.first_seed + a.seeds):
        for name, f in (("suiren", lambda: ours(pathlib.Path(t), seed)), ("torch", lambda: torch(seed))):
            if a.only in (None, name):
                rows.append(f())
                print(json.dumps(rows[-1]), flush=True)
if a.only:
    sys.exit()
mean = lambda k, mine: statistics.mean(r[k] for r in rows if (r["program"] == "suiren") == mine)
used = lambda mine: mean("peak_rss_mb", mine) - mean("base_rss_mb", mine)
cpu = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
print(json.dumps(dict(cpu=cpu, threads=a.threads, seconds=a.seconds, roofs=json.loads(run([a.suiren, "doctor", "--json"]))["roofs"],
                      speed_ratio=round(mean("tokens_per_second", True) / mean("tokens_per_second", False), 3),
                      loss_difference=round(mean("val_loss", True) - mean("val_loss", False), 4), memory_ratio=round(used(True) / used(False), 3))))
