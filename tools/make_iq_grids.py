#!/usr/bin/env python3
"""Writes suiren/quant/iq_points.h: the codebooks of GGUF's iq2_xxs, iq2_xs and iq3_xxs, as PyPI gguf (0.19.0) has them.

    python tools/make_iq_grids.py [OUTPUT]

Then tools/check --fix formats it. A point is written as one number: element i is bits 2 i, 2 i + 1 (iq2) or 3 i .. 3 i + 2 (iq3), an index into the levels.
"""
import sys

from gguf import quants

with open(sys.argv[1] if len(sys.argv) > 1 else "suiren/quant/iq_points.h", "w", newline="\n") as out:
    out.write("#pragma once\n// Written by tools/make_iq_grids.py; do not edit. Points of the codebooks: an index into the levels for each element.\n\n"
              "#include <array>\n#include <cstdint>\n\nnamespace suiren::quant {\n\n")
    for name, bits in (("IQ2_XXS", 2), ("IQ2_XS", 2), ("IQ3_XXS", 3)):
        kind = getattr(quants, name)
        kind.init_grid()
        points, size = kind.grid_shape
        levels = [int(v) for v in kind.grid_map]
        codes = [sum(levels.index(int(v)) << bits * i for i, v in enumerate(point)) for point in kind.grid.reshape(points, size)]
        name = name.lower().replace("_", " ").title().replace(" ", "")
        out.write(f"inline constexpr std::array<uint8_t, {len(levels)}> k{name}Levels = {{{', '.join(map(str, levels))}}};\n")
        out.write(f"inline constexpr std::array<uint16_t, {points}> k{name}Points = {{\n")
        for i in range(0, points, 18):
            out.write("    " + ", ".join(map(str, codes[i:i + 18])) + ",\n")
        out.write("};\n")
    out.write("\n}  // namespace suiren::quant\n")
