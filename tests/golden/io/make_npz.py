#!/usr/bin/env python3
"""Writes stored.npz and deflated.npz with NumPy, for tests/io/arrays_test.cpp:  python3 tests/golden/io/make_npz.py"""
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
i, j, k = np.indices((2, 3, 4))
arrays = dict(a=((100 * i + 10 * j + k) / 8).astype(np.float32), days=np.array([-3, 0, 1 << 40]),
              mask=np.array([True, False, True]), scalar=np.array(2.5))
np.savez(here / "stored.npz", **arrays)
np.savez_compressed(here / "deflated.npz", **arrays)
