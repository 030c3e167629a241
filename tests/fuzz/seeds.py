#!/usr/bin/env python3
"""seeds.py OUT: small inputs for every fuzz target, from the committed test files, and a dictionary for each.

OUT/<target>/* are inputs, OUT/<target>.dict holds words (libFuzzer's -dict).
"""
import gzip
import hashlib
import io
import json
import pathlib
import re
import struct
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
OUT = pathlib.Path(sys.argv[1])


def seed(target, name, data):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def part(data):
    data = data if isinstance(data, bytes) else data.encode()
    return struct.pack("<H", len(data)) + data


def safetensors(tensors, metadata=None):
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, dtype, shape, size in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = compact(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256)) * (at // 256) + bytes(range(at % 256))


def gguf(keys, tensors, version=3):
    """keys: (key, type, bytes); tensors: (name, extents, type, bytes), each placed at a multiple of 32."""
    def text(s):
        return struct.pack("<Q", len(s)) + s.encode()
    out, data = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)), b""
    for key, kind, value in keys:
        out += text(key) + struct.pack("<I", kind) + value
    for name, extents, kind, values in tensors:
        out += text(name) + struct.pack(f"<I{len(extents)}QIQ", len(extents), *extents, kind, len(data))
        data += values + bytes(-len(values) % 32)
    return out + bytes(-len(out) % 32) + data


