import torch

from golden import case, draw


def cases():
    case("lerp", torch.lerp, [draw(2, 4), draw(2, 4), draw(2, 4, low=0, high=1)])
    case("lerp", torch.lerp, [draw(4), draw(2, 4), draw(1, low=0, high=1)])
