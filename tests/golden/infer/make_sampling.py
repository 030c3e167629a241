"""Distributions of the sampler's steps, by transformers' logits processors in float64 (frequency and presence by OpenAI's formula).

Writes sampling.json beside this file: [{"logits", "ids", "prompt", "options", "probabilities"}]. Needs PyPI: torch, transformers.

    python make_sampling.py
"""
import json, pathlib
import torch
from transformers.generation import logits_process as lp

V = 23


def processed(logits, ids, prompt, o):
    x = torch.tensor([logits], dtype=torch.float32).double()
    for i, bias in o.get("logit_bias", []):
        x[0, i] += bias
    window = o.get("penalty_window", 0)
    first = max(0, len(ids) - window) if window else 0
    seen = torch.tensor([ids[first:]], dtype=torch.long)
    if "repetition_penalty" in o and len(ids) > first:
        x = lp.RepetitionPenaltyLogitsProcessor(o["repetition_penalty"])(seen, x)
    for i in range(V):
        count = ids[max(first, prompt):].count(i)
        x[0, i] -= o.get("frequency_penalty", 0) * count + o.get("presence_penalty", 0) * (count > 0)
    if o.get("temperature", 1) == 0:
        return [float(i == x[0].argmax()) for i in range(V)]
    steps = [("temperature", lp.TemperatureLogitsWarper), ("top_k", lp.TopKLogitsWarper), ("top_p", lp.TopPLogitsWarper),
             ("min_p", lp.MinPLogitsWarper), ("typical_p", lp.TypicalLogitsWarper)]
    for name, step in steps:
        if name in o:
            x = step(o[name])(seen, x)
    return torch.softmax(x, -1)[0].tolist()


def main():
    torch.manual_seed(5)
    options = [
        {}, {"temperature": 0.7}, {"temperature": 1.9}, {"top_k": 5}, {"top_p": 0.6}, {"top_p": 0.97}, {"min_p": 0.2}, {"min_p": 1.0},
        {"typical_p": 0.3}, {"typical_p": 0.9}, {"repetition_penalty": 1.4}, {"repetition_penalty": 0.8}, {"frequency_penalty": 0.9},
        {"presence_penalty": 1.5}, {"frequency_penalty": -0.5, "presence_penalty": 0.25}, {"logit_bias": [[3, 4.5], [7, -100.0]]},
        {"repetition_penalty": 1.3, "penalty_window": 4}, {"frequency_penalty": 1.1, "penalty_window": 3},
        {"temperature": 0, "repetition_penalty": 3.0, "frequency_penalty": 2.0},
        {"temperature": 0.8, "top_k": 12, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.85, "repetition_penalty": 1.1, "frequency_penalty": 0.3,
         "presence_penalty": 0.2, "logit_bias": [[0, 1.25], [22, -1.5]]},
    ]
    cases = []
    for i, o in enumerate(options):
        for scale, history in ((1.0, 9), (4.0, 14), (2.0, 0)):
            logits = (torch.randn(V) * scale).tolist()
            ids = torch.randint(0, V // 2, (history,)).tolist()
            prompt = history // 2 if i % 2 else 3 * history // 5
            cases.append({"logits": [round(v, 4) for v in logits], "ids": ids, "prompt": prompt, "options": o})
    for c in cases:
        c["probabilities"] = [float(f"{p:.12g}") for p in processed(c["logits"], c["ids"], c["prompt"], c["options"])]
    (pathlib.Path(__file__).parent / "sampling.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
