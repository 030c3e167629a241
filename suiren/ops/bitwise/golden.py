import torch

from golden import case, index


def cases():
    a, b = index(2, 4, below=200) - 100, index(4, below=200) - 100
    for op in "bitwise_and", "bitwise_or", "bitwise_xor":
        case(op, getattr(torch, op), [a, b], gradient=False)
    case("bitwise_not", torch.bitwise_not, [a], gradient=False)
    case("bitwise_not", torch.bitwise_not, [a > 0], gradient=False)
    case("shift_left", torch.bitwise_left_shift, [a, index(4, below=60)], gradient=False)
    case("shift_right", torch.bitwise_right_shift, [a, index(4, below=9)], gradient=False)
