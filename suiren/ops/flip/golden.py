import torch

from golden import case, draw


def cases():
    flip = lambda x, axes: torch.flip(x, axes)
    roll = lambda x, shift, axis: torch.roll(x, shift, axis)
    case("flip", flip, [draw(2, 3, 2)], {"axes": [1]})
    case("flip", flip, [draw(2, 3)], {"axes": [0, 1]})
    case("roll", roll, [draw(2, 5)], {"shift": 2, "axis": 1})
    case("roll", roll, [draw(3, 2)], {"shift": -4, "axis": 0})
