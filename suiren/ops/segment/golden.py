import torch

from golden import case, draw


def added(x, ids, segments):
    return torch.zeros(segments, *x.shape[1:], dtype=x.dtype).index_add(0, ids, x)


def mean(x, ids, segments):
    count = torch.bincount(ids, minlength=segments).clamp(min=1)
    return added(x, ids, segments) / count.reshape(-1, *[1] * (x.dim() - 1))


def largest(x, ids, segments):
    at = ids.reshape(-1, *[1] * (x.dim() - 1)).expand_as(x)
    low = torch.full((segments, *x.shape[1:]), -torch.inf if x.is_floating_point() else -2**63, dtype=x.dtype)
    return low.scatter_reduce(0, at, x, "amax")


def cases():
    ids = torch.tensor([2, 0, 2, 1, 0, 2])
    for op, f in ("segment_sum", added), ("segment_mean", mean), ("segment_max", largest):
        case(op, f, [draw(6, 3), ids], {"segments": 3})
        case(op, f, [draw(6), ids], {"segments": 3})
    for op, f in ("segment_sum", added), ("segment_mean", mean):
        case(op, f, [draw(6, 2, 2), ids], {"segments": 5})  # two are empty
    case("segment_max", largest, [torch.tensor([1.0, 2.0, 1.0, 0.0, 2.0, -1.0]), ids], {"segments": 3})  # equals
    whole = torch.tensor([5, -7, 9, 3, 4, -2])
    case("segment_sum", added, [whole, ids], {"segments": 4}, gradient=False)
    case("segment_max", largest, [whole, ids], {"segments": 3}, gradient=False)
