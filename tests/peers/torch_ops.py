#!/usr/bin/env python3
"""Every op that PyTorch has too: values and gradients in f64 and f32, random shapes, layouts and attributes.

    python tests/peers/torch_ops.py --runner build/release/peer_op_runner [--cases 8] [--seed 1] [--op matmul]

Draws `cases` cases an op and dtype (table/ says how), lays each input out in its own way (row-major, from an odd
element on, transposed, sliced, broadcast), and compares outputs and gradients element by element. Prints a line an op
and every difference; one that tests/peers/table explains, or where torch's f32 is farther from its own f64 than ours, is
counted as explained. Exits 1 on a difference that is not, and when an op has neither a line nor a reason for none.
Needs PyPI torch and numpy.
"""
import argparse
import collections
import json
import math
import subprocess
import sys
import zlib

import torch

from op_cases import Draw
from op_process import DTYPES, Refused, Suiren
from table import TABLE, reason_without

ap = argparse.ArgumentParser()
ap.add_argument("--runner", default="build/release/peer_op_runner")
ap.add_argument("--cases", type=int, default=8, help="of each op and dtype")
ap.add_argument("--seed", type=int, default=1)
ap.add_argument("--op", help="this one only")
args = ap.parse_args()
torch.set_num_threads(1)

# |ours - torch| <= relative |torch| + absolute sqrt(terms summed into one element).
TOLERANCE = {torch.float64: (2e-12, 5e-13), torch.float32: (2e-6, 1e-6)}


def lay_out(d, t, repeat):
    """The values of t in another place of memory; what lies between is NaN. Some layouts repeat values."""
    kind = d.choice(["row-major", "shifted", "transposed", "sliced", "broadcast"])
    filler = math.nan if t.is_floating_point() else 0

    def room(*shape):
        return torch.full(shape, filler, dtype=t.dtype)

    if kind == "shifted" or (kind != "row-major" and t.dim() == 0):
        place = room(t.numel() + 3)[3:].view(t.shape)
    elif kind == "transposed":
        order = d.order(t.dim()).tolist()
        place = room(*[t.shape[k] for k in order]).permute([order.index(k) for k in range(t.dim())])
    elif kind == "sliced":
        place = room(*[2 * n + 1 for n in t.shape])[tuple(slice(1, None, 2) for _ in t.shape)]
    elif kind == "broadcast" and repeat and t.is_floating_point() and t.numel():
        axis = d.int(0, t.dim() - 1)
        return t.narrow(axis, 0, 1).clone().expand(t.shape)
    else:
        place = room(*t.shape)
    return place.copy_(t)


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def torch_side(row, inputs, wants, attrs, g):
    """Outputs and gradients; the gradients g of the outputs are drawn by their shapes when they are not given."""
    leaves = [t.detach().requires_grad_(w) for t, w in zip(inputs, wants)]
    outputs = listed(row.torch(*leaves, **attrs))
    if not any(wants):
        return outputs, [], [None] * len(outputs)
    g = g([t if t.requires_grad else None for t in outputs])
    live = [(t, x) for t, x in zip(outputs, g) if x is not None]
    wanted = [t for t in leaves if t.requires_grad]
    grads = torch.autograd.grad([t for t, _ in live], wanted, [x for _, x in live], allow_unused=True)
    return outputs, [torch.zeros_like(t) if x is None else x for x, t in zip(grads, wanted)], g


def worst_difference(ours, theirs, terms, loosen):
    """(largest share of the tolerance, its element), infinite for another dtype or shape."""
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return math.inf, f"{ours.dtype} {list(ours.shape)}, torch {theirs.dtype} {list(theirs.shape)}"
    if not ours.numel():
        return 0.0, ""
    if not theirs.is_floating_point():
        at = (ours != theirs).reshape(-1).float()
        share = at * math.inf if at.any() else at
    else:
        relative, absolute = TOLERANCE[theirs.dtype]
        same = (ours == theirs) | (ours.isnan() & theirs.isnan())
        allowed = loosen * (relative * theirs.abs() + absolute * math.sqrt(terms))
        share = torch.where(same, 0.0, ((ours - theirs).abs() / allowed).nan_to_num(math.inf)).reshape(-1)
    share = share.nan_to_num(0.0, posinf=math.inf)
    at = int(share.argmax())
    return float(share[at]), f"element {at}: {ours.reshape(-1)[at].item()!r}, torch {theirs.reshape(-1)[at].item()!r}"


class Count:
    def __init__(self):
        self.cases = self.values = self.grads = self.explained = self.wrong = 0
        self.worst = {torch.float64: 0.0, torch.float32: 0.0}


counts, notes, explained = collections.defaultdict(Count), [], collections.defaultdict(list)


def explain(row, why, share):
    counts[row.op].explained += 1
    explained[row.op, why].append(share)


