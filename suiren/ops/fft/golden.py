import torch

from golden import case, draw

NORMS = ["backward", "ortho", "forward"]


def cases():
    for n, norm in ((8, 0), (7, 1), (12, 2), (1, 0), (2, 0)):
        case("rfft", lambda x, norm: torch.view_as_real(torch.fft.rfft(x, norm=NORMS[norm])), [draw(2, n)],
             {"norm": norm})
        # The imaginary parts that do not count must be zero for torch.
        keep = torch.ones(n // 2 + 1, 2)
        keep[0, 1] = 0
        if n % 2 == 0:
            keep[-1, 1] = 0
        irfft = lambda x, n, norm: torch.fft.irfft(torch.view_as_complex(x * keep), n, norm=NORMS[norm])
        case("irfft", irfft, [draw(2, n // 2 + 1, 2)], {"n": n, "norm": norm})
