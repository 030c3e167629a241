import torch

from golden import case, draw


def norm(x, axes, keep, p):
    return torch.linalg.vector_norm(x, p, dim=axes, keepdim=keep)


def cases():
    for p in 1.0, 2.0, 3.0, 2.5:
        case("norm", norm, [draw(3, 4)], {"axes": [1], "keep": False, "p": p})
    case("norm", norm, [draw(2, 3, 2)], {"axes": [0, 2], "keep": True, "p": 2.0})
    case("norm", lambda x, axes, keep, p: norm(x, axes, keep, 2.0), [torch.zeros(2, 2)],
         {"axes": [1], "keep": False, "p": 2.0}, gradient=False)
