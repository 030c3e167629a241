#!/usr/bin/env python3
"""Golden cases of ops from PyTorch in f64: values, gradients and second derivatives.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python tests/golden/ops/golden.py conv pool      rooms of suiren/ops; all of them without arguments

A room's cases are the function cases() in suiren/ops/ROOM/golden.py; this writes golden.json beside it. A case is
{op, attrs, inputs, outputs}, attrs by the names of the op's fields and, where the op has a gradient,
  g             one gradient for each output (null: an output that has none)
  input_grads   d(sum of outputs * g) / d(input)   (null: an input that has none)
  w             a weight for each input gradient
  second        d(sum of input_grads * w) / d(input)
A tensor is [dtype, shape, row-major values]; floats are written so that they read back bit for bit, and of a block
format the bytes. Ops that
write into inputs give those inputs, in order, as outputs. tests/ops/golden_test.cpp reads the files.
"""

import importlib.util
import json
import pathlib
import sys

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.int8: "i8",
         torch.uint8: "u8", torch.bool: "bool"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}
cases = []


class Blocks(torch.Tensor):
    """The numbers that the bytes of a tensor in a block format stand for."""


def blocks(name, data, values):
    t = values.as_subclass(Blocks)
    t.stored = [name, list(values.shape), data.reshape(-1).tolist()]
    return t


def packed(t):
    if t is None:
        return None
    if hasattr(t, "stored"):
        return t.stored
    if t.is_floating_point():
        values = (t.detach() + torch.zeros_like(t, memory_format=torch.contiguous_format)).reshape(-1).tolist()
    else:
        values = [int(x) for x in t.reshape(-1).tolist()]
    return [NAMES[t.dtype], list(t.shape), values]


def draw(*shape, low=-2.0, high=2.0):
    """Values of three decimals, so that the file stays small."""
    return torch.round((low + (high - low) * torch.rand(shape)) * 1000) / 1000


def index(*shape, below):
    return torch.randint(0, below, shape)


def case(op, f, inputs, attrs=None, constant=(), gradient=True):
    """One case of `op`; f(*inputs, **attrs) is its meaning. No gradient flows into the inputs in `constant`."""
    attrs = attrs or {}
    given = [packed(t) for t in inputs]
    inputs = [t.as_subclass(torch.Tensor) for t in inputs]
    leaves = [t.clone().requires_grad_() if gradient and t.is_floating_point() and i not in constant else t.clone()
              for i, t in enumerate(inputs)]
    outputs = f(*leaves, **attrs)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    entry = {"op": op, "attrs": attrs, "inputs": given, "outputs": [packed(t) for t in outputs]}
    wanted = [t for t in leaves if t.requires_grad]
    if gradient:
        g = [draw(*t.shape).to(t.dtype) if t.requires_grad else None for t in outputs]
        live = [(t, gi) for t, gi in zip(outputs, g) if gi is not None]
        grads = grads_of([t for t, _ in live], wanted, [gi for _, gi in live])
        w = [draw(*t.shape) for t in wanted]
        second = grads_of([x for x in grads if x.requires_grad], wanted,
                          [wi for x, wi in zip(grads, w) if x.requires_grad])
        spread = lambda list_: [list_.pop(0) if t.requires_grad else None for t in leaves]
        entry["g"] = [packed(t) for t in g]
        for key, tensors in ("input_grads", grads), ("w", w), ("second", second):
            entry[key] = [packed(t) for t in spread(list(tensors))]
    cases.append(entry)


def grads_of(outputs, inputs, g):
    if not outputs:
        return [torch.zeros_like(t) for t in inputs]
    found = torch.autograd.grad(outputs, inputs, g, create_graph=True, allow_unused=True)
    return [torch.zeros_like(t) if x is None else x for x, t in zip(found, inputs)]


def write(path):
    """All cases so far, and forgets them."""
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path.write_text(f'{{"torch":"{torch.__version__.split("+")[0]}","cases":[\n{lines}\n]}}\n')
    print(f"{path}: {len(cases)} cases of {len({c['op'] for c in cases})} ops, {path.stat().st_size:,} bytes")
    cases.clear()


def main():
    ops = pathlib.Path(__file__).resolve().parents[3] / "suiren/ops"
    rooms = sys.argv[1:] or sorted(p.parent.name for p in ops.glob("*/golden.py"))
    for room in rooms:
        spec = importlib.util.spec_from_file_location(f"golden_{room}", ops / room / "golden.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        torch.manual_seed(20)
        module.cases()
        write(ops / room / "golden.json")


if __name__ == "__main__":
    sys.modules["golden"] = sys.modules["__main__"]  # the rooms import this very module
    main()
