import math

import torch

from golden import case, draw


def scores(q, k, scale, causal, window, softcap, mask):
    T, S = q.shape[1], k.shape[1]
    s = torch.einsum("bthd,bshd->bhts", q, k.repeat_interleave(q.shape[2] // k.shape[2], 2)) * scale
    if softcap:
        s = softcap * torch.tanh(s / softcap)
    if mask is not None:
        s = s + mask
    if causal:
        i, j = torch.arange(S - T, S)[:, None], torch.arange(S)
        seen = (j <= i) & (j > i - window) if window else j <= i
        s = s.masked_fill(~seen, -math.inf)
    return s


def split(rest, mask, sinks):
    return rest[0] if mask else None, rest[-1] if sinks else None


def attention(q, k, v, *rest, scale, causal, window, softcap, mask, sinks):
    mask, sinks = split(rest, mask, sinks)
    s = scores(q, k, scale, causal, window, softcap, mask)
    every = s if sinks is None else torch.cat([s, sinks[None, :, None, None].expand(*s.shape[:3], 1)], -1)
    lse = torch.logsumexp(every, -1)
    v = v.repeat_interleave(q.shape[2] // v.shape[2], 2)
    return torch.einsum("bhts,bshd->bthd", torch.exp(s - lse[..., None]), v), lse


def attention_backward(q, k, v, out, lse, g, g_lse, *rest, scale, causal, window, softcap, mask, sinks,
                       mask_gradient):
    mask, sinks = split(rest, mask, sinks)
    group, shape = q.shape[2] // k.shape[2], k.shape
    s = scores(q, k, scale, causal, window, softcap, mask)
    p = torch.exp(s - lse[..., None])
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    delta = torch.einsum("bthd,bthd->bht", g, out) - g_lse
    d = p * (torch.einsum("bthd,bshd->bhts", g, v) - delta[..., None])
    raw = torch.einsum("bthd,bshd->bhts", q, k) * scale
    ds = d * scale * (1 - torch.tanh(raw / softcap) ** 2 if softcap else 1)
    by_group = lambda x: x.reshape(*shape[:3], group, shape[3]).sum(3)
    grads = [torch.einsum("bhts,bshd->bthd", ds, k), by_group(torch.einsum("bhts,bthd->bshd", ds, q)),
             by_group(torch.einsum("bhts,bthd->bshd", p, g))]
    if mask_gradient:
        grads.append(d.sum((0, 1)))
    if sinks is not None:
        grads.append(-(torch.exp(sinks[:, None] - lse) * delta).sum((0, 2)))
    return grads


def cases():
    q, k, v = draw(1, 3, 4, 2), draw(1, 4, 2, 2), draw(1, 4, 2, 2)
    mask, sinks = draw(3, 4), draw(4)
    plain = {"scale": 0.6, "causal": True, "window": 0, "softcap": 0.0, "mask": False, "sinks": False}
    case("attention", attention, [q, k, v], plain | {"window": 2})
    case("attention", attention, [q, k, v], plain | {"softcap": 1.5, "causal": False})
    case("attention", attention, [q, k, v, mask], plain | {"mask": True})
    case("attention", attention, [q, k, v, sinks], plain | {"sinks": True})
    every = plain | {"window": 3, "softcap": 2.0, "mask": True, "sinks": True}
    case("attention", attention, [q, k, v, mask, sinks], every)
    out, g = draw(1, 3, 4, 2), draw(1, 3, 4, 2)
    lse, g_lse = draw(1, 4, 3, low=3.0, high=5.0), draw(1, 4, 3)
    case("attention_backward", attention_backward, [q, k, v, out, lse, g, g_lse, mask, sinks],
         every | {"mask_gradient": True})
