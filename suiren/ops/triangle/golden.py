import torch

from golden import case, draw


def cases():
    for op, f in ("tril", torch.tril), ("triu", torch.triu):
        for diagonal in 0, 1, -2:
            case(op, f, [draw(2, 3, 4)], {"diagonal": diagonal})
