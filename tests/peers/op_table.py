"""What PyTorch calls each op of suiren: one line an op. torch_ops.py compares, bench/ops.py times."""
import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from op_process import DTYPES
from op_cases import (along, binary, images, integers, pictures, reduction, rows, same, truths, unary)

aten = torch.ops.aten
TABLE = {}


@dataclass
class Row:
    op: str
    torch: object            # f(*inputs, **attrs): a tensor or several
    small: object
    large: dict              # variant -> draw(d, n)
    memory: bool = False     # bound by memory: at most some ten operations for an element that is moved
    gradient: bool = True    # False: torch's is zero or not defined, ours is refused
    constant: tuple = ()     # inputs that take no gradient
    distinct: bool = False   # inputs must not be repeated by a broadcasting layout
    writes: int = 0          # the op writes into its first inputs, which are its results
    dtypes: tuple = ("f64", "f32")
    loosen: float = 1.0      # multiplies the tolerance
    why: str = ""            # an explained difference, up to `up_to` tolerances
    up_to: float = 1e5
    peer: object = None      # what is timed in place of `torch`
    peer_constant: tuple = field(default=None)  # inputs without a gradient in timings


def op(name, f, family, **options):
    small, large = family
    large = large if isinstance(large, dict) else {"": large} if large else {}
    assert name not in TABLE
    TABLE[name] = Row(name, f, small, large, **options)


def moved(name, f, family, **options):
    op(name, f, family, memory=True, **options)


# --- elementwise, one tensor --------------------------------------------------------------------------------

NO = {"gradient": False}
for name in "neg", "abs", "relu", "square":
    moved(name, getattr(torch, name), unary())
for name in "sign", "floor", "ceil", "trunc", "round":
    moved(name, getattr(torch, name), unary(), **NO)
for name in "exp", "exp2", "expm1", "atan", "sinh", "cosh", "asinh", "erf", "erfc", "sin", "cos", "tanh", "sigmoid":
    op(name, getattr(torch, name), unary())
for name in "log", "log2", "log10", "sqrt", "rsqrt":
    op(name, getattr(torch, name), unary(0.1, 9), memory=name == "sqrt")
moved("reciprocal", torch.reciprocal, unary(0.2, 4))
op("log1p", torch.log1p, unary(-0.9, 5))
op("tan", torch.tan, unary(-1.4, 1.4))
for name in "asin", "acos", "atanh":
    op(name, getattr(torch, name), unary(-0.95, 0.95))
