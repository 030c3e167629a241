"""The functions that came after tests/golden/ops/goldens.json."""

import torch

from golden import case, draw, index


def cases():
    ints = lambda n: index(n, below=19) - 9
    nonzero = torch.tensor([1, -2, 3, -4, 5, 6, -7])
    for op in "fmod", "remainder":
        case(op, getattr(torch, op), [draw(2, 4, low=-9, high=9), draw(4, low=0.5)])
        case(op, getattr(torch, op), [ints(7), nonzero], gradient=False)
    case("floor_divide", torch.floor_divide, [draw(2, 4, low=-9, high=9), draw(4, low=0.5)], gradient=False)
    case("floor_divide", torch.floor_divide, [ints(7), nonzero], gradient=False)
    for op in "atan2", "hypot":
        case(op, getattr(torch, op), [draw(2, 3), draw(2, 3)])
        case(op, getattr(torch, op), [draw(2, 3), draw(1)])
