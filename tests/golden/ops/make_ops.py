#!/usr/bin/env python3
"""Writes goldens.json: the cases of the rooms that have no golden.py of their own (golden.py says what a case is).

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python tests/golden/ops/make_ops.py

Attributes are those of the public functions. Random numbers are Philox 4x32-10 written anew here.
"""

import math
import pathlib

import torch
import torch.nn.functional as F

from golden import DTYPES, case, draw, index, write
from philox import bits53, philox


# --- views, copies, making --------------------------------------------------------------------------------


def sliced(x, axis, begin, end, step):
    return x.movedim(axis, 0)[begin:end:step].movedim(0, axis)


def slice_backward(g, shape, axis, begin, step):
    at = torch.arange(g.shape[axis]) * step + begin
    return torch.zeros(shape, dtype=g.dtype).index_add(axis, at, g)


def moves():
    case("reshape", lambda x, shape: x.reshape(shape), [draw(2, 6)], {"shape": [3, 4]})
    case("permute", lambda x, order: x.permute(order), [draw(2, 3, 2)], {"order": [2, 0, 1]})
    case("slice", sliced, [draw(2, 7)], {"axis": 1, "begin": 1, "end": 7, "step": 2})
    case("slice", sliced, [draw(4, 2)], {"axis": 0, "begin": 1, "end": 3, "step": 1})
    case("slice_backward", slice_backward, [draw(2, 3)], {"shape": [2, 7], "axis": 1, "begin": 1, "step": 2})
    case("broadcast_to", lambda x, shape: x.broadcast_to(shape), [draw(2, 1, 3)], {"shape": [2, 2, 2, 3]})
    case("copy", lambda x: x.clone(), [draw(2, 3)])
    case("assign", lambda to, x: x.clone(), [draw(2, 3), draw(2, 3)], gradient=False)
    case("accumulate", lambda total, x: total + x, [draw(2, 3), draw(2, 3)], gradient=False)
    to = lambda x, dtype: x.to(DTYPES[dtype])
    case("cast", to, [draw(5, low=-9, high=9)], {"dtype": "i64"}, gradient=False)
    case("cast", to, [index(4, below=9)], {"dtype": "f64"}, gradient=False)
    case("cast", to, [draw(5) / 3], {"dtype": "f32"})
    case("full", lambda shape, value, dtype: torch.full(shape, value, dtype=DTYPES[dtype]), [],
         {"shape": [2, 3], "value": 0.1, "dtype": "f64"}, gradient=False)
    ranged = lambda begin, end, step, dtype: torch.arange(begin, end, step, dtype=DTYPES[dtype])
    case("arange", ranged, [], {"begin": 3, "end": 20, "step": 4, "dtype": "i64"}, gradient=False)
    case("arange", ranged, [], {"begin": 1.0, "end": -1.0, "step": -0.3, "dtype": "f64"}, gradient=False)
    case("concat", lambda *x, axis: torch.cat(x, axis), [draw(2, 1), draw(2, 3), draw(2, 2)], {"axis": 1})
    case("concat", lambda *x, axis: torch.cat(x, axis), [draw(1, 3), draw(2, 3)], {"axis": 0})


# --- random numbers ---------------------------------------------------------------------------------------


def uniform(shape, low, high, seed, stream):
    words = [philox(seed, stream, i) for i in range(math.prod(shape))]
    return torch.tensor([low + (high - low) * (bits53(*w[:2]) * 2.0**-53) for w in words]).reshape(shape)


def normal(shape, mean, std, seed, stream):
    values = []
    for i in range(math.prod(shape)):
        w = philox(seed, stream, i)
        u, v = (bits53(*w[:2]) + 1.0) * 2.0**-53, bits53(*w[2:]) * 2.0**-53
        values.append(mean + std * math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v))
    return torch.tensor(values).reshape(shape)


def dropout(x, p, seed, stream):
    kept = uniform(x.shape, 0, 1, seed, stream) >= p
    return torch.where(kept, x / (1 - p), torch.zeros(()))


def random_numbers():
    at = {"seed": 123456789012345, "stream": 7}
    case("uniform", uniform, [], {"shape": [2, 4], "low": -1.5, "high": 2, **at}, gradient=False)
    case("normal", normal, [], {"shape": [2, 4], "mean": 0.5, "std": 2, **at}, gradient=False)
    case("dropout", dropout, [draw(3, 4)], {"p": 0.4, **at})


# --- elementwise ------------------------------------------------------------------------------------------


