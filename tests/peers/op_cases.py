"""How cases of an op are drawn: values, and small or large families of inputs. table/ makes its lines of them.

A family is a pair: small(d) draws one random case for the comparison, large(d, n) a case of about n elements for
timings; both return (inputs, attributes by the names of the op's fields). Inputs are f64, i64 or bool.
"""
import random

import torch


class Draw:
    """A seeded source of everything that is random in a case."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.torch = torch.Generator().manual_seed(seed)

    def int(self, low, high):
        return self.rng.randint(low, high)

    def float(self, low, high):
        return round(self.rng.uniform(low, high), 3)

    def flag(self):
        return self.rng.random() < 0.5

    def choice(self, of):
        return self.rng.choice(of)

    def some(self, of):
        """At least one of them, in order."""
        return sorted(self.rng.sample(list(of), self.int(1, len(of))))

    def shape(self, low=0, high=4, extent=6, empty=False):
        shape = [self.int(1, extent) for _ in range(self.int(low, high))]
        if empty and shape and self.rng.random() < 0.04:
            shape[self.int(0, len(shape) - 1)] = 0
        return shape

    def real(self, shape, low=-2.0, high=2.0):
        return low + (high - low) * torch.rand(shape, generator=self.torch, dtype=torch.float64)

    def ints(self, shape, low, high):
        """In [low, high)."""
        return torch.randint(low, high, tuple(shape), generator=self.torch)

    def bools(self, shape):
        return self.ints(shape, 0, 2) > 0

    def order(self, n):
        return torch.randperm(n, generator=self.torch)

    def broadcast(self, count):
        """Shapes that broadcast together."""
        full = self.shape(0, 4, empty=True)
        shapes = [[1 if self.rng.random() < 0.25 else n for n in full] for _ in range(count)]
        shapes[self.int(0, count - 1)] = full
        return [s if s == full else s[self.int(0, len(s)):] for s in shapes]


def rows(n, width=1024):
    return [max(n // width, 1), width]


def unary(low=-3.0, high=3.0, **attrs):
    """One tensor; attributes are values or functions of the draw."""
    at = lambda d: {k: v(d) if callable(v) else v for k, v in attrs.items()}
    return (lambda d: ([d.real(d.shape(empty=True), low, high)], at(d)),
            lambda d, n: ([d.real([n], low, high)], at(d)))


def binary(low=-2.0, high=2.0, second=None, **attrs):
    """Two tensors that broadcast; `second`: the range of the other one."""
    ranges = [(low, high), second or (low, high)]
    at = lambda d: {k: v(d) if callable(v) else v for k, v in attrs.items()}
    return (lambda d: ([d.real(s, *r) for s, r in zip(d.broadcast(2), ranges)], at(d)),
            lambda d, n: ([d.real([n], *r) for r in ranges], at(d)))


def same(*ranges, **attrs):
    """Tensors of one shape."""
    at = lambda d: {k: v(d) if callable(v) else v for k, v in attrs.items()}

    def small(d):
        shape = d.shape(1, 4, empty=True)
        return [d.real(shape, *r) for r in ranges], at(d)

    return small, lambda d, n: ([d.real([n], *r) for r in ranges], at(d))


def integers(count, low=-100, high=100, second=None):
    ranges = [(low, high), second or (low, high)][:count]
    return (lambda d: ([d.ints(s, *r) for s, r in zip(d.broadcast(count), ranges)], {}),
            lambda d, n: ([d.ints([n], *r) for r in ranges], {}))


def truths(count):
    return (lambda d: ([d.bools(s) for s in d.broadcast(count)], {}),
            lambda d, n: ([d.bools([n]) for _ in range(count)], {}))


def reduction(low=-2.0, high=2.0, by="axes", keep=True, zeros=False, **attrs):
    """Over axes or one axis; timed along the last dimension, the first, and over everything."""

    def small(d):
        x = d.real(d.shape(1, 4), low, high)
        if zeros:
            x = x * d.bools(x.shape)
        axes = d.some(range(x.dim()))
        at = {by: axes if by == "axes" else d.choice(range(x.dim()))}
        return [x], at | ({"keep": d.flag()} if keep else {}) | {k: v(d) if callable(v) else v for k, v in attrs.items()}

    def large(which):
        def make(d, n):
            shape = rows(n)
            axes = {"rows": 1, "columns": 0, "all": [0, 1]}[which]
            at = {by: axes if by == "axis" or which == "all" else [axes]}
            return [d.real(shape, low, high)], at | ({"keep": False} if keep else {}) | {
                k: v(d) if callable(v) else v for k, v in attrs.items()}
        return make

    return small, {which: large(which) for which in ("rows", "columns", "all")[:3 if by == "axes" else 2]}


def along(low=-2.0, high=2.0, extent=6, width=1024, both=False, **attrs):
    """Along one axis of x, which the field `axis` names."""
    at = lambda d: {k: v(d) if callable(v) else v for k, v in attrs.items()}

    def small(d):
        shape = d.shape(1, 4, extent)
        return [d.real(shape, low, high)], {"axis": d.int(0, len(shape) - 1)} | at(d)

    last = lambda d, n: ([d.real(rows(n, width), low, high)], {"axis": 1} | at(d))
    first = lambda d, n: ([d.real(rows(n, width), low, high)], {"axis": 0} | at(d))
    return small, {"rows": last, "columns": first} if both else last


def images(d, rank=None, channels=4, extent=8, batch=3):
    """x [N, C, L...] of 1 to 3 spatial dimensions."""
    rank = rank or d.choice([1, 2, 2, 2, 3])
    if rank == 3:
        extent = min(extent, 5)
    return d.real([d.int(1, batch), d.int(1, channels)] + [d.int(3, extent) for _ in range(rank)])


def pictures(d, n, channels=16, side=32):
    """A batch of images of n elements in all."""
    return d.real([max(n // (channels * side * side), 1), channels, side, side])
