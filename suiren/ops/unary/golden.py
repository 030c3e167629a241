"""The functions that came after tests/golden/ops/goldens.json."""

import torch
import torch.nn.functional as F

from golden import case, draw


def cases():
    for op in "exp2", "expm1", "atan", "sinh", "cosh", "asinh", "erfc":
        case(op, getattr(torch, op), [draw(2, 4, low=-3, high=3)])
    for op in "log2", "log10", "log1p":
        case(op, getattr(torch, op), [draw(2, 4, low=0.2, high=4)])
    case("log1p", torch.log1p, [draw(4, low=-1e-3, high=1e-3) / 1000])
    for op in "tan", "asin", "acos", "atanh":
        case(op, getattr(torch, op), [draw(2, 4, low=-0.9, high=0.9)])
    case("acosh", torch.acosh, [draw(2, 4, low=1.3, high=5)])
    case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), [draw(2, 4, low=-4, high=4)])
    case("log_sigmoid", F.logsigmoid, [draw(2, 4, low=-9, high=9)])
    case("softsign", F.softsign, [draw(2, 4)])
    case("mish", F.mish, [draw(2, 4, low=-4, high=4)])
    case("selu", F.selu, [draw(2, 4)])
    # PyTorch has no second derivatives of these by their names
    case("hardsigmoid", lambda x: (x + 3).clamp(0, 6) / 6, [draw(2, 4, low=-5, high=5)])
    case("hardswish", lambda x: x * (x + 3).clamp(0, 6) / 6, [draw(2, 4, low=-5, high=5)])
    for op in "ceil", "trunc":
        case(op, getattr(torch, op), [draw(2, 4)], gradient=False)
    case("round", torch.round, [torch.tensor([0.5, 1.5, -0.5, -2.5, 2.4, -1.6])], gradient=False)
    backwards()


def backwards():
    """Of g and x: torch's own gradients, in parts where it has no second derivative by that name."""

    def of(f):
        def run(g, x):
            x = x if x.requires_grad else x.requires_grad_()
            return torch.autograd.grad(f(x), x, g, create_graph=True)[0]
        return run

    silu, log_sigmoid = lambda x: x * torch.sigmoid(x), lambda x: -torch.log(1 + torch.exp(-x))
    mish = lambda x: x * torch.tanh(torch.log(1 + torch.exp(x)))
    gelu = lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2
    gelu_tanh = lambda x: x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3))) / 2
    hardsigmoid = lambda x: (x + 3).clamp(0, 6) / 6
    for op, f in (("silu", silu), ("log_sigmoid", log_sigmoid), ("mish", mish), ("gelu", gelu), ("gelu_tanh", gelu_tanh),
                  ("hardsigmoid", hardsigmoid), ("hardswish", lambda x: x * hardsigmoid(x))):
        case(op + "_backward", of(f), [draw(2, 4), draw(2, 4, low=-5, high=5)])
    # Of g and y.
    scale, low = 1.0507009873554804934, 1.7580993408473766
    for op, slope in (("relu", lambda y: (y > 0).to(y)), ("tanh", lambda y: 1 - y * y), ("sigmoid", lambda y: y * (1 - y)),
                      ("selu", lambda y: torch.where(y > 0, torch.full_like(y, scale), y + low))):
        case(op + "_backward", lambda g, y, slope=slope: g * slope(y), [draw(2, 4), draw(2, 4)])
