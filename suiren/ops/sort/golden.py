import torch

from golden import case, draw, index


def sort(x, axis, descending):
    return torch.sort(x, dim=axis, descending=descending, stable=True)


def cases():
    for shape, axis, descending in ((7,), 0, False), ((3, 4), 0, True), ((2, 3, 4), 1, False), ((2, 5), 1, True):
        case("sort", lambda *x, **a: tuple(sort(*x, **a)), [draw(*shape)], {"axis": axis, "descending": descending})
    equal = torch.tensor([3, 1, 3, 2, 1, 1, 2])
    for descending in False, True:
        case("sort", sort, [equal], {"axis": 0, "descending": descending}, gradient=False)
        case("argsort", lambda *x, **a: sort(*x, **a)[1], [equal], {"axis": 0, "descending": descending}, gradient=False)
    case("argsort", lambda *x, **a: sort(*x, **a)[1], [draw(3, 4)], {"axis": 1, "descending": True}, gradient=False)
    topk = lambda x, k, axis, largest: tuple(torch.topk(x, k, axis, largest))
    case("topk", topk, [draw(3, 9)], {"k": 4, "axis": 1, "largest": True})
    case("topk", topk, [draw(5, 3)], {"k": 2, "axis": 0, "largest": False})
    find = lambda sorted_, values, right: torch.searchsorted(sorted_, values, right=right)
    for right in False, True:
        row = torch.sort(index(9, below=6))[0]
        case("searchsorted", find, [row, index(12, below=8) - 1], {"right": right}, gradient=False)
        case("searchsorted", find, [torch.sort(draw(3, 7))[0], draw(3, 4)], {"right": right}, gradient=False)
