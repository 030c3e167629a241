"""Normalization, attention, rotation, recurrence."""
import math

import torch
import torch.nn.functional as F

from op_cases import pictures, rows
from table.row import op

EPS = lambda d: {"eps": d.choice([1e-5, 1e-2])}


def layer(bias, most):
    def small(d):
        shape = d.shape(1, 4, 9)
        shape[-1] += 2
        tail = shape[-d.int(1, min(most, len(shape))):]
        return [d.real(shape)] + [d.real(tail, 0.5, 2) for _ in range(2 if bias else 1)], EPS(d)
    return small, lambda d, n: ([d.real(rows(n))] + [d.real([1024], 0.5, 2) for _ in range(2 if bias else 1)], {"eps": 1e-5})


def grouped(d):
    groups = d.int(1, 3)
    x = d.real([d.int(1, 4), groups * d.int(1, 3)] + [d.int(2, 6) for _ in range(d.int(1, 3))])
    return [x, d.real([x.shape[1]], 0.5, 2), d.real([x.shape[1]])], {"groups": groups} | EPS(d)


def batched(given):
    def small(d):
        x = d.real([d.int(2, 5), d.int(1, 5)] + [d.int(2, 6) for _ in range(d.int(0, 3))])
        stats = [d.real([x.shape[1]]), d.real([x.shape[1]], 0.5, 2)] if given else []
        return [x] + stats + [d.real([x.shape[1]], 0.5, 2), d.real([x.shape[1]])], EPS(d)

    def large(d, n):
        stats = [d.real([16]), d.real([16], 0.5, 2)] if given else []
        return [pictures(d, n)] + stats + [d.real([16], 0.5, 2), d.real([16])], {"eps": 1e-5}
    return small, large


# torch's batch_norm reads mean, variance and weight as if they had no gaps when it goes backward: it gets copies.
def batch_norm(x, weight, bias, eps):
    axes = [i for i in range(x.dim()) if i != 1]
    y = F.batch_norm(x, None, None, weight.contiguous(), bias, True, 0.0, eps)
    return y, x.mean(axes), x.var(axes, unbiased=False)


def batch_norm_inference(x, mean, var, w, b, eps):
    return F.batch_norm(x, mean.contiguous(), var.contiguous(), w.contiguous(), b, False, 0.0, eps)


op("rms_norm", lambda x, w, eps: F.rms_norm(x, w.shape, w, eps), layer(False, 1))
op("layer_norm", lambda x, w, b, eps: F.layer_norm(x, w.shape, w, b, eps), layer(True, 3), distinct=True)
op("group_norm", lambda x, w, b, groups, eps: F.group_norm(x, groups, w, b, eps),
   (grouped, lambda d, n: ([pictures(d, n), d.real([16]), d.real([16])], {"groups": 4, "eps": 1e-5})), distinct=True)
op("batch_norm", batch_norm, batched(False), distinct=True,
   peer=lambda x, w, b, eps: F.batch_norm(x, None, None, w, b, True, 0.0, eps))
op("batch_norm_inference", batch_norm_inference, batched(True),
   constant=(1, 2))


def heads(d):
    S, kv, D = d.int(1, 7), d.int(1, 2), d.int(1, 6)
    T, B, H = d.int(1, S), d.int(1, 2), kv * d.int(1, 3)
    at = {"scale": d.float(0.2, 1), "causal": d.flag(), "window": 0, "softcap": d.choice([0.0, 0.0, 1.5]),
          "mask": d.flag(), "sinks": d.flag()}
    if at["causal"] and d.flag():
        at["window"] = d.int(1, S)
    extra = ([d.real([T, S])] if at["mask"] else []) + ([d.real([H])] if at["sinks"] else [])
    return [d.real([B, T, H, D]), d.real([B, S, kv, D]), d.real([B, S, kv, D])] + extra, at


