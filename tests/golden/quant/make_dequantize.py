#!/usr/bin/env python3
"""Writes dequantize.npz for tests/quant/dequantize_test.cpp: blocks of random bytes, some with the scales that matter (zeros,
subnormals, the largest, infinity, NaN), and their values by PyPI gguf (0.19.0); 8-bit floats by PyTorch.

    python tests/golden/quant/make_dequantize.py
"""
import pathlib

import gguf
import numpy as np
import torch

here = pathlib.Path(__file__).parent
HALVES = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0x7D01, 0xFFFF, 0x3C00], np.uint16)
# Where the f16 scales of a block stand.
SCALES = dict(F16=[0], Q8_0=[0], Q4_0=[0], Q4_1=[0, 2], Q5_0=[0], Q5_1=[0, 2], Q2_K=[80, 82], Q3_K=[108], Q4_K=[0, 2], Q5_K=[0, 2], Q6_K=[208],
              IQ4_NL=[0], IQ4_XS=[0], IQ2_XXS=[0], IQ2_XS=[0], IQ3_XXS=[0], MXFP4=[], F32=[], BF16=[])


def blocks(name, random):
    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    count = 8 if elements == 256 else 24 if elements == 32 else 96
    rows = random.integers(0, 256, (count, size), np.uint8)
    for n, at in enumerate(SCALES[name]):
        picked = range(n, count, 2)  # every second: the others stay random; minimum and scale in turn
        for i, row in enumerate(picked):
            if elements == 256:  # few blocks: the extremes, then ordinary sizes
                value = HALVES[[1, 3, 6, 7, 10][(i + n) % 5]]
            else:
                value = HALVES[i % len(HALVES)]
            rows[row, at:at + 2] = np.frombuffer(value.tobytes(), np.uint8)
    if name == "MXFP4":
        rows[:7, 0] = [0, 1, 2, 3, 127, 254, 255]
    return rows


def main():
    random, arrays = np.random.default_rng(7), {}
    for name in SCALES:
        kind = gguf.GGMLQuantizationType[name]
        rows = blocks(name, random)
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(rows.reshape(1, -1), kind)
        arrays[f"{name.lower()}.bytes"], arrays[f"{name.lower()}.values"] = rows.reshape(-1), values.reshape(-1)
    for name, kind in (("f8_e4m3", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        codes = torch.arange(256, dtype=torch.uint8)
        arrays[f"{name}.bytes"], arrays[f"{name}.values"] = codes.numpy(), codes.view(kind).float().numpy()
    np.savez_compressed(here / "dequantize.npz", **arrays)


main()