op("acosh", torch.acosh, unary(1.1, 8))
op("silu", F.silu, unary(-6, 6))
op("gelu", F.gelu, unary(-4, 4))
op("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), unary(-4, 4))
op("log_sigmoid", F.logsigmoid, unary(-9, 9))
moved("softsign", F.softsign, unary())
op("mish", F.mish, unary(-5, 5))
op("selu", F.selu, unary())
moved("hardsigmoid", F.hardsigmoid, unary(-5, 5), why="torch's gradient takes 1/6 rounded to f32, in f64 too")
moved("hardswish", F.hardswish, unary(-5, 5))
moved("leaky_relu", lambda x, slope: F.leaky_relu(x, slope), unary(slope=lambda d: d.choice([0.01, 0.3, -0.5])))
for name in "elu", "celu":
    op(name, lambda x, alpha, f=getattr(F, name): f(x, alpha), unary(alpha=lambda d: d.choice([1.0, 0.25, 1.7])),
       why="torch rounds 1 / alpha to f32, in f64 too")
op("softplus", lambda x, beta, threshold: F.softplus(x, beta, threshold),
   unary(-4, 4, beta=lambda d: d.choice([1.0, 2.0, 0.5]), threshold=lambda d: d.choice([20.0, 3.0])))
for name in "isnan", "isinf", "isfinite":
    moved(name, getattr(torch, name), unary(), **NO)
moved("clamp", lambda x, low, high: x.clamp(low, high),
      (lambda d: ([d.real(d.shape())], {"low": d.float(-2, 0), "high": d.float(0, 2)}), lambda d, n: ([d.real([n])], {"low": -1.0, "high": 1.5})))
moved("logical_not", torch.logical_not, truths(1), **NO)
moved("bitwise_not", torch.bitwise_not, integers(1), **NO)
moved("copy", lambda x: x.clone(), unary())
moved("cast", lambda x, dtype: x.to(DTYPES[dtype]), unary(-9, 9, dtype=lambda d: d.choice(["f32", "f64", "i64", "i32"])))
op("erfinv", torch.erfinv, unary(-0.95, 0.95))

# --- elementwise, several tensors ---------------------------------------------------------------------------

for name in "add", "sub", "mul", "maximum", "minimum":
    moved(name, getattr(torch, name), binary())
moved("div", torch.div, binary(second=(0.3, 3)))
op("pow", torch.pow, binary(0.2, 3, second=(-3, 3)))
for name in "fmod", "remainder", "floor_divide":
    op(name, getattr(torch, name), binary(-9, 9, second=(0.4, 3)), gradient=name != "floor_divide", distinct=True)
for name in "atan2", "hypot":
    op(name, getattr(torch, name), binary(0.2, 3))
for name in "eq", "ne", "lt", "le", "gt", "ge":
    moved(name, getattr(torch, name), integers(2, 0, 4), **NO)
for name in "logical_and", "logical_or", "logical_xor":
    moved(name, getattr(torch, name), truths(2), **NO)
for name in "bitwise_and", "bitwise_or", "bitwise_xor":
    moved(name, getattr(torch, name), integers(2), **NO)
moved("shift_left", torch.bitwise_left_shift, integers(2, second=(0, 40)), **NO)
moved("shift_right", torch.bitwise_right_shift, integers(2, second=(0, 9)), **NO)


def chosen(d):
    c, a, b = d.broadcast(3)
    return [d.bools(c), d.real(a), d.real(b)], {}


def three(d):
    return [d.real(s, 0, 1) for s in d.broadcast(3)], {}


moved("where", torch.where, (chosen, lambda d, n: ([d.bools([n]), d.real([n]), d.real([n])], {})))
moved("lerp", torch.lerp, (three, lambda d, n: ([d.real([n]) for _ in range(3)], {})))
op("swiglu", lambda gate, up: F.silu(gate) * up, same((-4, 4), (-2, 2)))
moved("mse_loss", lambda x, t: F.mse_loss(x, t, reduction="none"), same((-2, 2), (-2, 2)))
moved("l1_loss", lambda x, t: F.l1_loss(x, t, reduction="none"), same((-2, 2), (-2, 2)))
huber = lambda d: d.choice([1.0, 0.3, 2.0])
moved("huber_loss", lambda x, t, delta: F.huber_loss(x, t, reduction="none", delta=delta), same((-2, 2), (-2, 2), delta=huber))
moved("smooth_l1_loss", lambda x, t, beta: F.smooth_l1_loss(x, t, reduction="none", beta=beta),
      same((-2, 2), (-2, 2), beta=huber))
op("binary_cross_entropy", lambda x, t: F.binary_cross_entropy(x, t, reduction="none"), same((0.05, 0.95), (0, 1)), constant=(1,))
op("kl_div", lambda x, t, log_target: F.kl_div(x, t, reduction="none", log_target=log_target),
   same((-3, 0), (0.05, 1), log_target=lambda d: d.flag()))


def logits_and_weight(d):
    shape = d.shape(1, 3)
    weight = [d.real(shape[-1:], 0.5, 3)] if d.flag() else []
    return [d.real(shape, -6, 6), d.real(shape, 0, 1)] + weight, {}


op("bce_with_logits", lambda x, t, w=None: F.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction="none"),
   (logits_and_weight, lambda d, n: ([d.real([n], -6, 6), d.real([n], 0, 1)], {})), constant=(1, 2))
moved("accumulate", lambda total, x: total + x, same((-2, 2), (-2, 2)), **NO, writes=1, distinct=True,
      peer=lambda total, x: total.add_(x))
moved("assign", lambda to, x: x.clone(), same((-2, 2), (-2, 2)), **NO, writes=1, distinct=True,
      peer=lambda to, x: to.copy_(x))


def channels_and_weight(d):
    x = d.real(d.shape(1, 4))
    one = d.flag() or x.dim() == 1
    return [x, d.real([1] if one else [x.shape[1]] + [1] * (x.dim() - 2))], {}


moved("prelu", lambda x, w: F.prelu(x, w.reshape(-1)),
      (channels_and_weight, lambda d, n: ([pictures(d, n), d.real([16, 1, 1])], {})))


def halves(d):
    shape = d.shape(1, 4)
    axis = d.int(0, len(shape) - 1)
    shape[axis] *= 2
    return [d.real(shape, -4, 4)], {"axis": axis}


op("glu", lambda x, axis: F.glu(x, axis), (halves, lambda d, n: ([d.real(rows(n))], {"axis": 1})))

# --- reductions, scans --------------------------------------------------------------------------------------


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

# --- views, copies, making ----------------------------------------------------------------------------------


def with_shape(change):
    def small(d):
        shape = d.shape(1, 4)
        return [d.real(shape)], change(d, shape)
    return small


def regrouped(d, shape):
    left, result = math.prod(shape), []
    while left > 1 and d.flag():
        part = d.choice([k for k in range(1, left + 1) if left % k == 0])
        result.append(part)
        left //= part
    return {"shape": result + [left]}


