import torch

from golden import case, draw, index


def filled(values, n, value=0):
    rest = torch.full((n - len(values), *values.shape[1:]), value, dtype=values.dtype)
    return torch.cat([values, rest])


def masked_select(x, mask):
    chosen = x.masked_select(mask)
    return filled(chosen, x.numel()), torch.tensor(len(chosen))


def nonzero(x):
    return filled(x.nonzero(), x.numel(), -1), torch.tensor(int((x != 0).sum()))


def unique(x):
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    return filled(values, x.numel()), inverse, filled(counts, x.numel()), torch.tensor(len(values))


def cases():
    case("masked_select", masked_select, [draw(9), draw(9) > 0])
    case("masked_select", masked_select, [draw(2, 3), torch.tensor([[True, False, True], [False, True, True]])])
    case("masked_select", masked_select, [index(6, below=9), torch.zeros(6, dtype=torch.bool)], gradient=False)
    case("nonzero", nonzero, [index(3, 4, below=2)], gradient=False)
    case("nonzero", nonzero, [torch.tensor([0.0, -0.0, 1.5, -2.0])], gradient=False)
    case("unique", unique, [index(3, 5, below=7) - 3], gradient=False)
    case("unique", unique, [torch.tensor([0.5, -1.0, 0.5, 2.0, -1.0, 0.5])], gradient=False)
