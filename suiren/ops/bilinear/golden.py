import torch

from golden import case, draw


def cases():
    case("bilinear", torch.nn.functional.bilinear, [draw(3, 2), draw(3, 4), draw(2, 2, 4)])
