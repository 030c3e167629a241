"""Gathering, scattering, sorting, choosing."""
import math

import torch
import torch.nn.functional as F

from op_cases import along, rows
from op_process import DTYPES
from table.row import NO, moved, op

aten = torch.ops.aten


def into(d, reach=None, distinct=False):
    """x, an index of the rank of x with no larger extents but along axis, and axis."""
    shape = d.shape(1, 3)
    axis = d.int(0, len(shape) - 1)
    index = [d.int(1, n) for n in shape]
    index[axis] = d.int(1, 8)
    if not distinct:
        return shape, d.ints(index, 0, shape[axis]), axis
    index[axis] = d.int(1, shape[axis])
    order = torch.rand(index[:axis] + [shape[axis]] + index[axis + 1:], generator=d.torch).argsort(axis)
    return shape, order.narrow(axis, 0, index[axis]), axis


def gathered(d):
    shape, index, axis = into(d)
    return [d.real(shape), index], {"axis": axis}


def scattered(distinct):
    def small(d):
        shape, index, axis = into(d, distinct=distinct)
        return [d.real(shape), index, d.real(index.shape)], {"axis": axis}

    def large(d, n):
        shape = rows(n)
        index = torch.stack([d.order(shape[1])] * shape[0]) if distinct else d.ints(shape, 0, shape[1])
        return [d.real(shape), index, d.real(shape)], {"axis": 1}
    return small, large


def lines(distinct, source):
    def small(d):
        shape = d.shape(1, 3)
        axis = d.int(0, len(shape) - 1)
        index = d.order(shape[axis])[:d.int(1, shape[axis])] if distinct else d.ints([d.int(1, 8)], 0, shape[axis])
        src = shape[:axis] + [len(index)] + shape[axis + 1:]
        return [d.real(shape), index] + ([d.real(src)] if source else []), {"axis": axis}

    def large(d, n):
        shape = rows(n, 256)
        index = d.order(shape[0]) if distinct else d.ints([shape[0]], 0, shape[0])
        return [d.real(shape), index] + ([d.real(shape)] if source else []), {"axis": 0}
    return small, large


moved("gather", lambda x, i, axis: x.gather(axis, i), (gathered, lambda d, n: ([d.real(rows(n)), d.ints(rows(n), 0, 1024)], {"axis": 1})))
op("scatter_add", lambda x, i, src, axis: x.scatter_add(axis, i, src), scattered(False))
op("scatter", lambda x, i, src, axis: x.scatter(axis, i, src), scattered(True), distinct=True)
for name, how in ("scatter_max", "amax"), ("scatter_min", "amin"):
    op(name, lambda x, i, src, axis, how=how: x.scatter_reduce(axis, i, src, how), scattered(False), distinct=True)
moved("index_select", lambda x, i, axis: x.index_select(axis, i), lines(False, False))
op("index_add", lambda x, i, src, axis: x.index_add(axis, i, src), lines(False, True))
op("index_copy", lambda x, i, src, axis: x.index_copy(axis, i, src), lines(True, True), distinct=True)


def table(d):
    return [d.real([d.int(1, 9), d.int(1, 7)])]


def looked_up(d):
    weight = table(d)
    return weight + [d.ints(d.shape(1, 3), 0, weight[0].shape[0])], {}


def looked_up_gradient(d):
    ids = d.ints(d.shape(1, 3), 0, 9)
    return [d.real(list(ids.shape) + [d.int(1, 7)]), ids], {"rows": d.int(9, 12)}


def bags(d):
    weight, n = table(d), d.int(1, 12)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.sort(d.ints([d.int(0, 4)], 0, n + 1))[0]])
    bag = d.choice([0, 1, 2])
    scale = [d.real([n])] if bag == 0 and d.flag() else []
    return weight + [d.ints([n], 0, weight[0].shape[0]), offsets] + scale, {"bag": bag}


