import torch

from golden import case, draw


def cases():
    tile = lambda x, repeats: x.tile(repeats)
    interleave = lambda x, repeats, axis: torch.repeat_interleave(x, repeats, axis)
    case("tile", tile, [draw(2, 3)], {"repeats": [2, 2]})
    case("tile", tile, [draw(2, 1, 2)], {"repeats": [1, 3, 2]})
    case("repeat_interleave", interleave, [draw(2, 3)], {"repeats": 2, "axis": 1})
    case("repeat_interleave", interleave, [draw(2, 2, 2)], {"repeats": 3, "axis": 0})
