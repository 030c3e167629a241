#!/usr/bin/env python3
"""Draws how the time of a training step grows: with the model, the length, the batch, and the threads.

    suiren bench scaling --json --threads 2 > two.json
    suiren bench scaling --json --threads 1 > one.json
    python bench/plot_scaling.py two.json one.json docs/images/scaling.png

Time a token, beside the line of equal time for equal operations (linear growth in parameters, tokens and pairs that
attend). Prints the same as a table. Needs matplotlib.
"""
import json
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def figures(path):
    """(millions of parameters, sequences, length) -> (seconds a step, share of the roof)."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    found = {}
    for f in report["figures"]:
        m = re.fullmatch(r"scaling ([\d.]+) M (\d+)x(\d+)( bf16)?", f["name"])
        if m:
            size, sequences, length = float(m[1]), int(m[2]), int(m[3])
            found[size, sequences, length] = sequences * length / f["value"], f["share"]
    return report, found


def axis(found, which):
    """Rows (x, seconds, share) of one axis of the figure."""
    sizes = [k[0] for k in found]
    medium = max(set(sizes), key=sizes.count)  # the model whose length and batch vary
    chosen = {"size": lambda k: k[1:] == (2, 512),
              "length": lambda k: k[0] == medium and k[1] == 2,
              "sequences": lambda k: k[0] == medium and k[2] == 256}[which]
    place = ("size", "sequences", "length").index(which)
    return sorted((k[place], *v) for k, v in found.items() if chosen(k))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    *paths, picture = sys.argv[1:]
    titles = {"size": "parameters, millions (2 x 512 tokens)", "length": "tokens a sequence (2 sequences)",
              "sequences": "sequences of 256 tokens"}
    chart, panels = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for path in paths:
        report, found = figures(path)
        label = f"{report['threads']} thread{'s' if report['threads'] > 1 else ''}"
        for panel, (which, title) in zip(panels, titles.items()):
            rows = axis(found, which)
            if not rows:
                sys.exit(f"{path}: no figures of {which}; run suiren bench scaling --json")
            x, seconds, share = zip(*rows)
            line, = panel.loglog(x, seconds, "o-", label=label)
            panel.loglog(x, [seconds[0] * v / x[0] for v in x], ":", color=line.get_color(), linewidth=1)
            panel.set_xlabel(title)
            for v, s, r in rows:
                print(f"{label:10} {which:10} {v:>8g} {1e3 * s:10.1f} ms {100 * r:5.1f}% of the peak")
    panels[0].set_ylabel("seconds a step")
    panels[0].legend(title=f"{report['cpu']}, {report['isa']}\ndotted: linear")
    for panel in panels:
        panel.grid(True, which="both", alpha=0.25)
    chart.savefig(picture, dpi=110)


main()
