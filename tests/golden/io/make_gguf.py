#!/usr/bin/env python3
"""Writes small.gguf and split-0000N-of-00002.gguf with PyPI gguf (0.19.0), for tests/io/gguf_test.cpp and the fuzzer's seeds.

    python tests/golden/io/make_gguf.py
"""
import pathlib

import gguf
import numpy as np

here = pathlib.Path(__file__).parent
NUMBERS = [("u8", gguf.GGUFWriter.add_uint8, 200), ("i8", gguf.GGUFWriter.add_int8, -100), ("u16", gguf.GGUFWriter.add_uint16, 60000),
           ("i16", gguf.GGUFWriter.add_int16, -30000), ("u32", gguf.GGUFWriter.add_uint32, 4000000000), ("i32", gguf.GGUFWriter.add_int32, -2000000000),
           ("u64", gguf.GGUFWriter.add_uint64, 1 << 62), ("i64", gguf.GGUFWriter.add_int64, -(1 << 62)), ("f32", gguf.GGUFWriter.add_float32, 0.5),
           ("f64", gguf.GGUFWriter.add_float64, 0.1), ("bool", gguf.GGUFWriter.add_bool, True)]


def write(path, tensors, alignment=None, **split):
    writer = gguf.GGUFWriter(path, "llama", **split)
    if alignment:
        writer.add_custom_alignment(alignment)
    for name, add, value in NUMBERS:
        add(writer, "test." + name, value)
    writer.add_string("test.string", "燧人 \"fire\"\n")
    writer.add_array("test.strings", ["", "a", "睡"])
    writer.add_array("test.integers", [1, -2, 3])
    writer.add_array("test.numbers", [0.5, -1.25])
    writer.add_array("test.flags", [True, False])
    writer.add_array("test.nested", [[1, 2], [3]])
    for name, array, kind in tensors:
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    matrix = (np.arange(64, dtype=np.float32).reshape(2, 32) - 20) / 8
    q4_0 = gguf.quants.quantize(matrix, gguf.GGMLQuantizationType.Q4_0)
    write(here / "small.gguf", [("matrix", matrix, None), ("half", matrix[0].astype(np.float16), None),
                                ("blocks", q4_0, gguf.GGMLQuantizationType.Q4_0), ("cube", np.arange(24, dtype=np.int32).reshape(2, 3, 4), None)], 64)
    write(here / "split.gguf", [(f"t{i}", np.full(3, i, np.float32), None) for i in range(3)], split_max_tensors=2)


main()
