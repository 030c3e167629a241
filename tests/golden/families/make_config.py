"""What transformers' configuration classes say where a config.json is silent, and its rotary frequencies.

Writes config.json beside this file: {"defaults": {model_type: fields}, "rope": [{"config", "length", "values",
"amplitude"}]}. Needs PyPI: torch, transformers.

    python make_config.py
"""
import json, pathlib
import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

TYPES = """llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe gpt2 phi3 gemma2 gemma3_text deepseek_v2 deepseek_v3 olmo2 glm4 smollm3
granite minicpm3 hunyuan_v1_dense ernie4_5 seed_oss gpt_oss""".split()
SIZES = dict(hidden_size=96, num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512)
ROPES = [
    ("llama", dict(rope_type="linear", factor=3.0), 100),
    ("llama", dict(rope_type="dynamic", factor=4.0), 512),
    ("llama", dict(rope_type="dynamic", factor=4.0), 1800),
    ("llama", dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128), 100),
    ("llama", dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=64, beta_fast=16.0, beta_slow=2.0), 100),
    ("llama", dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=64, mscale=1.0, mscale_all_dim=0.7), 100),
    ("llama", dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=64, attention_factor=0.8), 100),
    ("gpt_oss", dict(rope_type="yarn", factor=32.0, original_max_position_embeddings=96, truncate=False, rope_theta=150000.0), 100),
    ("llama", dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64), 100),
    ("llama", dict(rope_type="llama3", factor=32.0, low_freq_factor=2.0, high_freq_factor=7.0, original_max_position_embeddings=256, rope_theta=5e5), 100),
    ("phi3", dict(rope_type="longrope", short_factor=[1 + i / 8 for i in range(12)], long_factor=[2 + i for i in range(12)]), 60),
    ("phi3", dict(rope_type="longrope", short_factor=[1 + i / 8 for i in range(12)], long_factor=[2 + i for i in range(12)]), 65),
]


def defaults(kind):
    fields = CONFIG_MAPPING[kind]().to_dict()
    return {k: v for k, v in fields.items() if k not in ("transformers_version", "id2label", "label2id")}


def rope(kind, settings, length):
    settings = dict(dict(rope_theta=10000.0), **settings)
    outside = dict(original_max_position_embeddings=64) if kind == "phi3" else {}
    fields = dict(model_type=kind, **SIZES, **outside, head_dim=24, rope_parameters=settings)
    config = CONFIG_MAPPING[kind](**{k: v for k, v in fields.items() if k != "model_type"})
    values, amplitude = ROPE_INIT_FUNCTIONS[settings["rope_type"]](config, torch.device("cpu"), seq_len=length)
    return dict(config=fields, length=length, values=values.tolist(), amplitude=float(amplitude))


if __name__ == "__main__":
    out = dict(defaults={kind: defaults(kind) for kind in TYPES}, rope=[rope(*r) for r in ROPES])
    path = pathlib.Path(__file__).parent / "config.json"
    path.write_text(json.dumps(out, indent=0).replace("\n", "") + "\n")
