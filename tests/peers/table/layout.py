"""Views, copies in another order, tensors made from nothing."""
import math

import torch
import torch.nn.functional as F

from op_cases import pictures, rows
from op_process import DTYPES
from table.row import NO, moved

aten = torch.ops.aten


def with_shape(change):
    def small(d):
        shape = d.shape(1, 4)
        return [d.real(shape)], change(d, shape)
    return small


def regrouped(d, shape):
    left, result = math.prod(shape), []
    while left > 1 and d.flag():
        part = d.choice([k for k in range(1, left + 1) if left % k == 0])
        result.append(part)
        left //= part
    return {"shape": result + [left]}


def wider(d):
    full = d.shape(1, 4)
    own = [1 if d.flag() else n for n in full]
    return [d.real(own[d.int(0, len(own)):] or [1])], {"shape": full}


def piece(d, shape):
    axis = d.int(0, len(shape) - 1)
    begin, step = d.int(0, shape[axis] - 1), d.int(1, 3)
    return {"axis": axis, "begin": begin, "count": d.int(1, (shape[axis] - begin - 1) // step + 1), "step": step}


def sliced(x, axis, begin, count, step):
    return x.movedim(axis, 0)[begin:begin + (count - 1) * step + 1:step].movedim(0, axis)


def slice_gradient(d):
    shape = d.shape(1, 4)
    at = piece(d, shape)
    g = d.real(shape[:at["axis"]] + [at.pop("count")] + shape[at["axis"] + 1:])
    return [g], {"shape": shape} | at


def back_to_slice(g, shape, axis, begin, step):
    return aten.slice_backward(g, shape, axis, begin, begin + (g.shape[axis] - 1) * step + 1, step)


def matrix_axes(d):
    shape = d.shape(2, 4)
    row, column = d.rng.sample(range(len(shape)), 2)
    offset = d.int(-shape[row] + 1, shape[column] - 1)
    return shape, {"offset": offset, "row": row, "column": column}


def diagonals(d):
    shape, at = matrix_axes(d)
    return [d.real(shape)], at


def diagonal_gradient(d):
    shape, at = matrix_axes(d)
    like = torch.empty(shape).diagonal(at["offset"], at["row"], at["column"])
    return [d.real(list(like.shape))], {"shape": shape} | at


def windows(d, shape):
    axis = d.int(0, len(shape) - 1)
    return {"axis": axis, "size": d.int(1, shape[axis]), "step": d.int(1, 3)}


def pieces(d):
    shape = d.shape(1, 4)
    axis = d.int(0, len(shape) - 1)
    parts = [d.real(shape[:axis] + [d.int(0 if i else 1, 4)] + shape[axis + 1:]) for i in range(d.int(1, 5))]
    return parts, {"axis": axis}


VIEW = None  # launches nothing: there is nothing to time
moved("reshape", lambda x, shape: x.reshape(shape), (with_shape(regrouped), VIEW))
moved("permute", lambda x, order: x.permute(order), (with_shape(lambda d, s: {"order": d.order(len(s)).tolist()}), VIEW))
moved("slice", sliced, (with_shape(piece), VIEW))
moved("broadcast_to", lambda x, shape: x.broadcast_to(shape), (wider, VIEW))
moved("diagonal", lambda x, offset, row, column: torch.diagonal(x, offset, row, column), (diagonals, VIEW))
moved("unfold", lambda x, axis, size, step: x.unfold(axis, size, step), (with_shape(windows), VIEW))
moved("slice_backward", back_to_slice,
      (slice_gradient, lambda d, n: ([d.real(rows(n))], {"shape": [rows(n)[0], 2048], "axis": 1, "begin": 512, "step": 1})))
moved("diagonal_backward", lambda g, shape, offset, row, column: aten.diagonal_backward(g, shape, offset, row, column),
      (diagonal_gradient, lambda d, n: ([d.real([max(n // 64, 1), 8])], {"shape": [max(n // 64, 1), 8, 8], "offset": 0, "row": 1, "column": 2})))
moved("concat", lambda *x, axis: torch.cat(x, axis), (pieces, lambda d, n: ([d.real(rows(n // 2)) for _ in range(2)], {"axis": 1})))
moved("flip", lambda x, axes: x.flip(axes),
      (with_shape(lambda d, s: {"axes": d.some(range(len(s)))}), lambda d, n: ([d.real(rows(n))], {"axes": [1]})))
moved("roll", lambda x, shift, axis: x.roll(shift, axis),
      (with_shape(lambda d, s: {"shift": d.int(-9, 9), "axis": d.int(0, len(s) - 1)}), lambda d, n: ([d.real(rows(n))], {"shift": 77, "axis": 1})))
moved("tile", lambda x, repeats: x.tile(repeats),
      (with_shape(lambda d, s: {"repeats": [d.int(1, 3) for _ in s]}), lambda d, n: ([d.real(rows(n // 4))], {"repeats": [2, 2]})))
moved("repeat_interleave", lambda x, repeats, axis: x.repeat_interleave(repeats, axis),
      (with_shape(lambda d, s: {"repeats": d.int(1, 4), "axis": d.int(0, len(s) - 1)}), lambda d, n: ([d.real(rows(n // 2))], {"repeats": 2, "axis": 0})))
MODES = ["constant", "reflect", "replicate", "circular"]


def padded(d):
    mode = d.int(0, 3)
    dims = d.int(1, 3)
    x = d.real([d.int(1, 3), d.int(1, 3)] + [d.int(2, 6) for _ in range(dims)])
    sides = [[d.int(0, 1 if mode else 3) for _ in range(dims)] for _ in range(2)]
    return [x], {"before": sides[0], "after": sides[1], "mode": mode, "value": 0.0 if mode else d.float(-2, 2)}


def pad(x, before, after, mode, value):
    sides = [n for pair in reversed(list(zip(before, after))) for n in pair]
    return F.pad(x, sides, MODES[mode], value if mode == 0 else None)


def large_padded(mode):
    return lambda d, n: ([pictures(d, n)], {"before": [1, 2], "after": [2, 1], "mode": mode, "value": 0.0})


moved("pad", pad, (padded, {MODES[mode]: large_padded(mode) for mode in range(4)}))
for name in "tril", "triu":
    moved(name, lambda x, diagonal, f=getattr(torch, name): f(x, diagonal),
          (lambda d: ([d.real(d.shape(2, 4))], {"diagonal": d.int(-4, 4)}), lambda d, n: ([d.real(rows(n))], {"diagonal": 0})))
making = lambda d: {"dtype": d.choice(["f32", "f64", "i64"])}
moved("full", lambda shape, value, dtype: torch.full(shape, value, dtype=DTYPES[dtype]),
      (lambda d: ([], {"shape": d.shape(), "value": d.float(-5, 5)} | making(d)), lambda d, n: ([], {"shape": [n], "value": 0.5, "dtype": "f32"})), **NO)
moved("arange", lambda begin, step, count, dtype: torch.arange(begin, begin + step * (count - 0.5), step, dtype=DTYPES[dtype]),
      (lambda d: ([], {"begin": float(d.int(-9, 9)), "step": float(d.choice([-3, -1, 1, 2])), "count": d.int(1, 40)} | making(d)),
       lambda d, n: ([], {"begin": 0.0, "step": 1.0, "count": n, "dtype": "f32"})), **NO)
