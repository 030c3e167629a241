"""Sums and their kin over dimensions, scans along one, softmax."""
import torch
import torch.nn.functional as F

from op_cases import along, reduction, rows, unary
from table.row import NO, moved, op


def over(f):
    return lambda x, axes, keep: f(x, dim=axes, keepdim=keep)


def product(x, axes, keep):
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


for name, f in ("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax), ("min", torch.amin):
    moved(name, over(f), reduction(), distinct=name in ("max", "min"))
moved("prod", product, reduction(0.5, 1.5))
for name, f in ("any", torch.any), ("all", torch.all):
    moved(name, lambda x, axes, keep, f=f: f(x != 0, dim=axes, keepdim=keep), reduction(zeros=True), **NO,
          peer=over(f))
moved("count_nonzero", lambda x, axes, keep: (x != 0).sum(dim=axes, keepdim=keep), reduction(zeros=True), **NO,
      peer=lambda x, axes, keep: torch.count_nonzero(x, dim=axes))
for name in "argmax", "argmin":
    moved(name, lambda x, axis, f=getattr(torch, name): f(x, dim=axis), reduction(by="axis", keep=False), **NO, distinct=True)
moved("sum_squares", lambda x: (x.double() ** 2).sum(), unary(), peer=lambda x: torch.linalg.vector_norm(x))
for name, f in ("var", torch.var), ("std", torch.std):
    op(name, lambda x, axes, keep, correction, f=f: f(x, dim=axes, keepdim=keep, correction=correction),
       reduction(correction=0.0), distinct=True)


def norm_of(x, axes, keep, p):
    return torch.linalg.vector_norm(x, float(p), dim=axes, keepdim=keep)


norms = reduction(p=lambda d: d.choice([1.0, 2.0, 3.0, 2.5, "inf", "-inf"]))
op("norm", norm_of, (norms[0], reduction(p=2.0)[1]), distinct=True)
both_ways = lambda f: lambda x, axis, reverse: f(x.flip(axis), axis).flip(axis) if reverse else f(x, axis)
op("cumsum", both_ways(torch.cumsum), along(reverse=lambda d: d.flag(), both=True), peer=lambda x, axis, reverse: x.cumsum(axis))
op("cumprod", both_ways(torch.cumprod), along(0.5, 1.5, reverse=lambda d: d.flag(), both=True), loosen=4,
   peer=lambda x, axis, reverse: x.cumprod(axis))
for name, f in ("softmax", F.softmax), ("log_softmax", F.log_softmax):
    op(name, lambda x, axis, f=f: f(x, dim=axis), along(-4, 4, both=True))
op("logsumexp", lambda x, axis, keep: torch.logsumexp(x, axis, keep), along(-4, 4, keep=lambda d: d.flag(), both=True))


def pair_along(d):
    shape = d.shape(1, 4)
    return [d.real(shape), d.real(shape)], {"axis": d.int(0, len(shape) - 1), "eps": d.choice([1e-8, 1e-3])}


op("cosine_similarity", lambda a, b, axis, eps: F.cosine_similarity(a, b, axis, eps),
   (pair_along, lambda d, n: ([d.real(rows(n)), d.real(rows(n))], {"axis": 1, "eps": 1e-8})))
