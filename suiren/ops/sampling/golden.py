import math

import torch

from golden import case, draw
from philox import philox, u53


def bernoulli(p, seed, stream):
    u = torch.tensor([u53(seed, stream, i) for i in range(p.numel())]).reshape(p.shape)
    return (u < p).to(p.dtype)


def multinomial(p, samples, replacement, seed, stream):
    rows = []
    for r, row in enumerate(p.reshape(-1, p.shape[-1]).tolist()):
        if replacement:
            sums = [sum(row[: c + 1]) for c in range(len(row))]
            targets = [u53(seed, stream, r * samples + j) * sums[-1] for j in range(samples)]
            rows.append([next(c for c, s in enumerate(sums) if s > t) for t in targets])
        else:
            u = [u53(seed, stream, r * len(row) + c) for c in range(len(row))]
            when = [-math.log1p(-x) / w if w > 0 else math.inf for x, w in zip(u, row)]
            rows.append(sorted(range(len(row)), key=lambda c: when[c])[:samples])
    return torch.tensor(rows).reshape(*p.shape[:-1], samples)


def randperm(n, seed, stream):
    first = [philox(seed, stream, i)[:2] for i in range(n)]
    return torch.tensor(sorted(range(n), key=lambda i: first[i]))


def cases():
    at = {"seed": 123456789012345, "stream": 7}
    case("bernoulli", bernoulli, [draw(3, 8, low=0, high=1)], at, gradient=False)
    weights = draw(3, 6, low=0, high=2)
    weights[1, 2] = 0
    case("multinomial", multinomial, [weights], {"samples": 8, "replacement": True, **at}, gradient=False)
    case("multinomial", multinomial, [weights], {"samples": 5, "replacement": False, **at}, gradient=False)
    case("randperm", randperm, [], {"n": 20, **at}, gradient=False)
