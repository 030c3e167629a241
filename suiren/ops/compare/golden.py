"""The functions that came after tests/golden/ops/goldens.json."""

import torch

from golden import case, draw


def cases():
    a, b = torch.tensor([[True, True, False, False]]), torch.tensor([[True], [False]])
    case("logical_xor", torch.logical_xor, [a, b], gradient=False)
    for op in "isnan", "isinf", "isfinite":  # JSON has no NaN: the op suite tries it
        case(op, getattr(torch, op), [draw(2, 3)], gradient=False)
