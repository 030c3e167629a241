import torch

from golden import case


def cases():
    product = lambda a, b: torch.matmul(a.int(), b.int())
    for a, b in ((3, 5), (5, 4)), ((2, 3, 7), (7, 2)), ((2, 1, 2, 3), (3, 3, 2)):
        numbers = [torch.randint(-128, 128, s).to(torch.int8) for s in (a, b)]
        case("int_matmul", product, numbers, gradient=False)