def elementwise():
    ints = lambda *shape: index(*shape, below=19) - 9
    for op in "add", "sub", "mul", "div":
        f = getattr(torch, op)
        case(op, f, [draw(2, 3), draw(2, 3, low=0.5)])
        case(op, f, [draw(2, 1, 3), draw(2, 1, low=0.5)])
        if op != "div":
            case(op, f, [ints(5), ints(5)], gradient=False)
    truncated = lambda a, b: torch.div(a, b, rounding_mode="trunc")
    case("div", truncated, [torch.tensor([7, -7, 9, -9, 0]), torch.tensor([2, 2, -4, -3, 5])], gradient=False)
    case("pow", torch.pow, [draw(2, 3, low=0.3), draw(2, 3)])
    case("pow", torch.pow, [draw(2, 3, low=0.3), draw(1)])
    for op in "maximum", "minimum":
        case(op, getattr(torch, op), [torch.tensor([0.5, -1.0, 2.0, 1.0]), torch.tensor([0.25, 1.0, 2.0, 1.5])])
        case(op, getattr(torch, op), [draw(2, 3), draw(3)])
    for op in "eq", "ne", "lt", "le", "gt", "ge":
        case(op, getattr(torch, op), [ints(2, 3) % 3, ints(3) % 3], gradient=False)
    a, b = torch.tensor([[True, True, False, False]]), torch.tensor([[True], [False]])
    case("logical_and", torch.logical_and, [a, b], gradient=False)
    case("logical_or", torch.logical_or, [a, b], gradient=False)
    case("logical_not", torch.logical_not, [a], gradient=False)
    case("where", torch.where, [a[0], draw(2, 4), draw(2, 1)])
    case("clamp", lambda x, low, high: x.clamp(low, high), [draw(3, 4)], {"low": -0.7, "high": 1.1})
    anywhere = ["neg", "abs", "relu", "exp", "square", "tanh", "sigmoid", "silu", "gelu", "erf", "sin", "cos"]
    silu, gelu = (lambda x: x * torch.sigmoid(x)), F.gelu
    for op in anywhere:
        f = {"silu": silu, "gelu": gelu, "relu": torch.relu}.get(op) or getattr(torch, op)
        case(op, f, [draw(2, 4, low=-3, high=3)])
    for op in "log", "sqrt", "rsqrt", "reciprocal":
        case(op, getattr(torch, op), [draw(2, 4, low=0.3, high=3)])
    for op in "sign", "floor":
        case(op, getattr(torch, op), [draw(2, 4)], gradient=False)


# --- reductions, choice by index --------------------------------------------------------------------------


def reductions():
    for op, f in ("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax), ("min", torch.amin):
        reduce = lambda x, axes, keep, f=f: f(x, dim=axes, keepdim=keep)
        case(op, reduce, [draw(3, 4)], {"axes": [1], "keep": False})
        case(op, reduce, [draw(2, 3, 2)], {"axes": [0, 2], "keep": True})
        case(op, reduce, [draw(5)], {"axes": [0], "keep": False})
    case("sum", lambda x, axes, keep: x.sum(axes), [index(3, 4, below=9)], {"axes": [1], "keep": False}, gradient=False)
    tied = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    case("max", lambda x, axes, keep: x.amax(axes), [tied], {"axes": [1], "keep": False})
    case("argmax", lambda x, axis: x.argmax(axis), [draw(3, 4)], {"axis": 1}, gradient=False)
    case("argmax", lambda x, axis: x.argmax(axis), [tied], {"axis": 1}, gradient=False)
    case("sum_squares", lambda x: (x * x).sum(), [draw(3, 4)])
    case("cumsum", lambda x, axis, reverse: x.cumsum(axis), [draw(2, 4)], {"axis": 1, "reverse": False})
    reversed_ = lambda x, axis, reverse: x.flip(axis).cumsum(axis).flip(axis)
    case("cumsum", reversed_, [draw(3, 2)], {"axis": 0, "reverse": True})
    case("gather", lambda x, i, axis: x.gather(axis, i), [draw(3, 4), index(3, 2, below=4)], {"axis": 1})
    case("gather", lambda x, i, axis: x.gather(axis, i), [draw(3, 4), index(5, 2, below=3)], {"axis": 0})
    scatter = lambda x, i, src, axis: x.scatter_add(axis, i, src)
    case("scatter_add", scatter, [draw(3, 4), index(3, 6, below=4), draw(3, 6)], {"axis": 1})
    select = lambda x, i, axis: x.index_select(axis, i)
    case("index_select", select, [draw(2, 4), index(5, below=4)], {"axis": 1})


def softmaxes():
    for op, f in ("softmax", F.softmax), ("log_softmax", F.log_softmax):
        case(op, lambda x, axis, f=f: f(x, dim=axis), [draw(3, 4)], {"axis": 1})
        case(op, lambda x, axis, f=f: f(x, dim=axis), [draw(3, 2, low=800, high=803)], {"axis": 0})
    sums = lambda x, axis, keep: torch.logsumexp(x, axis, keep)
    case("logsumexp", sums, [draw(3, 4)], {"axis": 1, "keep": False})
    case("logsumexp", sums, [draw(3, 2, low=800, high=803)], {"axis": 0, "keep": True})


# --- products, tables, layers -----------------------------------------------------------------------------


def table_sum(g, ids, rows):
    return torch.zeros(rows, g.shape[-1]).index_add(0, ids.reshape(-1), g.reshape(-1, g.shape[-1]))


def rotated(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos[:, None] - second * sin[:, None], second * cos[:, None] + first * sin[:, None]), -1)


