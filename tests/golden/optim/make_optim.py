"""Optimizer steps as torch takes them in float64: writes optim.json beside this file. Needs PyPI: torch.

Three parameters (a wide and a tall matrix, a vector) and six steps of random gradients with a changing learning rate. Muon is
torch.optim.Muon with adjust_lr_fn="match_rms_adamw" for the matrices and AdamW for the vector; its Newton-Schulz iteration, which torch
runs in bfloat16, is replaced by the same polynomial in float64.
"""
import json, pathlib
import torch

SHAPES = {"wide.weight": (3, 5), "tall.weight": (6, 4), "norm.weight": (5,)}
STEPS, LRS = 6, [1e-3, 2e-3, 3e-3, 3e-3, 2e-3, 5e-4]
ADAMW = dict(betas=(0.9, 0.95), eps=1e-8)


def orthogonalize(grad, coefficients, steps, eps):
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    a, b, c = coefficients
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if grad.size(0) > grad.size(1) else x


def run(make):
    g = torch.Generator().manual_seed(7)
    draw = lambda shape: torch.randn(shape, generator=g, dtype=torch.float64)
    start = {n: draw(s) for n, s in SHAPES.items()}
    grads = [{n: draw(s) for n, s in SHAPES.items()} for _ in range(STEPS)]
    params = {n: torch.nn.Parameter(t.clone()) for n, t in start.items()}
    optimizers, after = make(params), []
    for step in range(STEPS):
        for o in optimizers:
            for group in o.param_groups:
                group["lr"] = LRS[step]
        for n, p in params.items():
            p.grad = grads[step][n].clone()
        for o in optimizers:
            o.step()
        after.append({n: p.detach().flatten().tolist() for n, p in params.items()})
    flat = lambda d: {n: t.flatten().tolist() for n, t in d.items()}
    return flat(start), [flat(x) for x in grads], after


def adamw(p):
    return [torch.optim.AdamW([{"params": [x for x in p.values() if x.dim() >= 2], "weight_decay": 0.1},
                               {"params": [x for x in p.values() if x.dim() < 2], "weight_decay": 0.0}], **ADAMW)]


def muon(p):
    matrices, vectors = [x for x in p.values() if x.dim() == 2], [x for x in p.values() if x.dim() < 2]
    return [torch.optim.Muon(matrices, momentum=0.95, nesterov=True, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(vectors, weight_decay=0.0, **ADAMW)]


if __name__ == "__main__":
    torch.optim._muon._zeropower_via_newtonschulz = orthogonalize
    cases = {"adamw": adamw, "muon": muon,
             "sgd": lambda p: [torch.optim.SGD(p.values(), weight_decay=0.01)],
             "momentum": lambda p: [torch.optim.SGD(p.values(), momentum=0.9, weight_decay=0.01)],
             "nesterov": lambda p: [torch.optim.SGD(p.values(), momentum=0.9, weight_decay=0.01, nesterov=True)]}
    out = {"shapes": SHAPES, "lrs": LRS, "made_with": "torch " + torch.__version__.split("+")[0]}
    for name, make in cases.items():
        out["start"], out["grads"], out[name] = run(make)
    path = pathlib.Path(__file__).parent / "optim.json"
    path.write_text(json.dumps(out) + "\n")
