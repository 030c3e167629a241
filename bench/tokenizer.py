"""Tokenizer beside Hugging Face's: seconds to train, MB/s to encode, and whether merges and ids are identical.

    python bench/tokenizer.py --suiren build/release/suiren --peer PATH/hf_bpe.py --input poems.txt [--encode F ...]
                              [--vocab-size 8192] [--pattern cl100k] [--threads 2] [--repeat 3]

The two run in turns; the best of N counts. Training: wall seconds (ours with process start and reading). Encoding: one
thread; ours is the whole command, theirs the call alone. Needs PyPI tokenizers; prints one JSON line.
"""
import argparse, array, json, os, platform, subprocess, sys, tempfile, time

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--peer", required=True)
ap.add_argument("--input", nargs="+", required=True); ap.add_argument("--encode", nargs="*")
ap.add_argument("--vocab-size", type=int, default=8192); ap.add_argument("--pattern", default="cl100k")
ap.add_argument("--threads", type=int, default=2); ap.add_argument("--repeat", type=int, default=3)
ap.add_argument("--peer-repeat", type=int, default=1, help="trainings by the peer, which take minutes")
a = ap.parse_args()
os.environ["RAYON_NUM_THREADS"] = "1"  # read by tokenizers in this process: encoding
from tokenizers import Tokenizer


def timed(command, **env):
    start = time.time()
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, **env)).stdout
    return time.time() - start, out


folder = tempfile.mkdtemp()
ours, theirs, ids_file = folder + "/ours.json", folder + "/theirs.json", folder + "/ids.u32"
train = [a.suiren, "--threads", str(a.threads), "tokenizer", "train", "--input", *a.input, "--vocab-size", str(a.vocab_size),
         "--pattern", a.pattern, "--output", ours]
peer = [sys.executable, a.peer, "--input", *a.input, "--vocab-size", str(a.vocab_size), "--pattern", a.pattern, "--output", theirs]
seconds, peer_seconds = [], []
for i in range(a.repeat):
    seconds.append(timed(train)[0])
    if i < a.peer_repeat:
        peer_seconds.append(json.loads(timed(peer, RAYON_NUM_THREADS=str(a.threads))[1])["train_seconds"])
model, peer_model = (json.load(open(f, encoding="utf-8"))["model"] for f in (ours, theirs))
cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
result = dict(cpu=cpu, cpus=os.cpu_count(), date=time.strftime("%Y-%m-%d"), threads=a.threads,
              train_seconds=round(min(seconds), 2), peer_train_seconds=min(peer_seconds),
              train_ratio=round(min(peer_seconds) / min(seconds), 1),
              identical_merges=all(model[k] == peer_model[k] for k in ("vocab", "merges")), encode=[])
tokenizer = Tokenizer.from_file(ours)
for file in a.encode or a.input:
    text = open(file, encoding="utf-8", newline="").read()
    size, best, peer_best = len(text.encode()) / 1e6, 1e9, 1e9
    for _ in range(a.repeat):
        best = min(best, timed([a.suiren, "--threads", "1", "tokenizer", "encode", "--tokenizer", ours, "--input", file,
                                "--output", ids_file])[0])
        start = time.time()
        peer_ids = tokenizer.encode(text).ids
        peer_best = min(peer_best, time.time() - start)
    ids = array.array("I", open(ids_file, "rb").read())
    result["encode"].append(dict(file=os.path.basename(file), megabytes=round(size, 1), mb_per_second=round(size / best, 1),
                                 peer_mb_per_second=round(size / peer_best, 2), ratio=round(peer_best / best, 1),
                                 identical_ids=ids.tolist() == peer_ids))
print(json.dumps(result))
