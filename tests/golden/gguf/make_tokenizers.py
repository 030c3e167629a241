"""Writes tokenizer-*.gguf, small vocabularies as PyPI gguf's writer stores them, and tokenizers.json: the ids that PyPI tokenizers
gives with the tokenizer.json of the same kind, its merges made by transformers where the kind has scores.

    python make_tokenizers.py        (in this folder's repository; needs PyPI gguf, tokenizers, transformers)
"""
import copy, json, pathlib
import gguf
from tokenizers import Tokenizer
from transformers.convert_slow_tokenizer import generate_merges

HERE = pathlib.Path(__file__).resolve().parent
text = HERE.parent / "text"
components = json.loads((text / "components.json").read_text(encoding="utf-8"))
byte_level = json.loads((text / "hf_tokenizer.json").read_text(encoding="utf-8"))
NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6
split = lambda regex: dict(type="Split", pattern=dict(Regex=regex), behavior="Isolated", invert=False)
level = lambda regex: dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=regex)
sequence = lambda key, *parts: dict(type="Sequence", **{key: list(parts)})
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]
PRE = {
    "gpt-2": [level(True)],
    "llama-bpe": [split(WORDS % "{1,3}"), level(False)],
    "qwen2": [split(WORDS % ""), level(False)],
    "smollm": [dict(type="Digits", individual_digits=True), level(True)],
    "gpt-4o": [split(CASED), level(False)],
    "deepseek-v3": [*map(split, DEEPSEEK), level(False)],
}
MORE = ["one<s>two</s> three", "<|endoftext|> x<|endoftext|>", "1234567 12 8", "We'LL SEE THEM'S cafe\u0301 McDonald"]
TEXTS = components["texts"] + MORE


def store(name, model, tokens, types, **fields):
    writer = gguf.GGUFWriter(HERE / f"tokenizer-{name}.gguf", "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for key, value in fields.items():
        writer.add_uint32("tokenizer.ggml.cls_token_id", value) if key == "cls_token_id" else getattr(writer, f"add_{key}")(value)
    writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()


def template(before, after, tokens):
    item = lambda i: dict(SpecialToken=dict(id=tokens[i], type_id=0))
    single = [*map(item, before), dict(Sequence=dict(id="A", type_id=0)), *map(item, after)]
    return dict(type="TemplateProcessing", single=single, pair=single, special_tokens={tokens[i]: dict(id=tokens[i], ids=[i], tokens=[tokens[i]]) for i in before + after})


def ordered(vocab): return [t for t, _ in sorted(vocab.items(), key=lambda row: row[1])]


def make_byte_level(pre):
    j = copy.deepcopy(byte_level)
    tokens = ordered(j["model"]["vocab"])
    j["pre_tokenizer"] = sequence("pretokenizers", *PRE[pre])
    if pre == "qwen2": j["normalizer"] = dict(type="NFC")
    if pre == "llama-bpe":
        j["model"]["ignore_merges"] = True
        j["post_processor"] = template([0], [], tokens)
    merges = [m if isinstance(m, str) else " ".join(m) for m in j["model"]["merges"]]
    store(pre, "gpt2", tokens, [CONTROL] + [NORMAL] * (len(tokens) - 1), tokenizer_pre=pre, token_merges=merges, bos_token_id=0, eos_token_id=0)
    return j


def make_scored(name, prefix):
    j = copy.deepcopy(components["models"]["llama"])
    vocab = j["model"]["vocab"]
    tokens = ordered(vocab)
    kind = lambda i, t: UNKNOWN if i == 0 else CONTROL if i < 3 else BYTE if t.startswith("<0x") else NORMAL
    types = [kind(i, t) for i, t in enumerate(tokens)]
    scores = [-float((i * 7919) % 211) if t == NORMAL else 0.0 for i, t in enumerate(types)]  # many are equal
    j["model"]["merges"] = generate_merges(vocab, dict(zip(tokens, scores)))
    more = dict(bos_token_id=1, eos_token_id=2, unk_token_id=0)
    j["post_processor"] = template([1], [], tokens)
    if not prefix:
        j["normalizer"] = dict(type="Replace", pattern=dict(String=" "), content="▁")
        j["decoder"]["decoders"].pop()
        user = next(i for i, t in enumerate(tokens) if t == "▁the")
        types[user] = USER
        j["added_tokens"].append(dict(id=user, content=tokens[user], single_word=False, lstrip=False, rstrip=False, normalized=False, special=False))
        j["post_processor"] = template([1], [2], tokens)
        more |= dict(add_space_prefix=False, add_bos_token=True, add_eos_token=True)
    store(name, "llama", tokens, types, token_scores=scores, **more)
    return j


def make_word_piece():
    j = copy.deepcopy(components["models"]["word_piece"])
    tokens = ordered(j["model"]["vocab"])
    special = {t["id"] for t in j["added_tokens"]}
    stored = [t if i in special or t[0] + t[-1] == "[]" else t[2:] if t.startswith("##") else "▁" + t for i, t in enumerate(tokens)]
    j["post_processor"] = template([tokens.index("[CLS]")], [tokens.index("[SEP]")], tokens)
    store("bert", "bert", stored, [CONTROL if i in special else NORMAL for i in range(len(tokens))], cls_token_id=tokens.index("[CLS]"),
          sep_token_id=tokens.index("[SEP]"), unk_token_id=tokens.index("[UNK]"))
    return j


made = {pre: make_byte_level(pre) for pre in PRE} | {"spm": make_scored("spm", True), "spm-bare": make_scored("spm-bare", False), "bert": make_word_piece()}
out = {"texts": TEXTS, "ids": {}}
for name, j in made.items():
    t = Tokenizer.from_str(json.dumps(j))
    rows = [t.encode(x).ids for x in TEXTS]
    out["ids"][name] = rows
    out.setdefault("decoded", {})[name] = [t.decode(r, skip_special_tokens=False) for r in rows]
(HERE / "tokenizers.json").write_text(json.dumps(out) + "\n")