def npy(descr, shape, data, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    size = struct.pack("<H" if version == 1 else "<I", len(header) + 1)
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + b"\n" + data


def npz(arrays, compression):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in arrays.items():
            archive.writestr(zipfile.ZipInfo(name + ".npy"), data, compression)
    return out.getvalue()


def byte_tokens():
    """GPT-2's printable character of each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    names, extra = {b: chr(b) for b in plain}, 256
    for b in range(256):
        if b not in names:
            names[b], extra = chr(extra), extra + 1
    return [names[b] for b in range(256)]


def tokenizer(pre_tokenizer, merges, post_processor=None, **model):
    tokens = byte_tokens() + ["ab", "\u0120a", "abab"]
    return {"added_tokens": [{"id": 300, "content": "<|endoftext|>", "special": True, "lstrip": True, "rstrip": True}],
            "normalizer": None, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges, **model}}


def dictionary(target, words):
    lines = ['"%s"' % "".join(c if 32 < ord(c) < 127 and c not in '"\\' else "\\x%02x" % ord(c) for c in w)
             for w in sorted(set(words)) if w and w.isascii()]
    (OUT / f"{target}.dict").write_text("\n".join(lines) + "\n")


def make_tensors():
    seed("safetensors", "two", safetensors([("a", "F32", [2, 3], 24), ("b", "I64", [], 8)], {"format": "pt"}))
    seed("safetensors", "float8", safetensors([("a", "F8_E4M3", [2, 3], 6), ("b", "F8_E5M2", [4], 4), ("c", "U8", [1], 1)]))
    seed("safetensors", "empty", safetensors([("a", "BF16", [0, 4], 0)]))
    seed("safetensors", "family", (GOLDEN / "families/llama/model.safetensors").read_bytes()[:4096])
    for name in ("fp8", "mxfp4"):
        seed("safetensors", name, (GOLDEN / "folder_weights" / name / "model.safetensors").read_bytes())
    for name in ("small", "split-00001-of-00002", "split-00002-of-00002"):
        seed("gguf", name, (GOLDEN / f"io/{name}.gguf").read_bytes())
    for name in ("llama3-rope", "gemma2", "tokenizer-gpt-2", "tokenizer-spm", "tokenizer-bert"):
        seed("gguf", name, (GOLDEN / f"gguf/{name}.gguf").read_bytes())
    nested = struct.pack("<IQIQ2I", 9, 1, 4, 2, 7, 8)
    seed("gguf", "nested", gguf([("a", 9, nested), ("b", 7, b"\x01"), ("general.alignment", 4, struct.pack("<I", 32))], [], 2))
    blocks = [(0, 1, 4), (1, 1, 2), (30, 1, 2), (8, 32, 34), (2, 32, 18), (3, 32, 20), (6, 32, 22), (7, 32, 24), (10, 256, 84), (11, 256, 110),
              (12, 256, 144), (13, 256, 176), (14, 256, 210), (20, 32, 18), (23, 256, 136), (16, 256, 66), (17, 256, 74), (18, 256, 98), (39, 32, 17)]
    seed("gguf", "formats", gguf([], [(f"t{kind}", [elements], kind, bytes(range(size))) for kind, elements, size in blocks]))
    sums = struct.pack("<3f", 8, 0, 2)
    seed("imatrix", "dat", struct.pack("<2I3s2I", 1, 3, b"abc", 4, 3) + sums)
    seed("imatrix", "gguf", gguf([], [("a.in_sum2", [3, 1], 0, sums), ("a.counts", [1, 1], 0, sums[:4])]))
    seed("npy", "matrix", npy("<f4", (2, 3), bytes(24)))
    seed("npy", "vector2", npy("<i8", (2,), bytes(16), 2))
    seed("npy", "scalar3", npy("|b1", (), b"\x01", 3))
    for name in ("stored", "deflated"):
        seed("npz", name, (GOLDEN / f"io/{name}.npz").read_bytes())
    seed("npz", "small", npz({"a": npy("<f2", (4,), bytes(8)), "b": npy("<f8", (), bytes(8))}, zipfile.ZIP_DEFLATED))
    seed("npz", "one", npz({"a": npy("<u1", (3,), b"abc")}, zipfile.ZIP_STORED))


def make_json():
    seed("json", "values", '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\n\\ud83d\\ude00"],"b":{"":18446744073709551615}}')
    seed("json", "deep", "[" * 63 + "]" * 63)
    for config in sorted(GOLDEN.glob("families/*/config.json")):
        seed("model_config", config.parent.name, config.read_text())
    seed("model_config", "small", compact({"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2,
                                           "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
                                           "eos_token_id": [1, 2], "layer_types": ["full_attention"]}))
    for file in sorted((GOLDEN / "embedding").glob("**/*.json")):
        if file.name in ("config.json", "modules.json", "sentence_bert_config.json", "tokenizer_config.json"):
            seed("encoder_config", "-".join(file.relative_to(GOLDEN / "embedding").parts), file.read_text())
    seed("model_settings", "generation", compact({"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.05,
                                                  "typical_p": 1.0, "repetition_penalty": 1.05, "eos_token_id": [1, 2]}))
    seed("model_settings", "tokenizer", compact({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": True, "pad_token": None,
                                                 "chat_template": [{"name": "default", "template": "{{ bos_token }}"}]}))
    level = {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}
    split = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|a+"}, "behavior": "MergedWithNext", "invert": True},
        {"type": "Split", "pattern": {"String": "b"}, "behavior": "Contiguous"},
        {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "use_regex": False}]}
    post = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|endoftext|>"}}, {"Sequence": {"id": "A"}}],
            "special_tokens": {"<|endoftext|>": {"ids": [300]}}}
    seed("tokenizer_json", "strings", compact(tokenizer(level, ["a b", "ab ab"])))
    sequence = lambda key, *parts: {"type": "Sequence", key: list(parts)}
    replace = lambda old, new: {"type": "Replace", "pattern": {"String": old}, "content": new}
    fallback = {f"<0x{b:02X}>": 20 + b for b in range(256)}
    words = ["<unk>", "\u2581", "a", "b", "ab", "\u2581ab", "\u2581a"]
    seed("tokenizer_json", "sentencepiece", compact({
        "normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "\u2581"}, replace(" ", "\u2581"), {"type": "NFKC"},
                               {"type": "Strip", "strip_left": True, "strip_right": False}, {"type": "Nmt"}, {"type": "StripAccents"}),
        "decoder": sequence("decoders", replace("\u2581", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 1}),
        "added_tokens": [{"id": 7, "content": "un", "single_word": True, "normalized": True}],
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": {**{w: i for i, w in enumerate(words)}, **fallback},
                  "merges": ["a b", "\u2581 ab", "\u2581 a"]}}))
    meta = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
    seed("tokenizer_json", "unigram", compact({
        "pre_tokenizer": sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, meta), "decoder": meta,
        "normalizer": {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": [[w, -i / 2] for i, w in enumerate(words)]}}))
    seed("tokenizer_json", "wordpiece", compact({
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "post_processor": {"type": "BertProcessing", "sep": ["b", 2], "cls": ["un", 3]},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                  "vocab": {"[UNK]": 0, "a": 1, "b": 2, "un": 3, "##able": 4, "##b": 5}}}))
    seed("tokenizer_json", "suffix", compact({
        "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "BPEDecoder", "suffix": "</w>"},
        "model": {"type": "BPE", "unk_token": "a", "end_of_word_suffix": "</w>", "vocab": {"a": 0, "b</w>": 1, "ab</w>": 2}, "merges": ["a b</w>"]}}))
    seed("tokenizer_json", "pairs", compact(tokenizer(split, [["a", "b"], ["\u0120", "a"]], post, ignore_merges=True)))


def make_data():
    seed("records", "text", b"\x00one\n\ntwo\r\nthree\n\n\n")
    seed("records", "lossy", b"\xc0one\n--\ntwo \xe7\x9d\n--\n")
    seed("records", "lines", b'\x01{"text":"one"}\n{"text":["a","b"],"n":1}\n')
    seed("records", "titles", b'\x22[{"title":"t","n":2.5},{"text":"x","n":true}]')
    seed("compressed", "gzip", b"\x00" + gzip.compress(b"one two two two", mtime=0))
    frame = b"\x28\xb5\x2f\xfd"  # a single segment of 5 bytes, stored, and an empty frame with a window of 8 MiB
    seed("compressed", "zstd", b"\x01" + frame + b"\x20\x05\x29\x00\x00" + b"hello")
    seed("compressed", "window", b"\x01" + frame + b"\x00\x68\x01\x00\x00")
    seed("record_template", "two", part("{a}\\n{b|c}\\{") + b'{"a":["x",1,true],"c":"y"}')
    seed("record_template", "plain", part("{text}") + b'{"text":"t"}')
    ids, offsets = struct.pack("<5H", 1, 2, 0, 3, 0), struct.pack("<3Q", 0, 3, 5)
    sha = {name: hashlib.sha256(data).hexdigest() for name, data in (("ids", ids), ("offsets", offsets))}
    row = {"documents": 2, "tokens": 5, "bytes": 6, "files": [{"file": "ids", "tokens": 5, "sha256": sha["ids"]}],
           "offsets": {"file": "offsets", "sha256": sha["offsets"]}}
    index = {"format": "suiren-shards", "version": 1, "dtype": "u16", "vocab_size": 4, "end_token": "e", "end_id": 0,
             "tokenizer": {"file": "ids", "sha256": sha["ids"]}, "holdout_fraction": 0.1, "train": row, "holdout": row}
    seed("shards", "whole", part(compact(index)) + part(ids) + part(offsets))
    seed("shards", "verified", part(compact(index)) + part(ids) + part(offsets) + b"\x01")
    seed("utf8", "all", "a\u00e9\u7761\U0001f600".encode() + b"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe7\x9d")


def make_templates():
    for i, (template, _) in enumerate(json.loads((GOLDEN / "text/templates.json").read_text())["cases"]):
        seed("chat_template", f"golden-{i:04}", template)


def make_rest():
    seed("train_config", "full", """output: runs/a
model: {model_type: llama, hidden_size: 8, vocab_size: "16", tie_word_embeddings: true}
data: {tokens: t.u16, order: sequential, sequence_length: 8}
batch: {sequences: 2, accumulate: 1}
steps: 10
optimizer: {name: muon, lr: 1e-3, betas: [0.9, 0.95], nesterov: false}
schedule: {name: wsd, warmup_steps: 2, final_ratio: .1}
checkpoint: {every: 5, keep: 2}
eval: {every: 5, sequences: 4}
--set optimizer.lr=2e-3
""")
    seed("train_config", "anchors", "output: &o runs\ninit_from: *o\ndata:\n  shards: s\nminutes: 1\nseed: 7\n")
    files = {"state.json": {"bytes": 3, "sha256": hashlib.sha256(b"{}\n").hexdigest()}}
    for file, name, values in (("model", "a.weight", (1, 2, 3)), ("optimizer", "exp_avg.a.weight", (4, 5, 6))):
        text = compact({"__metadata__": {"format": "pt"}, name: {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}})
        text += " " * (-len(text) % 8)
        header, data = struct.pack("<Q", len(text)) + text.encode(), struct.pack("<3f", *values)
        files[file + ".safetensors"] = {"bytes": len(header + data), "header": hashlib.sha256(header).hexdigest(),
                                        "tensors": {name: hashlib.sha256(data).hexdigest()}}
    seed("checkpoint", "manifest", json.dumps({"format_version": 1, "step": 7, "files": files}, indent=1) + "\n")
    for name, size, present in (("full", 152, 0x7FFFF), ("short", 80, 0x7FFFF), ("long", 400, 0x7FFFF), ("holes", 152, 0x2FFFF)):
        seed("plugin", name, struct.pack("<HHI", size, 0, present) + b"npu")


for make in (make_tensors, make_json, make_data, make_templates, make_rest):
    make()
for folder in sorted(p for p in OUT.iterdir() if p.is_dir()):
    text = b"\n".join(p.read_bytes() for p in folder.iterdir()).decode("utf-8", "replace")
    words = re.findall(r'"([^"\\\s]{2,40})"|\b([A-Za-z_]{3,30})\b', text)
    common = ["null", "true", "false", "[[[[", "{}", "1e999", "-1", "9223372036854775807", "18446744073709551616"]
    dictionary(folder.name, [a or b for a, b in words if a or b][:400] + common)