def wider(d):
    full = d.shape(1, 4)
    own = [1 if d.flag() else n for n in full]
    return [d.real(own[d.int(0, len(own)):] or [1])], {"shape": full}


def piece(d, shape):
    axis = d.int(0, len(shape) - 1)
    begin, step = d.int(0, shape[axis] - 1), d.int(1, 3)
    return {"axis": axis, "begin": begin, "count": d.int(1, (shape[axis] - begin - 1) // step + 1), "step": step}


def sliced(x, axis, begin, count, step):
    return x.movedim(axis, 0)[begin:begin + (count - 1) * step + 1:step].movedim(0, axis)


def slice_gradient(d):
    shape = d.shape(1, 4)
    at = piece(d, shape)
    g = d.real(shape[:at["axis"]] + [at.pop("count")] + shape[at["axis"] + 1:])
    return [g], {"shape": shape} | at


def back_to_slice(g, shape, axis, begin, step):
    return aten.slice_backward(g, shape, axis, begin, begin + (g.shape[axis] - 1) * step + 1, step)


def matrix_axes(d):
    shape = d.shape(2, 4)
    row, column = d.rng.sample(range(len(shape)), 2)
    offset = d.int(-shape[row] + 1, shape[column] - 1)
    return shape, {"offset": offset, "row": row, "column": column}


def diagonals(d):
    shape, at = matrix_axes(d)
    return [d.real(shape)], at


def diagonal_gradient(d):
    shape, at = matrix_axes(d)
    like = torch.empty(shape).diagonal(at["offset"], at["row"], at["column"])
    return [d.real(list(like.shape))], {"shape": shape} | at


def windows(d, shape):
    axis = d.int(0, len(shape) - 1)
    return {"axis": axis, "size": d.int(1, shape[axis]), "step": d.int(1, 3)}


def pieces(d):
    shape = d.shape(1, 4)
    axis = d.int(0, len(shape) - 1)
    parts = [d.real(shape[:axis] + [d.int(0 if i else 1, 4)] + shape[axis + 1:]) for i in range(d.int(1, 5))]
    return parts, {"axis": axis}


VIEW = None  # launches nothing: there is nothing to time
moved("reshape", lambda x, shape: x.reshape(shape), (with_shape(regrouped), VIEW))
moved("permute", lambda x, order: x.permute(order), (with_shape(lambda d, s: {"order": d.order(len(s)).tolist()}), VIEW))
moved("slice", sliced, (with_shape(piece), VIEW))
moved("broadcast_to", lambda x, shape: x.broadcast_to(shape), (wider, VIEW))
moved("diagonal", lambda x, offset, row, column: torch.diagonal(x, offset, row, column), (diagonals, VIEW))
moved("unfold", lambda x, axis, size, step: x.unfold(axis, size, step), (with_shape(windows), VIEW))
moved("slice_backward", back_to_slice,
      (slice_gradient, lambda d, n: ([d.real(rows(n))], {"shape": [rows(n)[0], 2048], "axis": 1, "begin": 512, "step": 1})))
moved("diagonal_backward", lambda g, shape, offset, row, column: aten.diagonal_backward(g, shape, offset, row, column),
      (diagonal_gradient, lambda d, n: ([d.real([max(n // 64, 1), 8])], {"shape": [max(n // 64, 1), 8, 8], "offset": 0, "row": 1, "column": 2})))
moved("concat", lambda *x, axis: torch.cat(x, axis), (pieces, lambda d, n: ([d.real(rows(n // 2)) for _ in range(2)], {"axis": 1})))
moved("flip", lambda x, axes: x.flip(axes),
      (with_shape(lambda d, s: {"axes": d.some(range(len(s)))}), lambda d, n: ([d.real(rows(n))], {"axes": [1]})))
moved("roll", lambda x, shift, axis: x.roll(shift, axis),
      (with_shape(lambda d, s: {"shift": d.int(-9, 9), "axis": d.int(0, len(s) - 1)}), lambda d, n: ([d.real(rows(n))], {"shift": 77, "axis": 1})))
moved("tile", lambda x, repeats: x.tile(repeats),
      (with_shape(lambda d, s: {"repeats": [d.int(1, 3) for _ in range(d.int(1, 4))]}), lambda d, n: ([d.real(rows(n // 4))], {"repeats": [2, 2]})))
moved("repeat_interleave", lambda x, repeats, axis: x.repeat_interleave(repeats, axis),
      (with_shape(lambda d, s: {"repeats": d.int(1, 4), "axis": d.int(0, len(s) - 1)}), lambda d, n: ([d.real(rows(n // 2))], {"repeats": 2, "axis": 0})))
for name in "tril", "triu":
    moved(name, lambda x, diagonal, f=getattr(torch, name): f(x, diagonal),
          (lambda d: ([d.real(d.shape(2, 4))], {"diagonal": d.int(-4, 4)}), lambda d, n: ([d.real(rows(n))], {"diagonal": 0})))
making = lambda d: {"dtype": d.choice(["f32", "f64", "i64"])}
moved("full", lambda shape, value, dtype: torch.full(shape, value, dtype=DTYPES[dtype]),
      (lambda d: ([], {"shape": d.shape(), "value": d.float(-5, 5)} | making(d)), lambda d, n: ([], {"shape": [n], "value": 0.5, "dtype": "f32"})), **NO)
moved("arange", lambda begin, step, count, dtype: torch.arange(begin, begin + step * (count - 0.5), step, dtype=DTYPES[dtype]),
      (lambda d: ([], {"begin": float(d.int(-9, 9)), "step": float(d.choice([-3, -1, 1, 2])), "count": d.int(1, 40)} | making(d)),
       lambda d, n: ([], {"begin": 0.0, "step": 1.0, "count": n, "dtype": "f32"})), **NO)

# --- choice by index ----------------------------------------------------------------------------------------


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

# --- products -----------------------------------------------------------------------------------------------


def products(d):
    m, k, n = d.int(1, 9), d.int(1, 9), d.int(1, 9)
    a, b = d.broadcast(2) if d.flag() else ([], [])
    return [d.real([x for x in a if x] [:2] + [m, k]), d.real([k, n])] if d.flag() or a != b else [
        d.real([d.int(1, 3), m, k]), d.real([d.choice([1, 1]), k, n])], {}


def square_of(n):
    return max(int(math.isqrt(n)) // 16 * 16, 16)


def large_product(d, n):
    side = square_of(n)
    return [d.real([side, side]), d.real([side, side])], {}


def product_sum(d):
    b, m, k, n = (d.int(1, 7) for _ in range(4))
    return [d.real([b, m, k]), d.real([b, k, n])], {}


def bilinear(d):
    front, i, j, o = d.shape(1, 2), d.int(1, 5), d.int(1, 5), d.int(1, 5)
    return [d.real(front + [i]), d.real(front + [j]), d.real([o, i, j])], {}


op("matmul", torch.matmul, (products, large_product))
op("matmul_sum", lambda a, b: torch.einsum("bmk,bkn->mn", a, b),
   (product_sum, lambda d, n: ([d.real([8, 256, n // 2048]), d.real([8, n // 2048, 256])], {})))
op("bilinear", F.bilinear, (bilinear, lambda d, n: ([d.real([n // 64, 64]), d.real([n // 64, 64]), d.real([16, 64, 64])], {})))

# --- convolution, pooling, resizing -------------------------------------------------------------------------

by_rank = lambda x, one, two, three: [one, two, three][x.dim() - 3]


def conv(x, w, **attrs):
    return by_rank(x, F.conv1d, F.conv2d, F.conv3d)(x, w, **attrs)


def conv_transpose(x, w, **attrs):
    return by_rank(x, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)(x, w, **attrs)


def strides(d, rank):
    return {"stride": [d.int(1, 3) for _ in range(rank)], "padding": [d.int(0, 2) for _ in range(rank)],
            "dilation": [d.int(1, 2) for _ in range(rank)], "groups": d.choice([1, 1, 2, 3])}


def convolved(transposed):
    def small(d):
        rank = d.choice([1, 2, 2, 3])
        at = strides(d, rank)
        inner, outer = (at["groups"] * d.int(1, 3) for _ in range(2))
        kernel = [d.int(1, 3) for _ in range(rank)]
        x = d.real([d.int(1, 3), inner] + [d.int(6, 8) for _ in range(rank)])
        if not transposed:
            return [x, d.real([outer, inner // at["groups"]] + kernel)], at
        most = [max(s, t) - 1 for s, t in zip(at["stride"], at["dilation"])]
        at["output_padding"] = [d.int(0, m) for m in most]
        return [x, d.real([inner, outer // at["groups"]] + kernel)], at
    return small


def unit(rank, padding=1):
    return {"stride": [1] * rank, "padding": [padding] * rank, "dilation": [1] * rank, "groups": 1}


CONVOLUTIONS = {
    "3x3": lambda d, n: ([pictures(d, n, 32), d.real([32, 32, 3, 3])], unit(2)),
    "1x1": lambda d, n: ([pictures(d, n, 64), d.real([64, 64, 1, 1])], unit(2, 0)),
    "depthwise": lambda d, n: ([pictures(d, n, 32), d.real([32, 1, 3, 3])], unit(2) | {"groups": 32}),
    "1d": lambda d, n: ([d.real([n // 16384, 32, 512]), d.real([32, 32, 5])], unit(1, 2)),
    "3d": lambda d, n: ([d.real([max(n // 65536, 1), 16, 16, 16, 16]), d.real([16, 16, 3, 3, 3])], unit(3)),
}
op("conv", conv, (convolved(False), CONVOLUTIONS))
op("conv_transpose", conv_transpose, (convolved(True), lambda d, n: (
    [pictures(d, n, 32, 16), d.real([32, 16, 4, 4])], unit(2) | {"stride": [2, 2], "output_padding": [0, 0]})))


def pooled(average):
    def small(d):
        x = images(d)
        rank = x.dim() - 2
        kernel = [d.int(1, 3) for _ in range(rank)]
        at = {"kernel": kernel, "stride": [d.int(1, 3) for _ in range(rank)],
              "padding": [d.int(0, k // 2) for k in kernel], "ceil_mode": d.flag()}
        return [x], at | ({"count_include_pad": d.flag()} if average else {"dilation": [1 if k > 2 else d.int(1, 2) for k in kernel]})
    return small


def pool_windows(d, n):
    return {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1], "ceil_mode": False}


def max_pool(x, kernel, **attrs):
    return by_rank(x, F.max_pool1d, F.max_pool2d, F.max_pool3d)(x, kernel, return_indices=True, **attrs)


def avg_pool(x, kernel, **attrs):
    return by_rank(x, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)(x, kernel, **attrs)


def adaptive(d):
    x = images(d)
    return [x], {"size": [d.int(1, 4) for _ in range(x.dim() - 2)]}


def adaptive_max(x, size):
    f = by_rank(x, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    return f(x, size, return_indices=True)


def adaptive_avg(x, size):
    return by_rank(x, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)(x, size)


op("max_pool", max_pool, (pooled(False), lambda d, n: ([pictures(d, n)], pool_windows(d, n) | {"dilation": [1, 1]})), distinct=True)
op("avg_pool", avg_pool, (pooled(True), lambda d, n: ([pictures(d, n)], pool_windows(d, n) | {"count_include_pad": True})))
op("adaptive_max_pool", adaptive_max, (adaptive, lambda d, n: ([pictures(d, n)], {"size": [7, 7]})), distinct=True)
op("adaptive_avg_pool", adaptive_avg, (adaptive, lambda d, n: ([pictures(d, n)], {"size": [7, 7]})))


def resized(corners):
    def small(d):
        x = images(d)
        return [x], {"size": [d.int(1, 11) for _ in range(x.dim() - 2)]} | ({"align_corners": d.flag()} if corners else {})
    return small


def linear(x, size, align_corners):
    return F.interpolate(x, size=size, mode=["linear", "bilinear", "trilinear"][x.dim() - 3], align_corners=align_corners)


op("upsample_nearest", lambda x, size: F.interpolate(x, size=size, mode="nearest"),
   (resized(False), lambda d, n: ([pictures(d, n // 4)], {"size": [64, 64]})))
op("upsample_linear", linear, (resized(True), lambda d, n: ([pictures(d, n // 4)], {"size": [64, 64], "align_corners": False})))

# --- normalization ------------------------------------------------------------------------------------------

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


def batch_norm(x, weight, bias, eps):
    axes = [i for i in range(x.dim()) if i != 1]
    return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps), x.mean(axes), x.var(axes, unbiased=False)


op("rms_norm", lambda x, w, eps: F.rms_norm(x, w.shape, w, eps), layer(False, 1))
op("layer_norm", lambda x, w, b, eps: F.layer_norm(x, w.shape, w, b, eps), layer(True, 3), distinct=True)
op("group_norm", lambda x, w, b, groups, eps: F.group_norm(x, groups, w, b, eps),
   (grouped, lambda d, n: ([pictures(d, n), d.real([16]), d.real([16])], {"groups": 4, "eps": 1e-5})), distinct=True)
op("batch_norm", batch_norm, batched(False), distinct=True,
   peer=lambda x, w, b, eps: F.batch_norm(x, None, None, w, b, True, 0.0, eps))
op("batch_norm_inference", lambda x, mean, var, w, b, eps: F.batch_norm(x, mean, var, w, b, False, 0.0, eps), batched(True),
   constant=(1, 2))

# --- losses of classes, sequences ---------------------------------------------------------------------------


def classes(d):
    n, c = d.int(1, 8), d.int(2, 9)
    return n, c, [d.real([n, c], -4, 4), d.ints([n], 0, c)]


def weighted(smoothing):
    def small(d):
        n, c, inputs = classes(d)
        at = {"ignore_index": d.choice([-100, 0])} | ({"label_smoothing": d.choice([0.0, 0.1])} if smoothing else {})
        return inputs + ([d.real([c], 0.5, 2)] if d.flag() else []), at

    def large(d, n):
        shape = rows(n)
        return [d.real(shape), d.ints(shape[:1], 0, shape[1])], {"ignore_index": -100} | ({"label_smoothing": 0.1} if smoothing else {})
    return small, large


def counted(t, w, ignored, like):
    ones = torch.ones(t.shape, dtype=like.dtype) if w is None else w[t.clamp(min=0)]
    return torch.where(t == ignored, torch.zeros((), dtype=like.dtype), ones).detach()


def nll(x, t, w=None, ignore_index=-100):
    return F.nll_loss(x, t, w, ignore_index=ignore_index, reduction="none"), counted(t, w, ignore_index, x)


def class_loss(x, t, w=None, ignore_index=-100, label_smoothing=0.0):
    loss = F.cross_entropy(x, t, w, ignore_index=ignore_index, reduction="none", label_smoothing=label_smoothing)
    return loss, counted(t, w, ignore_index, x)


def speech(d):
    T, N, C = d.int(4, 9), d.int(1, 4), d.int(3, 6)
    blank = d.int(0, C - 1)
    labels = d.ints([N, 3], 0, C - 1)
    labels = torch.where(labels >= blank, labels + 1, labels)
    return [F.log_softmax(d.real([T, N, C]), -1), labels, d.ints([N], T - 1, T + 1), d.ints([N], 0, 2 + (T > 6))], {"blank": blank}


def ctc(lp, targets, input_lengths, target_lengths, blank):
    """With the true gradient of log_probs: torch's adds exp(log_probs), which the log_softmax before it takes out."""
    loss = F.ctc_loss(lp, targets, input_lengths, target_lengths, blank=blank, reduction="none")
    steps = torch.arange(lp.shape[0])[:, None] < input_lengths
    extra = (lp.exp().sum(-1) * steps).sum(0)
    return loss - (extra - extra.detach())


def large_speech(d, n):
    T, N, C = 100, max(n // 3200, 1), 32
    return [F.log_softmax(d.real([T, N, C]), -1), d.ints([N, 20], 1, C), torch.full([N], T), torch.full([N], 20)], {"blank": 0}


op("cross_entropy", lambda x, t: (F.cross_entropy(x, t, reduction="none"), x.logsumexp(-1)),
   (lambda d: (classes(d)[2], {}), lambda d, n: ([d.real(rows(n)), d.ints(rows(n)[:1], 0, 1024)], {})),
   peer=lambda x, t: F.cross_entropy(x, t, reduction="none"))
op("nll_loss", nll, weighted(False), constant=(2,), peer=lambda x, t, ignore_index: F.nll_loss(x, t, reduction="none"))
op("cross_entropy_loss", class_loss, weighted(True), constant=(2,),
   peer=lambda x, t, ignore_index, label_smoothing: F.cross_entropy(x, t, reduction="none", label_smoothing=label_smoothing))
op("ctc_loss", ctc, (speech, large_speech), distinct=True, loosen=10,
   peer=lambda lp, t, i, j, blank: F.ctc_loss(lp, t, i, j, blank=blank, reduction="none"))

# --- attention, rotation, recurrence ------------------------------------------------------------------------


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

# --- Fourier transforms, linear algebra ---------------------------------------------------------------------

NORMS = ["backward", "ortho", "forward"]


def signals(d):
    return [d.real(d.shape(0, 2) + [d.int(1, 24)])], {"norm": d.int(0, 2)}


def spectra(d):
    n = d.int(1, 24)
    return [d.real(d.shape(0, 2) + [n // 2 + 1, 2])], {"n": n, "norm": d.int(0, 2)}


def irfft(x, n, norm):
    keep = torch.ones(n // 2 + 1, 2, dtype=x.dtype)  # imaginary parts that do not count must be zero for torch
    keep[0, 1] = 0
    if n % 2 == 0:
        keep[-1, 1] = 0
    return torch.fft.irfft(torch.view_as_complex((x * keep).contiguous()), n, norm=NORMS[norm])


def ridge(x, shift):
    return x + shift * torch.eye(x.shape[-1], dtype=x.dtype)


def cholesky(x, shift):
    low = torch.tril(x)
    return torch.linalg.cholesky(ridge(low + torch.tril(x, -1).mT, shift))


def triangular_solve(a, b, upper, transposed, unit):
    a, upper = (a.mT, not upper) if transposed else (a, upper)
    return torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)


def matrices(spread, shift, right=False):
    """Well away from singular: the diagonal outweighs the rest."""
    def small(d):
        n = d.int(1, 6)
        front = d.shape(0, 2, 3)
        return [d.real(front + [n, n], -spread, spread)] + ([d.real(front + [n, d.int(1, 4)])] if right else []), {"shift": shift}

    def large(d, n):
        side = 128
        front = [max(n // side ** 2, 1)]
        a = d.real(front + [side, side], -0.02, 0.02)
        a = (a + a.mT) / 2 + torch.eye(side, dtype=torch.float64)
        return [a] + ([d.real(front + [side, side])] if right else []), {"shift": 0.0}
    return small, large


def triangles(d):
    n, front = d.int(1, 6), d.shape(0, 2, 3)
    a = d.real(front + [n, n], -0.6, 0.6) + 2 * torch.eye(n, dtype=torch.float64)
    return [a, d.real(front + [n, d.int(1, 4)])], {"upper": d.flag(), "transposed": d.flag(), "unit": d.flag()}


def large_triangles(d, n):
    side, front = 128, [max(n // 128 ** 2, 1)]
    a = d.real(front + [side, side], -0.1, 0.1) + 2 * torch.eye(side, dtype=torch.float64)
    return [a, d.real(front + [side, side])], {"upper": False, "transposed": False, "unit": False}


op("rfft", lambda x, norm: torch.view_as_real(torch.fft.rfft(x, norm=NORMS[norm])),
   (signals, lambda d, n: ([d.real(rows(n))], {"norm": 0})))
op("irfft", irfft, (spectra, lambda d, n: ([d.real([rows(n)[0], 513, 2])], {"n": 1024, "norm": 0})),
   peer=lambda x, n, norm: torch.fft.irfft(torch.view_as_complex(x), n))
op("cholesky", cholesky, matrices(1, 8.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.cholesky(x))
op("triangular_solve", triangular_solve, (triangles, large_triangles), distinct=True, loosen=10)
op("solve", lambda a, b, shift: torch.linalg.solve(ridge(a, shift), b), matrices(1, 5.0, True), distinct=True, loosen=10,
   peer=lambda a, b, shift: torch.linalg.solve(a, b))
op("inverse", lambda x, shift: torch.linalg.inv(ridge(x, shift)), matrices(1, 5.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.inv(x))
op("det", lambda x, shift: torch.linalg.det(ridge(x, shift)), matrices(1, -1.5), distinct=True, loosen=100, peer=lambda x, shift: torch.linalg.det(x))
op("slogdet", lambda x, shift: torch.linalg.slogdet(ridge(x, shift)), matrices(1, 5.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.slogdet(x))

# --- eight bits ---------------------------------------------------------------------------------------------

BYTES = {"i8": torch.qint8, "u8": torch.quint8}


def scaled(d, x, dtype):
    return x, {"scale": d.float(0.01, 0.1), "zero_point": d.int(-20, 20) if dtype == "i8" else d.int(80, 150), "dtype": dtype}


def by_channel(x):
    def small(d):
        shape = d.shape(1, 4)
        axis = d.int(0, len(shape) - 1)
        n = shape[axis]
        return [x(d, shape), d.real([n], 0.01, 0.1), d.ints([n], 0, 100)], {"axis": axis}
    return small, lambda d, n: ([x(d, [256, n // 256]), d.real([256], 0.01, 0.1), d.ints([256], 0, 100)], {"axis": 0})


def and_dtype(family, dtypes):
    def extended(make):
        def draw(d, *n):
            inputs, at = make(d, *n)
            return inputs, at | {"dtype": d.choice(dtypes)}
        return draw
    return tuple(map(extended, family))


def dequantize_by_channel(q, scale, zero, axis):
    spread = lambda t: t.reshape([-1 if i == axis else 1 for i in range(q.dim())])
    return (q - spread(zero)) * spread(scale)


F32 = {"dtypes": ("f32",)}  # torch quantizes f32 alone
BYTE_VALUES = lambda d, shape: d.ints(shape, -128, 128).to(torch.int8)
moved("quantize_per_tensor", lambda x, scale, zero_point, dtype: torch.quantize_per_tensor(x, scale, zero_point, BYTES[dtype]).int_repr(),
      (lambda d: scaled(d, [d.real(d.shape())], d.choice(["i8", "u8"])), lambda d, n: scaled(d, [d.real([n])], "i8")), **NO, **F32,
      peer=lambda x, scale, zero_point, dtype: torch.quantize_per_tensor(x, scale, zero_point, BYTES[dtype]))
moved("quantize_per_channel", lambda x, scale, zero, axis, dtype: torch.quantize_per_channel(x, scale, zero, axis, BYTES[dtype]).int_repr(),
      and_dtype(by_channel(lambda d, shape: d.real(shape)), ["i8", "u8"]), **NO, **F32, distinct=True,
      peer=lambda x, scale, zero, axis, dtype: torch.quantize_per_channel(x, scale, zero, axis, BYTES[dtype]))
moved("dequantize_per_tensor", lambda q, scale, zero_point, dtype: (q.to(DTYPES[dtype]) - zero_point) * scale,
      (lambda d: scaled(d, [BYTE_VALUES(d, d.shape())], "f32"), lambda d, n: scaled(d, [BYTE_VALUES(d, [n])], "f32")), **NO, **F32)
moved("dequantize_per_channel", dequantize_by_channel, by_channel(BYTE_VALUES), distinct=True)


def ranged(d, x):
    return x, {"scale": d.float(0.05, 0.2), "zero_point": d.int(-3, 3), "low": -8, "high": 7}


moved("fake_quantize", lambda x, scale, zero_point, low, high: torch.fake_quantize_per_tensor_affine(x, scale, zero_point, low, high),
      (lambda d: ranged(d, [d.real(d.shape())]), lambda d, n: ranged(d, [d.real([n])])), why="torch keeps 1 / scale and scale in f32, in f64 too")

# --- optimizers ---------------------------------------------------------------------------------------------


def state(tensors, **attrs):
    def small(d):
        shape = d.shape(1, 3)
        return [d.real(shape, 0.01 if i in (2,) and tensors == 4 else -2) for i in range(tensors)], {k: v(d) for k, v in attrs.items()}
    return small, lambda d, n: ([d.real([n], 0.01, 1) for _ in range(tensors)], {k: v(d) for k, v in attrs.items()})


def adamw(p, m, v, g, lr, beta1, beta2, eps, weight_decay, step, grad_scale):
    p = p.clone().requires_grad_()
    optimizer = torch.optim.AdamW([p], lr, (beta1, beta2), eps, weight_decay)
    optimizer.state[p] = {"step": torch.tensor(step - 1.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    p.grad = g * grad_scale
    optimizer.step()
    return p.detach(), optimizer.state[p]["exp_avg"], optimizer.state[p]["exp_avg_sq"]


def sgd(p, velocity, g, lr, momentum, weight_decay, nesterov, grad_scale):
    p = p.clone().requires_grad_()
    optimizer = torch.optim.SGD([p], lr, momentum, weight_decay=weight_decay, nesterov=nesterov)
    optimizer.state[p] = {"momentum_buffer": velocity.clone()}
    p.grad = g * grad_scale
    optimizer.step()
    return p.detach(), optimizer.state[p]["momentum_buffer"]


class Stepped:
    """The fused optimizer of torch on one parameter, made once."""

    def __init__(self, make):
        self.make, self.optimizer = make, None

    def __call__(self, p, *rest, **_):
        if self.optimizer is None or self.optimizer.param_groups[0]["params"][0] is not p:
            self.optimizer = self.make(p)
            p.grad = rest[-1]
        self.optimizer.step()
        return p


moved("adamw", adamw, state(4, lr=lambda d: 0.01, beta1=lambda d: d.choice([0.9, 0.8]), beta2=lambda d: d.choice([0.95, 0.999]),
                            eps=lambda d: d.choice([1e-8, 1e-3]), weight_decay=lambda d: d.choice([0.0, 0.1]),
                            step=lambda d: d.int(1, 50), grad_scale=lambda d: 1.0), **NO, writes=3, distinct=True,
      peer=Stepped(lambda p: torch.optim.AdamW([p], 0.01, fused=True)))
moved("sgd", sgd, state(3, lr=lambda d: 0.01, momentum=lambda d: d.choice([0.9, 0.5]), weight_decay=lambda d: d.choice([0.0, 0.1]),
                        nesterov=lambda d: d.flag(), grad_scale=lambda d: 1.0), **NO, writes=2, distinct=True,
      peer=Stepped(lambda p: torch.optim.SGD([p], 0.01, 0.9, fused=True)))

# --- what PyTorch does not have -----------------------------------------------------------------------------

OWN_RANDOM = "random numbers are a function of (seed, stream, place) here and a state in torch: no two agree"
WITHOUT = {name: OWN_RANDOM for name in (
    "uniform", "normal", "exponential", "randint", "bernoulli", "multinomial", "randperm", "dropout")}
WITHOUT["scan"] = "torch has no linear recurrence; compared through cumprod, whose gradient it is"
WITHOUT["conv_weight_gradient"] = "compared as the gradient of conv"


def reason_without(name):
    """Why an op has no line: in words, or None."""
    base = name.removesuffix("_backward")
    if base != name and base in TABLE:
        return f"compared as the gradient of {base}"
    return WITHOUT.get(name)