def backward_of(f, count):
    """The op whose inputs are a gradient and `count` inputs of f, and whose outputs are the gradients of f."""

    def run(g, *inputs, **attrs):
        leaves = [t if t.requires_grad else t.requires_grad_() for t in inputs]
        return torch.autograd.grad(f(*leaves, **attrs), leaves[:count], g, create_graph=True)

    return run


def products_and_layers():
    for a, b in ((3, 4), (4, 2)), ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((2, 3), (2, 3, 2)):
        case("matmul", torch.matmul, [draw(*a), draw(*b)])
    case("matmul_sum", lambda a, b: torch.einsum("bmk,bkn->mn", a, b), [draw(3, 2, 4), draw(3, 4, 2)])
    ids = index(2, 5, below=4)
    case("embedding", lambda weight, ids: F.embedding(ids, weight), [draw(4, 3), ids])
    case("embedding_backward", table_sum, [draw(2, 5, 3), ids], {"rows": 5})
    norm = lambda x, weight, eps: F.rms_norm(x, weight.shape, weight, eps)
    for eps in 1e-6, 0.1:
        case("rms_norm", norm, [draw(2, 2, 5), draw(5)], {"eps": eps})
    case("rms_norm_backward", backward_of(norm, 2), [draw(2, 2, 5), draw(2, 2, 5), draw(5)], {"eps": 1e-5})
    angle = draw(3, 2, low=0, high=3)
    case("rope", rotated, [draw(2, 3, 1, 4), angle.cos(), angle.sin()], constant=(1, 2))
    gated = lambda gate, up: F.silu(gate) * up
    gated2 = lambda gate, up: gate * torch.sigmoid(gate) * up  # silu of PyTorch has no third derivative
    case("swiglu", gated, [draw(2, 4), draw(2, 4)])
    case("swiglu_backward", backward_of(gated2, 2), [draw(2, 4), draw(2, 4), draw(2, 4)])


# --- attention, cross-entropy -----------------------------------------------------------------------------


def scores(q, k, scale, causal):
    """[B, H, T, S], -inf where a key is not visible."""
    T, S, group = q.shape[1], k.shape[1], q.shape[2] // k.shape[2]
    s = torch.einsum("bthd,bshd->bhts", q, k.repeat_interleave(group, dim=2)) * scale
    hidden = torch.arange(S)[None] > torch.arange(S - T, S)[:, None]
    return s.masked_fill(hidden, -math.inf) if causal else s


def attention(q, k, v, scale, causal):
    group = q.shape[2] // k.shape[2]
    s = scores(q, k, scale, causal)
    out = torch.einsum("bhts,bshd->bthd", s.softmax(-1), v.repeat_interleave(group, dim=2))
    heads = [t.transpose(1, 2) for t in (q, k, v)]
    visible = torch.isfinite(s[0, 0].detach())
    peer = F.scaled_dot_product_attention(*heads, attn_mask=visible, scale=scale, enable_gqa=True).transpose(1, 2)
    torch.testing.assert_close(out, peer, rtol=1e-12, atol=1e-13)
    return out, s.logsumexp(-1)


def attention_backward(q, k, v, out, lse, g, g_lse, scale, causal):
    """With out and lse as inputs of their own."""
    group = q.shape[2] // k.shape[2]
    p = (scores(q, k, scale, causal) - lse[..., None]).exp()
    grouped = lambda t: t.unflatten(2, (k.shape[2], group)).sum(3)  # a key head serves `group` query heads
    dp = torch.einsum("bthd,bshd->bhts", g, v.repeat_interleave(group, dim=2))
    delta = (g * out).sum(-1).transpose(1, 2) - g_lse
    ds = p * (dp - delta[..., None]) * scale
    dq = torch.einsum("bhts,bshd->bthd", ds, k.repeat_interleave(group, dim=2))
    dk = grouped(torch.einsum("bhts,bthd->bshd", ds, q))
    return dq, dk, grouped(torch.einsum("bhts,bthd->bshd", p, g))


