import torch

from golden import case, draw


def rope(x, cos, sin, interleaved):
    half = cos.shape[1]
    c, s = cos[:, None], sin[:, None]
    a, b = (x[..., : 2 * half : 2], x[..., 1 : 2 * half : 2]) if interleaved else (x[..., :half], x[..., half : 2 * half])
    y = [a * c - b * s, b * c + a * s]
    y = torch.stack(y, -1).flatten(-2) if interleaved else torch.cat(y, -1)
    return torch.cat([y, x[..., 2 * half :]], -1)


def cases():
    for dims, rotated, interleaved in ((6, 6, True), (7, 4, True), (7, 4, False)):
        table = [draw(3, rotated // 2, low=-1.0, high=1.0) for _ in range(2)]
        case("rope", rope, [draw(2, 3, 2, dims), *table], {"interleaved": interleaved}, constant=(1, 2))
