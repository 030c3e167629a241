import torch

from golden import case, draw


def backward(g, shape, offset, row, column):
    return torch.diagonal_scatter(torch.zeros(shape, dtype=g.dtype), g, offset, row, column)


def cases():
    diagonal = lambda x, offset, row, column: torch.diagonal(x, offset, row, column)
    case("diagonal", diagonal, [draw(3, 4)], {"offset": 1, "row": 0, "column": 1})
    case("diagonal", diagonal, [draw(3, 2, 4)], {"offset": -1, "row": 2, "column": 0})
    case("diagonal_backward", backward, [draw(3)], {"shape": [3, 4], "offset": 1, "row": 0, "column": 1})
    case("diagonal_backward", backward, [draw(2, 3)], {"shape": [3, 2, 4], "offset": -1, "row": 2, "column": 0})