def judge(row, dtype, what, ours, theirs, exact, terms):
    """Compares one tensor; `exact()` is torch's result in f64."""
    count = counts[row.op]
    share, where = worst_difference(ours, theirs, terms, row.loosen)
    if share <= 1:
        count.worst[dtype] = max(count.worst[dtype], share)
        return
    if dtype == torch.float32 and theirs.is_floating_point() and ours.shape == theirs.shape and ours.dtype == theirs.dtype:
        truth = exact().double()
        our_error, their_error = ((t.double() - truth).abs().max().item() for t in (ours, theirs))
        if our_error <= their_error:
            return explain(row, "torch's f32 result is farther from its f64 result than ours", share)
    if row.why and share <= row.up_to:
        return explain(row, row.why, share)
    count.wrong += 1
    notes.append(f"DIFFERENT: {what}: {where}; {share:.3g} of the tolerance")


def run_case(suiren, row, dtype, d):
    inputs, attrs = row.small(d)
    inputs = [lay_out(d, t.to(dtype) if t.is_floating_point() else t, not row.distinct) for t in inputs]
    wants = [row.gradient and t.is_floating_point() and i not in row.constant for i, t in enumerate(inputs)]
    if row.gradient and not listed(row.torch(*[t.detach().requires_grad_(w) for t, w in zip(inputs, wants)], **attrs))[0].requires_grad:
        wants = [False] * len(inputs)
    draw_g = lambda outputs: [t if t is None else d.real(t.shape).to(t.dtype) for t in outputs]
    theirs, their_grads, g = torch_side(row, inputs, wants, attrs, draw_g)
    what = f"{row.op} {json.dumps(attrs)} " + ", ".join(f"{str(t.dtype)[6:]} {list(t.shape)}:{list(t.stride())}" for t in inputs)
    count = counts[row.op]
    count.cases += 1
    try:
        ours, our_grads = suiren.run(row.op, attrs, inputs, wants, g)
    except Refused as e:
        count.wrong += 1
        notes.append(f"DIFFERENT: {what}: refused: {e}")
        return

    exact = {}

    def in_f64(which, i):
        if not exact:
            wide = [t.double() if t.is_floating_point() else t for t in inputs]
            exact["outputs"], exact["grads"], _ = torch_side(
                row, wide, wants, attrs, lambda outputs: [x if x is None else x.to(t.dtype) for x, t in zip(g, outputs)])
        return exact[which][i]

    if len(ours) != len(theirs):
        count.wrong += 1
        notes.append(f"DIFFERENT: {what}: {len(ours)} outputs, torch {len(theirs)}")
        return
    elements = max([t.numel() for t in inputs] + [t.numel() for t in theirs])
    terms = lambda t: max(1, elements / max(1, t.numel()))
    for i, (a, b) in enumerate(zip(ours, theirs)):
        count.values += 1
        judge(row, dtype, f"{what}: output {i}", a, b.detach(), lambda: in_f64("outputs", i).detach(), terms(a))
    for i, (a, b) in enumerate(zip(our_grads, their_grads)):
        count.grads += 1
        judge(row, dtype, f"{what}: gradient {i}", a, b, lambda: in_f64("grads", i), terms(a))


def main():
    suiren = Suiren(args.runner)
    names = suiren.ask({"ops": True})["ops"]
    missing = [n for n in names if n not in TABLE and not reason_without(n)]
    ahead = [n for n in TABLE if n not in names]
    for name, row in TABLE.items():
        if name not in names or args.op not in (None, name):
            continue
        for dtype in (DTYPES[x] for x in row.dtypes):
            for k in range(args.cases):
                run_case(suiren, row, dtype, Draw(zlib.crc32(f"{args.seed} {name} {dtype} {k}".encode())))
    suiren.close()
    report(names, missing, ahead)


def report(names, missing, ahead):
    print(f"{'op':<24}{'cases':>6}{'values':>8}{'grads':>7}{'f64':>9}{'f32':>9}  explained  different    (f64, f32: largest share of the tolerance)")
    for name, c in sorted(counts.items()):
        print(f"{name:<24}{c.cases:>6}{c.values:>8}{c.grads:>7}{c.worst[torch.float64]:>9.2g}{c.worst[torch.float32]:>9.2g}{c.explained:>11}{c.wrong:>11}")
    for (name, why), shares in sorted(explained.items()):
        print(f"explained: {name}, {len(shares)} times, up to {max(shares):.2g} of the tolerance: {why}")
    print(*notes, sep="\n")
    if not args.op:
        for name in names:
            if name not in TABLE and reason_without(name):
                print(f"no counterpart: {name}: {reason_without(name)}")
        for name in missing:
            print(f"MISSING: {name} has no line in tests/peers/table and no reason for none")
        for name in ahead:
            print(f"MISSING: tests/peers/table has {name}, suiren has not")
    total = lambda what: sum(getattr(c, what) for c in counts.values())
    print(f"{len(counts)} ops, {total('cases')} cases: {total('values')} outputs and {total('grads')} gradients compared with torch "
          f"{torch.__version__}; {total('explained')} differences explained, {total('wrong')} not")
    sys.exit(1 if total("wrong") or not args.op and (missing or ahead) else 0)


main()