def cross_entropy(logits, targets):
    return F.cross_entropy(logits, targets, reduction="none"), logits.logsumexp(-1)


def cross_entropy_backward(logits, targets, lse, g, g_lse):
    right = F.one_hot(targets, logits.shape[1])
    return (logits - lse[:, None]).exp() * (g + g_lse)[:, None] - right * g[:, None]


def fused_losses():
    for causal, T, S, H, kv in (True, 3, 3, 2, 1), (False, 2, 3, 2, 2), (True, 2, 4, 2, 1):
        attrs = {"scale": 0.6, "causal": causal}
        q, k, v = draw(2, T, H, 2), draw(2, S, kv, 2), draw(2, S, kv, 2)
        case("attention", attention, [q, k, v], attrs)
        g, g_lse = draw(2, T, H, 2), draw(2, H, T)
        with torch.no_grad():
            out, lse = attention(q, k, v, **attrs)
        leaves = [t.clone().requires_grad_() for t in (q, k, v)]
        peer = torch.autograd.grad(attention(*leaves, **attrs), leaves, (g, g_lse))
        torch.testing.assert_close(attention_backward(q, k, v, out, lse, g, g_lse, **attrs), peer, rtol=1e-11, atol=1e-12)
        if causal:
            case("attention_backward", attention_backward, [q, k, v, out, lse, g, g_lse], attrs)
    logits, targets = draw(3, 5), index(3, below=5)
    case("cross_entropy", cross_entropy, [logits, targets])
    case("cross_entropy", cross_entropy, [draw(2, 3, low=800, high=803), index(2, below=3)])
    g, g_lse, leaf = draw(3), draw(3), logits.clone().requires_grad_()
    peer = torch.autograd.grad(cross_entropy(leaf, targets), leaf, (g, g_lse))[0]
    lse = logits.logsumexp(-1)
    torch.testing.assert_close(cross_entropy_backward(logits, targets, lse, g, g_lse), peer, rtol=1e-12, atol=1e-13)
    case("cross_entropy_backward", cross_entropy_backward, [logits, targets, lse, g, g_lse])


# --- optimizers -------------------------------------------------------------------------------------------


def optimizers():
    """Three steps each; a case is one step from the state before it."""
    for lr, beta1, beta2, eps, wd in (0.1, 0.9, 0.95, 1e-8, 0.1), (0.01, 0.8, 0.999, 1e-3, 0.0):
        p = draw(2, 3).requires_grad_()
        optimizer = torch.optim.AdamW([p], lr, (beta1, beta2), eps, wd)
        m, v = torch.zeros(2, 3), torch.zeros(2, 3)
        for step in 1, 2, 3:
            before, grad, scale = p.detach().clone(), draw(2, 3), 0.5
            p.grad = grad * scale
            optimizer.step()
            state = optimizer.state[p]
            attrs = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": wd, "step": step, "grad_scale": scale}
            after = p.detach().clone(), state["exp_avg"].clone(), state["exp_avg_sq"].clone()
            case("adamw", lambda *_, **__: after, [before, m, v, grad], attrs, gradient=False)
            m, v = after[1:]
    for lr, momentum, wd, nesterov in (0.1, 0.0, 0.01, False), (0.1, 0.9, 0.01, False), (0.05, 0.9, 0.0, True):
        p = draw(2, 3).requires_grad_()
        optimizer = torch.optim.SGD([p], lr, momentum, weight_decay=wd, nesterov=nesterov)
        velocity = torch.zeros(2, 3)
        for _ in range(2 if momentum else 1):
            before, grad, scale = p.detach().clone(), draw(2, 3), 2.0
            p.grad = grad * scale
            optimizer.step()
            speed = optimizer.state[p].get("momentum_buffer")
            after = p.detach().clone(), (grad * scale + wd * before if speed is None else speed.clone())
            attrs = {"lr": lr, "momentum": momentum, "weight_decay": wd, "nesterov": nesterov, "grad_scale": scale}
            case("sgd", lambda *_, **__: after, [before, velocity, grad], attrs, gradient=False)
            velocity = after[1]
    case("matmul_accumulate", lambda total, a, b: total + torch.einsum("bmk,bkn->mn", a, b),
         [draw(2, 2), draw(3, 2, 4), draw(3, 4, 2)], gradient=False)  # sums of gradients


def main():
    torch.manual_seed(20)
    for part in moves, random_numbers, elementwise, reductions, softmaxes, products_and_layers, fused_losses, optimizers:
        part()
    write(pathlib.Path(__file__).with_name("goldens.json"))


main()
