#!/usr/bin/env python3
"""Every op beside PyTorch eager: three sizes over 1 MB, f32, forward and forward + backward, A/B/A/B.

    python bench/ops.py --runner build/release/peer_op_runner [--op softmax] [--name DATE-CPU] [--seconds 0.1] [--pairs 2]

Both sides run on the same number of threads, in turns; a figure is the fastest of all rounds of at least 0.2 ms, which other
work on the machine disturbs least. What is timed and what torch calls it stands in tests/peers/table. A torch optimizer is its fused form,
attention is scaled_dot_product_attention, lstm and gru are its layers. Prints a table and what falls short of the goals
(memory-bound ops at most 1.2 times torch's time, others at most 3 times, half of all faster); with --name also writes
bench/results/NAME-ops.json. Needs PyPI torch and numpy.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

ap = argparse.ArgumentParser()
ap.add_argument("--runner", default="build/release/peer_op_runner")
ap.add_argument("--op", nargs="*", help="these only")
ap.add_argument("--sizes", type=int, nargs="*", default=[1 << 19, 1 << 21, 1 << 23], help="elements")
ap.add_argument("--seconds", type=float, default=0.1, help="a turn")
ap.add_argument("--pairs", type=int, default=2)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--forward", action="store_true", help="without backward")
ap.add_argument("--name", help="of the file of results")
args = ap.parse_args()
# The threads of both sides stay each on its core (ours: op_runner.cpp). Left to the scheduler, two of them at times share
# one, and their side looks several times as slow as it is. Torch puts this thread, too, on a single core, which a program
# that is started from here would inherit: hence CORES.
CORES = os.sched_getaffinity(0)
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ["OMP_PROC_BIND"] = "close"
import torch  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/peers"))
from op_cases import Draw  # noqa: E402
from op_process import Refused, Suiren  # noqa: E402
from table import TABLE  # noqa: E402

torch.set_num_threads(args.threads)
LIMIT = {True: 1.2, False: 3.0}  # by Row.memory


def seconds_of(calls, f):
    start = time.perf_counter()
    for _ in range(calls):
        f()
    return (time.perf_counter() - start) / calls


def torch_microseconds(call):
    """As the runner counts."""
    calls = min(max(int(2e-4 / min(seconds_of(1, call), seconds_of(1, call))), 1), 1000)
    rounds, begin = [], time.perf_counter()
    while len(rounds) < 3 or time.perf_counter() - begin < args.seconds:
        rounds.append(seconds_of(calls, call))
    return min(rounds) * 1e6


def listed(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


class Timed:
    """One call on both sides: its inputs are made once."""

    def __init__(self, suiren, row, draw, n):
        self.suiren, self.row = suiren, row
        self.f = row.peer or row.torch
        inputs, self.attrs = draw(Draw(n), n)
        self.inputs = [t.float() if t.is_floating_point() else t for t in inputs]
        wants = [row.gradient and t.is_floating_point() and i not in row.constant for i, t in enumerate(self.inputs)]
        self.leaves = [t.detach().requires_grad_(w) for t, w in zip(self.inputs, wants)]
        outputs = listed(self.f(*self.leaves, **self.attrs)) if row.gradient else []
        self.live = [i for i, t in enumerate(outputs) if t.requires_grad]
        self.g = [torch.randn(outputs[i].shape, dtype=outputs[i].dtype) for i in self.live]
        self.wanted = [t for t in self.leaves if t.requires_grad]
        g = [self.g[self.live.index(i)] if i in self.live else None for i in range(len(outputs))]
        try:
            suiren.run(row.op, self.attrs, self.inputs, wants if self.live else [False] * len(wants), g)
        except Refused:  # the peer's result has another shape or dtype: forward alone
            self.live = []
            suiren.run(row.op, self.attrs, self.inputs, [False] * len(wants), [])

    def forward(self):
        with torch.no_grad():
            self.f(*self.inputs, **self.attrs)

    def backward(self):
        outputs = listed(self.f(*self.leaves, **self.attrs))
        torch.autograd.grad([outputs[i] for i in self.live], self.wanted, self.g, allow_unused=True)

    def figures(self):
        for backward in (False, True)[:2 if self.live and not args.forward else 1]:
            call = self.backward if backward else self.forward
            turns = [(self.suiren.microseconds(args.seconds, backward), torch_microseconds(call)) for _ in range(args.pairs)]
            yield backward, min(t[0] for t in turns), min(t[1] for t in turns)


def measure():
    suiren = Suiren(args.runner, args.threads, CORES)
    names = suiren.ask({"ops": True})["ops"]
    calls = [(op, variant) for op, row in TABLE.items() for variant in row.large
             if op in names and (not args.op or op in args.op)]
    for n in args.sizes:
        for op, variant in calls:
            row = TABLE[op]
            try:
                for backward, ours, theirs in Timed(suiren, row, row.large[variant], n).figures():
                    yield dict(op=op, variant=variant, backward=backward, elements=n, suiren_us=round(ours, 1),
                               torch_us=round(theirs, 1), ratio=round(ours / theirs, 3))
            except (Refused, RuntimeError) as e:
                print(f"{op} {variant} {n}: {e}", file=sys.stderr)
    suiren.close()


def label(r):
    return " ".join(filter(None, [r["op"], r["variant"], "+backward" if r["backward"] else ""]))


def summary(results):
    """Counted by call (op, variant, direction): the median of its ratios over the sizes."""
    by_call = {}
    for r in results:
        by_call.setdefault((label(r), TABLE[r["op"]].memory), []).append(r["ratio"])
    ratios = {call: statistics.median(of) for call, of in by_call.items()}
    late = {call: ratio for call, ratio in ratios.items() if ratio > LIMIT[call[1]]}
    counts = lambda memory: [sum(m == memory for _, m in ratios), sum(m == memory for _, m in late)]
    (bound, bound_late), (other, other_late) = counts(True), counts(False)
    faster = sum(ratio < 1 for ratio in ratios.values())
    for (name, memory), ratio in sorted(late.items(), key=lambda x: -x[1] / LIMIT[x[0][1]]):
        print(f"short of the goal: {name}: {ratio:.2f} ({'memory-bound, ' if memory else ''}goal {LIMIT[memory]})")
    return dict(calls=len(ratios), memory_bound=bound, memory_bound_within=bound - bound_late, others=other,
                others_within=other - other_late, faster=faster, share_faster=round(faster / max(len(ratios), 1), 3))


def main():
    load, results = os.getloadavg()[0], []
    print(f"{'op':<44}{'elements':>10}{'suiren us':>13}{'torch us':>13}{'ratio':>8}")
    try:
        for r in measure():
            results.append(r)
            print(f"{label(r):<44}{r['elements']:>10}{r['suiren_us']:>13.1f}{r['torch_us']:>13.1f}{r['ratio']:>8.2f}"
                  + (" *" if r["ratio"] > LIMIT[TABLE[r["op"]].memory] else ""), flush=True)
    except KeyboardInterrupt:
        print("interrupted: what follows is of the calls so far")
    counts = summary(results)
    print(json.dumps(counts))
    if args.name:
        cpu = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
        head = dict(cpu=cpu, threads=args.threads, torch=torch.__version__, dtype="f32", load_before=round(load, 2),
                    load_after=round(os.getloadavg()[0], 2), **counts)
        lines = ",\n".join(json.dumps(r) for r in results)
        text = json.dumps(head)[:-1] + f', "results": [\n{lines}\n]}}\n'
        (ROOT / f"bench/results/{args.name}-ops.json").write_text(text)


main()
