#!/usr/bin/env python3
"""Writes quantize.npz for tests/quant/quantize_test.cpp: six rows of 512 numbers, weights for their columns, and the bytes that PyPI
gguf (0.19.0) makes of the rows, for the formats that it can write.

    python tests/golden/quant/make_quantize.py
"""
import pathlib

import gguf
import numpy as np

random, n = np.random.default_rng(11), 512
rows = [random.normal(0, 0.02, n), random.standard_t(3, n), random.uniform(-1, 1, n), random.uniform(0.5, 1, n), np.round(random.normal(0, 3, n)),
        random.normal(0, 1, n) * (random.uniform(0, 1, n) < 0.05)]
values = np.stack(rows).astype(np.float32)
arrays = {"values": values, "weights": np.exp(random.normal(0, 1.5, n)).astype(np.float32)}
for name in ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "MXFP4"):
    arrays[name.lower() + ".bytes"] = gguf.quants.quantize(values, gguf.GGMLQuantizationType[name]).view(np.uint8).reshape(-1)
np.savez_compressed(pathlib.Path(__file__).parent / "quantize.npz", **arrays)
