"""Functions of one element, or of several that broadcast."""
import torch
import torch.nn.functional as F

from op_cases import binary, integers, pictures, rows, same, truths, unary
from op_process import DTYPES
from table.row import NO, moved, op

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
moved("cast", lambda x, dtype: x.to(DTYPES[dtype]), (unary(-9, 9, dtype=lambda d: d.choice(["f32", "f64", "i64", "i32"]))[0],
       {dtype: unary(-9, 9, dtype=dtype)[1] for dtype in ("f64", "i32")}))


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
moved("accumulate", lambda total, x: total + x, same((-2, 2), (-2, 2)), **NO, distinct=True,
      peer=lambda total, x: total.add_(x))
moved("assign", lambda to, x: x.clone(), same((-2, 2), (-2, 2)), **NO, distinct=True,
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
