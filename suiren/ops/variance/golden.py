import torch

from golden import case, draw


def cases():
    for op, f in ("var", torch.var), ("std", torch.std):
        reduce = lambda x, axes, keep, correction, f=f: f(x, dim=axes, keepdim=keep, correction=correction)
        case(op, reduce, [draw(3, 4)], {"axes": [1], "keep": False, "correction": 1.0})
        case(op, reduce, [draw(2, 3, 2)], {"axes": [0, 2], "keep": True, "correction": 0.0})
