import torch

from golden import case, index


def cases():
    x = index(3, 4, below=2)
    for axes, keep in ([1], False), ([0, 1], True):
        attrs = {"axes": axes, "keep": keep}
        case("any", lambda x, axes, keep: torch.any(x != 0, dim=axes, keepdim=keep), [x], attrs, gradient=False)
        case("all", lambda x, axes, keep: torch.all(x != 0, dim=axes, keepdim=keep), [x], attrs, gradient=False)
        count = lambda x, axes, keep: (x != 0).sum(dim=axes, keepdim=keep)
        case("count_nonzero", count, [x], attrs, gradient=False)
    case("count_nonzero", lambda x, axes, keep: torch.count_nonzero(x, dim=axes), [x],
         {"axes": [0], "keep": False}, gradient=False)
