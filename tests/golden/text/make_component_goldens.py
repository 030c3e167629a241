"""Writes components.json: what PyPI tokenizers 0.23 makes of awkward strings with each part that a tokenizer.json may have.

    python tests/golden/text/make_component_goldens.py        (in the repository; needs PyPI tokenizers)

`models` are small tokenizers trained on corpus.txt; a row exchanges some of their parts. Every result is the other program's.
"""
import array, copy, hashlib, json, os
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.dirname(os.path.abspath(__file__)) + "/"
corpus = open(here + "corpus.txt", encoding="utf-8", newline="").read()
byte_level = json.load(open(here + "hf_tokenizer.json", encoding="utf-8"))
TEXTS = [
    "", " ", "  ", "\n", " \n ", "a", " a", "a ", "  two  spaces ", "\tx\r\n y", "\u3000a\u00a0b\u2028c\u0085", "The old man's house; didn't it? Yes!  (No.)", "don't do not I'm we've you're it's ' x '",
    "床前明月光，疑是地上霜。", "Hello世界 你好world123", "x123y 45 6 七八9 ½²Ⅷ٣", "e\u0301a\u0300\u0302o\u0308\u0323 \u0323\u0307q \u0307", "Å Ω ﬁ ｆｕｌｌ ㎏ ① ǅ ſ İI ẞ ΑΣ", "\u1100\u1161\u11a8 각 가\u11a8 \uac00", "Ünïcödé NAÏVE café",
    "\x00\x01\x08\x0b\x1c\x1f\x7f\u008f\u00ad\u200b\u200c\u200d\ufeff\ufffd", "😀👍🏽 👨‍👩‍👧 ❤️🇨🇳", "▁a ▁▁b▁", "<m>a <m> <n>x<n> n <s>we x wex we</s>", "a_b-c/d\\e`f^g~h|i$j+k<l=m>", "नमस्ते สวัสดี שלום Привет", "aaaaaaaaaa " * 12, "<0x41><0x0A> ##ing",
    "unbelievableness " + "q" * 120, "\ud7ff\ue000\U0010ffff𝒳",
]
RANGES = [(0, 0x3400), (0xA000, 0xA100), (0xA4D0, 0xAC20), (0xD790, 0xD7B0), (0xF900, 0x11A00), (0x1D100, 0x1D800), (0x1E900, 0x1F200), (0x2F800, 0x2F810)]
POINTS = "".join(f"{c}a{c}\u0301 " for low, high in RANGES for c in map(chr, range(low, high)))
digest = lambda ids: hashlib.sha256(array.array("I", ids).tobytes()).hexdigest()
token = lambda i, content, **flags: dict(dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True), **flags)
sequence = lambda key, *parts: dict(type="Sequence", **{key: list(parts)})
replace = lambda kind, pattern, content: dict(type="Replace", pattern={kind: pattern}, content=content)
metaspace = lambda scheme, split: dict(type="Metaspace", replacement="▁", prepend_scheme=scheme, split=split)
strip = lambda start, stop: dict(type="Strip", content=" ", start=start, stop=stop)


def trained(model, trainer, pre):
    t = Tokenizer(model)
    t.pre_tokenizer = pre
    t.train_from_iterator(corpus.split("\n\n"), trainer)
    return json.loads(t.to_str())


def make_models():
    space = pre_tokenizers.Metaspace(prepend_scheme="always")
    fallback = [f"<0x{b:02X}>" for b in range(256)]
    options = dict(show_progress=False, special_tokens=["<unk>", "<s>", "</s>"])
    bpe = trained(models.BPE(unk_token="<unk>", fuse_unk=True), trainers.BpeTrainer(vocab_size=420, limit_alphabet=60, **options), space)
    llama = copy.deepcopy(bpe)
    for b in fallback: llama["model"]["vocab"][b] = len(llama["model"]["vocab"])
    llama["model"]["byte_fallback"] = True
    llama["pre_tokenizer"], llama["normalizer"] = None, sequence("normalizers", dict(type="Prepend", prepend="▁"), replace("String", " ", "▁"))
    llama["decoder"] = sequence("decoders", replace("String", "▁", " "), dict(type="ByteFallback"), dict(type="Fuse"), strip(1, 0))
    unigram = trained(models.Unigram(), trainers.UnigramTrainer(vocab_size=400, unk_token="<unk>", **options), space)
    unigram["decoder"] = metaspace("always", True)
    piece = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=420, limit_alphabet=60, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]"]), pre_tokenizers.BertPreTokenizer())
    piece["normalizer"] = dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    piece["decoder"] = dict(type="WordPiece", prefix="##", cleanup=True)
    clip = trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix=""), trainers.BpeTrainer(vocab_size=300, limit_alphabet=40, end_of_word_suffix="</w>", **options), pre_tokenizers.Whitespace())
    clip["decoder"] = dict(type="BPEDecoder", suffix="</w>")
    return dict(llama=llama, bpe=bpe, unigram=unigram, word_piece=piece, clip=clip)


