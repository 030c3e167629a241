"""The reductions that came after tests/golden/ops/goldens.json."""

import torch

from golden import case, draw, index


def prod(x, axes, keep):
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


def cases():
    case("prod", prod, [draw(3, 4)], {"axes": [1], "keep": False})
    case("prod", prod, [draw(2, 3, 2)], {"axes": [0, 2], "keep": True})
    zeros = torch.tensor([[1.5, 0.0, -2.0], [0.0, 0.0, 3.0], [2.0, 1.0, -1.0]])
    case("prod", prod, [zeros], {"axes": [1], "keep": False})
    case("prod", prod, [index(3, 4, below=9)], {"axes": [1], "keep": False}, gradient=False)
    case("argmin", lambda x, axis: x.argmin(axis), [draw(3, 4)], {"axis": 1}, gradient=False)
    case("argmin", lambda x, axis: x.argmin(axis), [torch.tensor([[3.0, 1.0, 1.0]])], {"axis": 1}, gradient=False)
    others = lambda x, g, axes: g * torch.stack([x[:, [k for k in range(x.shape[1]) if k != j]].prod(1) for j in range(x.shape[1])], 1)
    case("prod_backward", others, [draw(3, 4), draw(3, 1)], {"axes": [1]})
