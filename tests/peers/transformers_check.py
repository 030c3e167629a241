"""A model that suiren trained, loaded unchanged by Hugging Face transformers: the same held-out loss, the same greedy text.

    python tests/peers/transformers_check.py --suiren build/release/suiren --run runs/quickstart-1 [--windows 64]

Needs PyPI torch, transformers, tokenizers, numpy. Exits 1 on a difference: loss beyond 1e-4, greedy ids that are not equal.
"""
import argparse, json, pathlib, subprocess, sys, tempfile
import numpy as np, torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ap = argparse.ArgumentParser()
ap.add_argument("--suiren", default="build/release/suiren"); ap.add_argument("--run", required=True); ap.add_argument("--windows", type=int, default=64)
ap.add_argument("--prompt", default="春望\n杜甫\n")
a = ap.parse_args()
model_dir, shards = pathlib.Path(a.run) / "model", pathlib.Path(a.run) / "data"
ask = lambda *args: json.loads(subprocess.run([a.suiren, *map(str, args), "--json", "--quiet"], capture_output=True, text=True, check=True).stdout)
model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager").eval()
tokenizer = AutoTokenizer.from_pretrained(model_dir)
T = model.config.max_position_embeddings
tokens = np.fromfile(shards / "holdout.u16", dtype=np.uint16).astype(np.int64)
windows = min(a.windows, (len(tokens) - 1) // T)
with torch.no_grad():
    total = 0.0
    for w in range(windows):
        x = torch.from_numpy(tokens[w * T:w * T + T + 1])[None]
        z = model(input_ids=x[:, :-1], use_cache=False).logits[0].double()
        total += float(torch.nn.functional.cross_entropy(z, x[0, 1:]))
    theirs = total / windows
ours = ask("eval", "--model", model_dir, "--tokens", shards / "holdout.u16", "--limit", windows)["loss"]
ids = [model.config.bos_token_id] + tokenizer.encode(a.prompt, add_special_tokens=False)
with torch.no_grad():
    out = model.generate(torch.tensor([ids]), max_new_tokens=48, do_sample=False)[0].tolist()[len(ids):]
if out and out[-1] == model.config.eos_token_id: out = out[:-1]
mine = ask("generate", "--model", model_dir, "--prompt", a.prompt, "--max-tokens", 48, "--temperature", 0)["ids"]
print(json.dumps(dict(windows=windows, loss_suiren=ours, loss_transformers=theirs, difference=abs(ours - theirs), greedy_equal=mine == out, greedy=tokenizer.decode(out))))
sys.exit(0 if abs(ours - theirs) < 1e-4 and mine == out else 1)
