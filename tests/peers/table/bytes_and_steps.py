"""Quantization to eight bits; steps of optimizers."""
import torch

from op_process import DTYPES
from table.row import NO, moved

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
                            step=lambda d: d.int(1, 50), grad_scale=lambda d: 1.0), **NO, distinct=True,
      peer=Stepped(lambda p: torch.optim.AdamW([p], 0.01, fused=True)))
moved("sgd", sgd, state(3, lr=lambda d: 0.01, momentum=lambda d: d.choice([0.9, 0.5]), weight_decay=lambda d: d.choice([0.0, 0.1]),
                        nesterov=lambda d: d.flag(), grad_scale=lambda d: 1.0), **NO, distinct=True,
      peer=Stepped(lambda p: torch.optim.SGD([p], 0.01, 0.9, fused=True)))
