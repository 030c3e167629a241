#!/usr/bin/env python3
"""Converts a model file of llama2.c (its first format, float32) to a folder in Hugging Face layout. Standard library only.

    python3 tools/convert_llama2c.py stories260K.bin OUT

The file: seven int32 (dim, hidden_dim, layers, heads, kv_heads, vocabulary, positions; a negative vocabulary means an untied head), then
float32 arrays, each over all layers: embedding, attention norms, wq, wk, wv, wo, feed-forward norms, w1, w2, w3, final norm, two rotary
tables (ignored), and the head when it is untied. llama2.c rotates neighbours (2i, 2i+1); Hugging Face rotates (i, i + D/2), so the rows of
wq and wk are put in that order.
"""
import array, json, pathlib, struct, sys


def half_split(rows, heads):
    """Rows of a projection, head by head: even ones first, then odd ones."""
    d = len(rows) // heads
    return [rows[h * d + i] for h in range(heads) for i in [*range(0, d, 2), *range(1, d, 2)]]


def read(path):
    data = pathlib.Path(path).read_bytes()
    dim, ffn, layers, heads, kv_heads, vocab, positions = struct.unpack("<7i", data[:28])
    values = array.array("f", data[28:])
    at, tied, vocab, kv = 0, vocab > 0, abs(vocab), dim // heads * kv_heads

    def take(rows, columns=None):
        nonlocal at
        width = columns or 1
        part = values[at:at + rows * width]
        if len(part) != rows * width:
            sys.exit(f"{path}: ends early: it holds {len(values)} numbers")
        at += rows * width
        return [part[r * width:(r + 1) * width] for r in range(rows)] if columns else part

    t = {"model.embed_tokens.weight": ((vocab, dim), take(vocab, dim))}

    def each(name, shape, change=lambda rows: rows):
        for i in range(layers):
            t[f"model.layers.{i}.{name}.weight"] = (shape, change(take(*shape)))

    each("input_layernorm", (dim,))
    each("self_attn.q_proj", (dim, dim), lambda rows: half_split(rows, heads))
    each("self_attn.k_proj", (kv, dim), lambda rows: half_split(rows, kv_heads))
    each("self_attn.v_proj", (kv, dim))
    each("self_attn.o_proj", (dim, dim))
    each("post_attention_layernorm", (dim,))
    each("mlp.gate_proj", (ffn, dim))
    each("mlp.down_proj", (dim, ffn))
    each("mlp.up_proj", (ffn, dim))
    t["model.norm.weight"] = ((dim,), take(dim))
    take(positions * (dim // heads))
    if not tied:
        t["lm_head.weight"] = ((vocab, dim), take(vocab, dim))
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=dim, intermediate_size=ffn, num_hidden_layers=layers,
                  num_attention_heads=heads, num_key_value_heads=kv_heads, vocab_size=vocab, max_position_embeddings=positions,
                  rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2)
    return config, t


def write(folder, config, tensors):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    header, blobs, at = {}, [], 0
    for name, (shape, part) in tensors.items():
        blob = part.tobytes() if isinstance(part, array.array) else b"".join(row.tobytes() for row in part)
        header[name] = dict(dtype="F32", shape=list(shape), data_offsets=[at, at + len(blob)])
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write(sys.argv[2], *read(sys.argv[1]))