def large_bags(d, n):
    count = max(n // 256, 8)
    return [d.real([count, 256]), d.ints([count], 0, count), torch.arange(0, count, 8)], {"bag": 0}


moved("embedding", lambda w, ids: F.embedding(ids, w), (looked_up, lambda d, n: ([d.real(rows(n, 256)), d.ints(rows(n, 256)[:1], 0, rows(n, 256)[0])], {})))
op("embedding_backward", lambda g, ids, rows: aten.embedding_dense_backward(g, ids, rows, -1, False),
   (looked_up_gradient, lambda d, n: ([d.real(rows(n, 256)), d.ints(rows(n, 256)[:1], 0, 4096)], {"rows": 4096})))
op("embedding_bag", lambda w, ids, offsets, scale=None, *, bag: F.embedding_bag(
    ids, w, offsets, mode=["sum", "mean", "max"][bag], per_sample_weights=scale), (bags, large_bags), distinct=True)


def segmented(d):
    n = d.int(1, 12)
    shape, segments = [n] + d.shape(0, 2), d.int(1, 5)
    return [d.real(shape), d.ints([n], 0, segments)], {"segments": segments}


def large_segments(d, n):
    shape = rows(n, 256)
    return [d.real(shape), d.ints(shape[:1], 0, 512)], {"segments": 512}


def segment(how, low=0.0):
    def f(x, ids, segments):
        at = ids.reshape(-1, *[1] * (x.dim() - 1)).expand_as(x)
        return torch.full((segments, *x.shape[1:]), low, dtype=x.dtype).scatter_reduce(0, at, x, how, include_self=False)
    return f


for name, how in ("segment_sum", "sum"), ("segment_mean", "mean"):
    op(name, segment(how), (segmented, large_segments))
op("segment_max", segment("amax", -math.inf), (segmented, large_segments), distinct=True)


def filled(values, n, value=0):
    return torch.cat([values, torch.full((n - len(values), *values.shape[1:]), value, dtype=values.dtype)])


def masked(x, mask):
    found = x.masked_select(mask)
    return filled(found, mask.numel()), torch.tensor(len(found))


def nonzero(x):
    return filled(x.nonzero(), x.numel(), -1), torch.tensor(int((x != 0).sum()))


def unique(x):
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    return filled(values, x.numel()), inverse, filled(counts, x.numel()), torch.tensor(len(values))


def sparse(d):
    x = d.real(d.shape(1, 3))
    return [x * d.bools(x.shape)], {}


def masked_pair(d):
    shape = d.shape(1, 3)
    return [d.real(shape), d.bools(shape)], {}


op("masked_select", masked, (masked_pair, lambda d, n: ([d.real([n]), d.bools([n])], {})), peer=torch.masked_select)
op("nonzero", nonzero, (sparse, lambda d, n: ([d.real(rows(n)) * d.bools(rows(n))], {})), **NO, peer=torch.nonzero)
op("unique", unique, (lambda d: ([d.ints(d.shape(1, 3), -4, 4)], {}), lambda d, n: ([d.real([n])], {})), **NO,
   peer=lambda x: x.unique(return_inverse=True, return_counts=True))
op("sort", lambda x, axis, descending: tuple(torch.sort(x, dim=axis, descending=descending, stable=True)),
   along(descending=lambda d: d.flag(), extent=12, both=True), distinct=True)
op("argsort", lambda x, axis, descending: torch.argsort(x, dim=axis, descending=descending, stable=True),
   along(descending=lambda d: d.flag(), extent=12), **NO, distinct=True)


def best(d):
    shape = d.shape(1, 3, 12)
    axis = d.int(0, len(shape) - 1)
    return [d.real(shape)], {"k": d.int(1, shape[axis]), "axis": axis, "largest": d.flag()}


op("topk", lambda x, k, axis, largest: tuple(torch.topk(x, k, axis, largest)),
   (best, lambda d, n: ([d.real(rows(n))], {"k": 32, "axis": 1, "largest": True})), distinct=True)


def searched(d):
    front = d.shape(0, 2) if d.flag() else []
    row = torch.sort(d.real(front + [d.int(1, 9)]))[0]
    return [row, d.real((front or d.shape(0, 2)) + [d.int(1, 9)])], {"right": d.flag()}


op("searchsorted", lambda s, v, right: torch.searchsorted(s, v, right=right),
   (searched, lambda d, n: ([torch.sort(d.real([1024]))[0], d.real([n])], {"right": False})), **NO, distinct=True)
op("one_hot", lambda ids, classes, dtype: F.one_hot(ids, classes).to(DTYPES[dtype]),
   (lambda d: ([d.ints(d.shape(1, 3), 0, 5)], {"classes": d.int(5, 9), "dtype": d.choice(["i64", "f32", "f64"])}),
    lambda d, n: ([d.ints([max(n // 64, 1)], 0, 64)], {"classes": 64, "dtype": "i64"})), **NO)
op("bincount", lambda ids, bins: torch.bincount(ids.reshape(-1), minlength=bins),
   (lambda d: ([d.ints(d.shape(1, 3), 0, 9)], {"bins": d.int(9, 12)}), lambda d, n: ([d.ints([n], 0, 256)], {"bins": 256})), **NO)
