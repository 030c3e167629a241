"""Products, Fourier transforms, linear algebra."""
import math

import torch
import torch.nn.functional as F

from op_cases import rows
from table.row import NO, op


def products(d):
    m, k, n = d.int(1, 9), d.int(1, 9), d.int(1, 9)
    a, b = d.broadcast(2) if d.flag() else ([], [])
    return [d.real([x for x in a if x] [:2] + [m, k]), d.real([k, n])] if d.flag() or a != b else [
        d.real([d.int(1, 3), m, k]), d.real([d.choice([1, 1]), k, n])], {}


def square_of(n):
    return max(int(math.isqrt(n)) // 16 * 16, 16)


def large_product(d, n):
    side = square_of(n)
    return [d.real([side, side]), d.real([side, side])], {}


def product_sum(d):
    b, m, k, n = (d.int(1, 7) for _ in range(4))
    return [d.real([b, m, k]), d.real([b, k, n])], {}


def byte_products(d):
    m, k, n = d.int(1, 9), d.int(1, 70), d.int(1, 9)
    return [d.ints([m, k], -128, 128).to(torch.int8), d.ints([k, n], -128, 128).to(torch.int8)], {}


def bilinear(d):
    front, i, j, o = d.shape(1, 2), d.int(1, 5), d.int(1, 5), d.int(1, 5)
    return [d.real(front + [i]), d.real(front + [j]), d.real([o, i, j])], {}


op("matmul", torch.matmul, (products, large_product))
op("matmul_sum", lambda a, b: torch.einsum("bmk,bkn->mn", a, b),
   (product_sum, lambda d, n: ([d.real([8, 256, n // 2048]), d.real([8, n // 2048, 256])], {})))
op("int_matmul", lambda a, b: (a.long() @ b.long()).int(), (byte_products, None), **NO)
op("bilinear", F.bilinear, (bilinear, lambda d, n: ([d.real([n // 64, 64]), d.real([n // 64, 64]), d.real([16, 64, 64])], {})))


NORMS = ["backward", "ortho", "forward"]


def signals(d):
    return [d.real(d.shape(0, 2) + [d.int(1, 24)])], {"norm": d.int(0, 2)}


def spectra(d):
    n = d.int(1, 24)
    return [d.real(d.shape(0, 2) + [n // 2 + 1, 2])], {"n": n, "norm": d.int(0, 2)}


def irfft(x, n, norm):
    keep = torch.ones(n // 2 + 1, 2, dtype=x.dtype)  # imaginary parts that do not count must be zero for torch
    keep[0, 1] = 0
    if n % 2 == 0:
        keep[-1, 1] = 0
    return torch.fft.irfft(torch.view_as_complex((x * keep).contiguous()), n, norm=NORMS[norm])


def ridge(x, shift):
    return x + shift * torch.eye(x.shape[-1], dtype=x.dtype)


def cholesky(x, shift):
    low = torch.tril(x)
    return torch.linalg.cholesky(ridge(low + torch.tril(x, -1).mT, shift))


def triangular_solve(a, b, upper, transposed, unit):
    a, upper = (a.mT, not upper) if transposed else (a, upper)
    return torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unit)


def matrices(spread, shift, right=False):
    """Well away from singular: the diagonal outweighs the rest."""
    def small(d):
        n = d.int(1, 6)
        front = d.shape(0, 2, 3)
        return [d.real(front + [n, n], -spread, spread)] + ([d.real(front + [n, d.int(1, 4)])] if right else []), {"shift": shift}

    def large(d, n):
        side = 128
        front = [max(n // side ** 2, 1)]
        a = d.real(front + [side, side], -0.02, 0.02)
        a = (a + a.mT) / 2 + torch.eye(side, dtype=torch.float64)
        return [a] + ([d.real(front + [side, side])] if right else []), {"shift": 0.0}
    return small, large


def triangles(d):
    n, front = d.int(1, 6), d.shape(0, 2, 3)
    a = d.real(front + [n, n], -0.6, 0.6) + 2 * torch.eye(n, dtype=torch.float64)
    return [a, d.real(front + [n, d.int(1, 4)])], {"upper": d.flag(), "transposed": d.flag(), "unit": d.flag()}


def large_triangles(d, n):
    side, front = 128, [max(n // 128 ** 2, 1)]
    a = d.real(front + [side, side], -0.1, 0.1) + 2 * torch.eye(side, dtype=torch.float64)
    return [a, d.real(front + [side, side])], {"upper": False, "transposed": False, "unit": False}


op("rfft", lambda x, norm: torch.view_as_real(torch.fft.rfft(x, norm=NORMS[norm])),
   (signals, lambda d, n: ([d.real(rows(n))], {"norm": 0})))
op("irfft", irfft, (spectra, lambda d, n: ([d.real([rows(n)[0], 513, 2])], {"n": 1024, "norm": 0})),
   loosen=2,  # a sum of n terms that cancel
   peer=lambda x, n, norm: torch.fft.irfft(torch.view_as_complex(x), n))
op("cholesky", cholesky, matrices(1, 8.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.cholesky(x))
op("triangular_solve", triangular_solve, (triangles, large_triangles), distinct=True, loosen=10)
op("solve", lambda a, b, shift: torch.linalg.solve(ridge(a, shift), b), matrices(1, 5.0, True), distinct=True, loosen=10,
   peer=lambda a, b, shift: torch.linalg.solve(a, b))
op("inverse", lambda x, shift: torch.linalg.inv(ridge(x, shift)), matrices(1, 5.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.inv(x))
op("det", lambda x, shift: torch.linalg.det(ridge(x, shift)), matrices(1, -1.5), distinct=True, loosen=100, peer=lambda x, shift: torch.linalg.det(x))
op("slogdet", lambda x, shift: torch.linalg.slogdet(ridge(x, shift)), matrices(1, 5.0), distinct=True, loosen=10,
   peer=lambda x, shift: torch.linalg.slogdet(x))
