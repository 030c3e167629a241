import torch
import torch.nn.functional as F

from golden import case, draw, index


def bag_of(weight, ids, offsets, scale=None, *, bag):
    rows = weight[ids] if scale is None else weight[ids] * scale[:, None]
    parts = torch.tensor_split(rows, offsets[1:])
    empty = torch.zeros(weight.shape[1])
    how = [lambda x: x.sum(0), lambda x: x.mean(0), lambda x: x.max(0)[0]][bag]
    y = torch.stack([how(p) if len(p) else empty for p in parts])
    mode = ["sum", "mean", "max"][bag]
    assert torch.allclose(y, F.embedding_bag(ids, weight, offsets, mode=mode, per_sample_weights=scale))
    return y


def cases():
    offsets = torch.tensor([0, 3, 3, 5])
    for bag in 0, 1, 2:
        case("embedding_bag", bag_of, [draw(6, 3), torch.tensor([4, 0, 2, 5, 1, 3, 0, 2]), offsets], {"bag": bag})
    case("embedding_bag", bag_of, [draw(6, 3), index(8, below=6), offsets, draw(8)], {"bag": 0})