def attention(q, k, v, *rest, scale, causal, window, softcap, mask, sinks):
    T, S, group = q.shape[1], k.shape[1], q.shape[2] // k.shape[2]
    s = torch.einsum("bthd,bshd->bhts", q, k.repeat_interleave(group, 2)) * scale
    s = softcap * torch.tanh(s / softcap) if softcap else s
    s = s + rest[0] if mask else s
    if causal:
        i, j = torch.arange(S - T, S)[:, None], torch.arange(S)
        s = s.masked_fill(~((j <= i) & (j > i - window) if window else j <= i), -math.inf)
    every = torch.cat([s, rest[-1][None, :, None, None].expand(*s.shape[:3], 1)], -1) if sinks else s
    lse = torch.logsumexp(every, -1)
    return torch.einsum("bhts,bshd->bthd", torch.exp(s - lse[..., None]), v.repeat_interleave(group, 2)), lse


def large_heads(d, n):
    T = 512
    shape = [max(n // (T * 512), 1), T, 8, 64]
    return [d.real(shape) for _ in range(3)], {"scale": 0.125, "causal": True, "window": 0, "softcap": 0.0, "mask": False, "sinks": False}


def fused_attention(q, k, v, **_):
    return F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), is_causal=True, scale=0.125).transpose(1, 2)


def turned(d):
    T, half, more = d.int(1, 5), d.int(1, 4), d.choice([0, 0, 2])
    angle = d.real([T, half], 0, 3)
    return [d.real([d.int(1, 3), T, d.int(1, 3), 2 * half + more]), angle.cos(), angle.sin()], {"interleaved": d.flag()}


def large_turned(d, n):
    angle = d.real([512, 32], 0, 3)
    return [d.real([n // (512 * 512), 512, 8, 64]), angle.cos(), angle.sin()], {"interleaved": False}


def rope(x, cos, sin, interleaved):
    half = cos.shape[1]
    c, s = cos[:, None], sin[:, None]
    a, b = (x[..., :2 * half:2], x[..., 1:2 * half:2]) if interleaved else (x[..., :half], x[..., half:2 * half])
    y = [a * c - b * s, b * c + a * s]
    y = torch.stack(y, -1).flatten(-2) if interleaved else torch.cat(y, -1)
    return torch.cat([y, x[..., 2 * half:]], -1)


def recurrent(gates, states, bias):
    def make(d, B, T, H):
        more = [d.real([gates * H])] if bias else []
        return [d.real([B, T, gates * H])] + [d.real([B, H]) for _ in range(states)] + [d.real([gates * H, H], -0.5, 0.5)] + more, {}
    return lambda d: make(d, d.int(1, 4), d.int(1, 6), d.int(1, 5)), lambda d, n: make(d, max(n // 65536, 1), 64, 256)


def lstm(p, h0, c0, w):
    y, c = [], []
    for t in range(p.shape[1]):
        i, f, g, o = (p[:, t] + h0 @ w.T).chunk(4, -1)
        c0 = torch.sigmoid(f) * c0 + torch.sigmoid(i) * torch.tanh(g)
        h0 = torch.sigmoid(o) * torch.tanh(c0)
        y.append(h0), c.append(c0)
    return torch.stack(y, 1), torch.stack(c, 1)


def gru(p, h0, w, b):
    y = []
    for t in range(p.shape[1]):
        (pr, pz, pn), (qr, qz, qn) = p[:, t].chunk(3, -1), (h0 @ w.T + b).chunk(3, -1)
        r, z = torch.sigmoid(pr + qr), torch.sigmoid(pz + qz)
        h0 = (1 - z) * torch.tanh(pn + r * qn) + z * h0
        y.append(h0)
    return torch.stack(y, 1)


def fused_lstm(p, h0, c0, w):
    """torch's own layer, on inputs of one feature so that its product with them costs next to nothing."""
    one, column = p[..., :1], torch.ones(w.shape[0], 1)
    return torch.lstm(one, (h0[None], c0[None]), [column, w], False, 1, 0.0, False, False, True)[0]


def fused_gru(p, h0, w, b):
    one, column = p[..., :1], torch.ones(w.shape[0], 1)
    return torch.gru(one, h0[None], [column, w, torch.zeros_like(b), b], True, 1, 0.0, False, False, True)[0]


op("attention", attention, (heads, large_heads), peer=fused_attention, loosen=4)
op("rope", rope, (turned, large_turned), constant=(1, 2))
op("lstm", lstm, recurrent(4, 2, False), peer=fused_lstm)
op("gru", gru, recurrent(3, 1, True), peer=fused_gru)
