#!/usr/bin/env python3
"""Writes fp8/ and mxfp4/ for tests/models/folder_weights_test.cpp: small model folders that store weights as DeepSeek-V3 and
gpt-oss do, and expected.safetensors, what they stand for: of fp8 by PyTorch, of mxfp4 by transformers.

    python tests/golden/folder_weights/make_folders.py
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

here = pathlib.Path(__file__).parent
TILE = [3, 32]


def write(name, quantization, tensors, expected):
    (here / name).mkdir(exist_ok=True)
    (here / name / "config.json").write_text(json.dumps({"quantization_config": quantization}, indent=1) + "\n")
    save_file(tensors, here / name / "model.safetensors")
    save_file(expected, here / name / "expected.safetensors")


def fp8():
    tensors, expected = {}, {}
    # Tiles that do not divide the matrix, one that is larger; both float types of scales.
    for name, rows, columns, kind in [("a.weight", 7, 50, torch.float32), ("b.weight", 6, 64, torch.bfloat16), ("c.weight", 2, 5, torch.float32)]:
        matrix = torch.randn(rows, columns).mul(100).to(torch.float8_e4m3fn)
        shape = [-(-rows // TILE[0]), -(-columns // TILE[1])]
        scale = torch.rand(shape).mul(0.01).to(kind)
        whole = scale.float().repeat_interleave(TILE[0], 0).repeat_interleave(TILE[1], 1)[:rows, :columns]
        tensors[name], tensors[name + "_scale_inv"] = matrix, scale
        expected[name] = matrix.float() * whole
    tensors["norm.weight"] = torch.randn(9).to(torch.bfloat16)
    expected["norm.weight"] = tensors["norm.weight"].float()
    write("fp8", {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": TILE}, tensors, expected)


def mxfp4():
    tensors, expected = {}, {}
    experts, hidden, inner = 2, 64, 32
    for name, out, width in [("gate_up_proj", 2 * inner, hidden), ("down_proj", hidden, inner)]:
        stem = "model.layers.0.mlp.experts." + name
        blocks = torch.randint(0, 256, (experts, out, width // 32, 16), dtype=torch.uint8)
        scales = torch.randint(110, 130, (experts, out, width // 32), dtype=torch.uint8)
        tensors[stem + "_blocks"], tensors[stem + "_scales"] = blocks, scales
        whole = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)  # [experts, in, out]
        for e in range(experts):
            matrix, to = whole[e].T, f"model.layers.0.mlp.experts.{e}."
            if name == "down_proj":
                expected[to + "down_proj.weight"] = matrix.contiguous()
            else:
                expected[to + "gate_proj.weight"], expected[to + "up_proj.weight"] = matrix[0::2].contiguous(), matrix[1::2].contiguous()
    tensors["model.layers.0.mlp.router.bias"] = expected["model.layers.0.mlp.router.bias"] = torch.randn(experts)
    write("mxfp4", {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}, tensors, expected)


torch.manual_seed(11)
fp8()
mxfp4()
