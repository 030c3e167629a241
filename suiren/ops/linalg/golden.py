import torch

from golden import case, draw


def ridge(x, shift):
    return x + shift * torch.eye(x.shape[-1])


def cholesky(x, shift):
    low = torch.tril(x)  # the other triangle is not read
    return torch.linalg.cholesky(ridge(low + torch.tril(x, -1).mT, shift))


def triangular_solve(a, b, upper, transposed, unit):
    a, upper = (a.mT, not upper) if transposed else (a, upper)
    return torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)


def cases():
    case("cholesky", cholesky, [draw(2, 3, 3)], {"shift": 7.0})
    a, b = draw(2, 3, 3, low=1.0, high=2.0), draw(2, 3, 2)
    for upper, transposed, unit in ((False, False, False), (True, False, True), (False, True, False), (True, True, False)):
        attrs = {"upper": upper, "transposed": transposed, "unit": unit}
        case("triangular_solve", triangular_solve, [a, b], attrs)
    x = draw(2, 3, 3, low=-1.0, high=1.0)
    case("solve", lambda a, b, shift: torch.linalg.solve(ridge(a, shift), b), [x, b], {"shift": 3.0})
    case("inverse", lambda x, shift: torch.linalg.inv(ridge(x, shift)), [x], {"shift": 3.0})
    case("det", lambda x, shift: torch.linalg.det(ridge(x, shift)), [x], {"shift": -2.0})
    case("slogdet", lambda x, shift: torch.linalg.slogdet(ridge(x, shift)), [x], {"shift": -2.0})
