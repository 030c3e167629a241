import torch

from golden import case, draw


def scan(a, b, axis, reverse):
    a, b = (t.unbind(axis) for t in (a, b))
    order = range(len(a) - 1, -1, -1) if reverse else range(len(a))
    s, rows = None, [None] * len(a)
    for k in order:
        s = b[k] if s is None else a[k] * s + b[k]
        rows[k] = s
    return torch.stack(rows, axis)


def cumprod(x, axis, reverse):
    return x.flip(axis).cumprod(axis).flip(axis) if reverse else x.cumprod(axis)


def cases():
    for axis, reverse in (0, False), (1, True):
        case("scan", scan, [draw(3, 4), draw(3, 4)], {"axis": axis, "reverse": reverse})
        case("cumprod", cumprod, [draw(3, 4)], {"axis": axis, "reverse": reverse})
    zeros = torch.tensor([[1.5, 0.0, -2.0, 0.0, 3.0]])
    case("cumprod", cumprod, [zeros], {"axis": 1, "reverse": False})