def rows(base):
    new = {name: len(m["model"]["vocab"]) for name, m in base.items()}  # the first id that is free
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)
    bert = lambda **on: dict(dict(type="BertNormalizer", clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **on)
    for n in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]: yield "byte_level", n, dict(normalizer=dict(type=n)), True
    for on in ["clean_text", "handle_chinese_chars", "strip_accents", "lowercase"]: yield "byte_level", on, dict(normalizer=bert(**{on: True})), True
    for left in (True, False): yield "byte_level", f"strip {left}", dict(normalizer=dict(type="Strip", strip_left=left, strip_right=not left)), False
    yield "byte_level", "replace regex", dict(normalizer=sequence("normalizers", dict(type="NFKD"), replace("Regex", r"\s{2,}|[0-9]", "~"), replace("String", "a", ""))), False
    for n, p in dict(words=dict(type="Whitespace"), spaces=dict(type="WhitespaceSplit"), bert=dict(type="BertPreTokenizer"), punctuation=dict(type="Punctuation", behavior="Isolated"), delimiter=dict(type="CharDelimiterSplit", delimiter="a")).items():
        yield "byte_level", n, dict(pre_tokenizer=sequence("pretokenizers", p, level)), True
    for b in ["Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]: yield "byte_level", "punctuation " + b, dict(pre_tokenizer=sequence("pretokenizers", dict(type="Punctuation", behavior=b), level)), False
    yield "llama", "as it is", {}, False
    for key in ["fuse_unk", "byte_fallback"]: yield "llama", "no " + key, dict(model=dict(base["llama"]["model"], byte_fallback=False, fuse_unk=key != "fuse_unk")), False
    yield "llama", "some bytes", dict(model=dict(base["llama"]["model"], vocab={k: v for k, v in base["llama"]["model"]["vocab"].items() if k < "<0xE8" or k > "<0xEF>"})), False
    yield "llama", "ignore merges", dict(model=dict(base["llama"]["model"], ignore_merges=True), pre_tokenizer=metaspace("never", True), normalizer=None), False
    yield "llama", "no unknown", dict(model=dict(base["llama"]["model"], unk_token=None, byte_fallback=False)), False
    yield "llama", "normalized added", dict(added_tokens=[token(1, "<s>", normalized=True), token(2, "</s>"), token(new["llama"], "<m>", lstrip=True), token(new["llama"] + 1, "<n>", rstrip=True, normalized=True, special=False), token(new["llama"] + 2, "we", single_word=True, special=False)]), False
    yield "llama", "gemma", dict(normalizer=replace("String", " ", "▁"), pre_tokenizer=dict(type="Split", pattern=dict(String=" "), behavior="MergedWithPrevious", invert=False), decoder=sequence("decoders", replace("String", "▁", " "), dict(type="ByteFallback"), dict(type="Fuse"))), False
    for start, stop in [(2, 1), (0, 3)]: yield "llama", f"strip {start} {stop}", dict(decoder=sequence("decoders", replace("Regex", "▁", " "), dict(type="Fuse"), strip(start, stop))), False
    yield "llama", "no decoder", dict(decoder=None), False
    yield "llama", "strip tokens", dict(decoder=sequence("decoders", replace("String", "▁", " "), strip(1, 1))), False
    for scheme in ["always", "first", "never"]:
        for split in (True, False): yield "bpe", f"metaspace {scheme} {split}", dict(pre_tokenizer=metaspace(scheme, split), decoder=metaspace(scheme, split), added_tokens=base["bpe"]["added_tokens"] + [token(new["bpe"], "<m>")]), False
    yield "bpe", "first after split", dict(pre_tokenizer=sequence("pretokenizers", dict(type="WhitespaceSplit"), metaspace("first", True))), False
    yield "bpe", "bytes as characters", dict(pre_tokenizer=sequence("pretokenizers", dict(level, add_prefix_space=True), dict(type="Digits", individual_digits=True)), decoder=dict(type="ByteLevel", add_prefix_space=True, trim_offsets=True, use_regex=True)), False
    yield "unigram", "as it is", {}, False
    yield "unigram", "byte fallback", dict(model=dict(base["unigram"]["model"], byte_fallback=True, vocab=base["unigram"]["model"]["vocab"] + [[f"<0x{b:02X}>", -20.0] for b in range(256)])), False
    yield "word_piece", "as it is", {}, False
    yield "word_piece", "cased", dict(normalizer=dict(base["word_piece"]["normalizer"], lowercase=False), decoder=dict(type="WordPiece", prefix="##", cleanup=False), model=dict(base["word_piece"]["model"], max_input_chars_per_word=9)), False
    yield "word_piece", "markers", dict(post_processor=dict(type="BertProcessing", sep=["[SEP]", 2], cls=["[CLS]", 1])), False
    yield "word_piece", "roberta", dict(post_processor=dict(type="RobertaProcessing", sep=["[SEP]", 2], cls=["[CLS]", 1], trim_offsets=True, add_prefix_space=True)), False
    yield "clip", "as it is", {}, False


def decode(t, ids):
    """None where the other program fails: its Strip cannot take from the end of what is empty."""
    try: return t.decode(ids, skip_special_tokens=False)
    except BaseException: return None


base = make_models()
out = []
for model, name, part, points in rows(base):
    t = Tokenizer.from_str(json.dumps(dict(copy.deepcopy(byte_level if model == "byte_level" else base[model]), **part)))
    ids = [t.encode(s, add_special_tokens=False).ids for s in TEXTS]
    row = dict(base=model, name=name, part=part, encodings=ids, decoded=[decode(t, i) for i in ids], with_special=t.encode("a b").ids)
    if points: row["every_code_point"] = digest(t.encode(POINTS, add_special_tokens=False).ids)
    if "model" in part:  # only what differs is written
        full = base[model]["model"]
        row["part"] = {k: v for k, v in part.items() if k != "model"}
        row["model"] = {k: v for k, v in part["model"].items() if k not in ("vocab", "merges") and v != full.get(k)}
    out.append(row)
with open(here + "components.json", "w", encoding="utf-8", newline="\n") as f:
    f.write(json.dumps(dict(texts=TEXTS, models=base, rows=out), ensure_ascii=True, separators=(",", ":")).replace('{"base"', '\n{"base"') + "\n")
print(len(out), "rows", os.path.getsize(here + "components.json"))
