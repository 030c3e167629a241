import torch

from golden import case, draw, index


def reduced(how):
    return lambda x, i, src, axis: x.scatter_reduce(axis, i, src, how)


def cases():
    once = torch.tensor([[2, 0, 3], [0, 4, 1]])  # no element twice along axis 1, nor along axis 0
    case("scatter", lambda x, i, src, axis: x.scatter(axis, i, src), [draw(2, 6), once, draw(2, 3)], {"axis": 1})
    case("scatter", lambda x, i, src, axis: x.scatter(axis, i, src), [draw(5, 4), once, draw(2, 3)], {"axis": 0})
    equal = torch.tensor([1.0, 1.0, -1.0, 0.5])  # two equal extrema in one place
    for op, how in ("scatter_max", "amax"), ("scatter_min", "amin"):
        case(op, reduced(how), [draw(4, 3), index(6, 2, below=4), draw(6, 2)], {"axis": 0})
        case(op, reduced(how), [draw(2, 3, 2), index(2, 5, 2, below=3), draw(2, 5, 2)], {"axis": 1})
        case(op, reduced(how), [torch.tensor([1.0, 0.25]), torch.tensor([0, 0, 1, 1]), equal], {"axis": 0})
        case(op, reduced(how), [index(4, below=9), index(8, below=4), index(8, below=9)], {"axis": 0}, gradient=False)
    add = lambda x, i, src, axis: x.index_add(axis, i, src)
    copy = lambda x, i, src, axis: x.index_copy(axis, i, src)
    case("index_add", add, [draw(4, 3), index(6, below=4), draw(6, 3)], {"axis": 0})
    case("index_add", add, [draw(2, 4), index(3, below=4), draw(2, 3)], {"axis": 1})
    case("index_copy", copy, [draw(4, 3), torch.tensor([3, 1]), draw(2, 3)], {"axis": 0})
    case("index_copy", copy, [draw(2, 3, 2), torch.tensor([2, 0]), draw(2, 2, 2)], {"axis": 1})
