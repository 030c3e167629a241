"""Writes goldens.json and hf_tokenizer.json: what PyPI tokenizers 0.23 makes of corpus.txt and of awkward strings.

    python tests/golden/text/make_goldens.py        (in the repository; needs PyPI tokenizers)

Documents are separated by blank lines. Every result is the other program's; nothing of ours runs here.
"""
import array, copy, hashlib, json, os, random, re
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.dirname(os.path.abspath(__file__)) + "/"
LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UP, LOW, SUFFIX = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "cl100k": LETTERS + r"|\p{N}{1,3}" + REST,
    "qwen2": LETTERS + r"|\p{N}" + REST,
    "o200k": rf"[^\r\n\p{{L}}\p{{N}}]?{UP}*{LOW}+{SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?{UP}+{LOW}*{SUFFIX}|\p{{N}}{{1,3}}"
             r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
split = lambda regex: pre_tokenizers.Split(Regex(regex), "isolated")
byte_level = lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def train(docs, vocab_size, pattern, specials):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([split(PATTERN.get(pattern, pattern)), byte_level()])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(docs, trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=specials, show_progress=False,
                                                    initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return t


merges = lambda t: json.loads(t.to_str())["model"]["merges"]
digest = lambda ids: hashlib.sha256(array.array("I", ids).tobytes()).hexdigest()

STRINGS = [
    "", " ", "  ", "\n", " \n", "\n ", "\r\n\r\n", "\t\tx", "  x", " \n\n  x", "x  ", "x \n", "a\u00a0b", "a\u2028\u3000 b", "\u0085x",
    "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。", "The miller's daughter DIDN'T say; they'LL, we'Re, I'M, I'm, x'ſ x'S 'tis 'st ''s",
    "12345678 1 22 333 4444 ½²Ⅷ٣٤٥１２３", "HTTPServer iPhone eBay XMLHttpRequest getHTTPResponse ABCdefGHI Aa aA ǅungla ʰʱ中A中a",
    "e\u0301\u0302 \u0301a \u0301\u0301 1\u0301 .\u0301x A\u0301B", "नमस्ते दुनिया สวัสดี 안녕하세요 שלום Привет",
    "😀😁 👍🏽 👨‍👩‍👧 ❤️ 🇨🇳", "\x00\x01\x1c\x1d\x1e\x1f\x7f\u0080\u00ad\u200b\u200d\ufeff", "\u0378\ue000\ufdd0\ufffd\uffff\U000e0001\U0010ffff",
    "\ud7ff\ue000", "a/b//c /d\n/e ./f/\r\n", "...!!!\n\n\nx ...x 'x' \"x\" --x=y", "<|endoftext|>", "a<|endoftext|><|endoftext|> b <|endoftext", "<|endo<|endoftext|>",
    "int main() {\n    return 0;\n}\n", "\tif x:\n\t\treturn\n\n\n    pass", "https://example.org/a?b=1&c=2#d", "a" * 1000, " " * 999 + "x", "!" * 500, "山" * 400, "ab" * 300, "\n" * 300,
]


def every_code_point():
    """Each code point between a letter, a contraction, a number and white space."""
    return "".join(f"a{c}b {c}'S{c}1 \n{c}" for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000)


def trained(docs, points):
    out = {}
    for name in PATTERN:
        t = train(docs, 620, name, ["<|endoftext|>"])
        if name == "cl100k": t.save(here + "hf_tokenizer.json", pretty=False)
        out[name] = dict(merges=merges(t), encodings=[t.encode(s).ids for s in STRINGS], every_code_point=digest(t.encode(points).ids))
    return out


def tied_corpora():
    """Few letters, all merges used up: equal counts, and tokens that two different pairs spell."""
    r, out = random.Random(5), []
    for alphabet in ["ab", "aab", "abc", "abcd", "古今", "aé中"] * 2:
        docs = [" ".join("".join(r.choice(alphabet) for _ in range(r.choice([1, 2, 3, 5, 8, 21]))) for _ in range(12)) for _ in range(6)]
        specials = r.choice([["<|endoftext|>"], ["<s>", "</s>"], ["ab", "中文", "abab"]])
        vocab_size = 256 + len(specials) + r.choice([20, 60, 150])
        out.append(dict(docs=docs, specials=specials, vocab_size=vocab_size, merges=merges(train(docs, vocab_size, "gpt2", specials))))
    return out


def variants():
    """hf_tokenizer.json with parts exchanged, as published tokenizers have them."""
    base = json.load(open(here + "hf_tokenizer.json", encoding="utf-8"))
    level = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
    sequence = lambda *parts: dict(type="Sequence", pretokenizers=list(parts))
    cut = lambda pattern, behavior, invert=False, kind="Regex": dict(type="Split", pattern={kind: pattern}, behavior=behavior, invert=invert)
    plain = dict(level, use_regex=False)
    token = lambda i, content, **flags: dict(dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True), **flags)
    texts = STRINGS[:24] + ["x123y 45 6 七八9", "oneTwoThree four,five;;six - seven", "a<m> b <m>c < m><mm> <m>", "  <s>  <s>x <s>", "we x wex we! 我we we", "the and tokenthe"]
    parts = {
        "gpt2, as ByteLevel has it": dict(pre_tokenizer=level),
        "prefix space": dict(pre_tokenizer=dict(level, add_prefix_space=True), added_tokens=[token(0, "<|endoftext|>"), token(620, "<m>")]),
        "single digits, then gpt2": dict(pre_tokenizer=sequence(dict(type="Digits", individual_digits=True), level)),
        "runs of digits": dict(pre_tokenizer=sequence(dict(type="Digits", individual_digits=False), plain)),
        "three splits": dict(pre_tokenizer=sequence(cut(r"\p{N}{1,3}", "Isolated"), cut("[一-龥぀-ゟ゠-ヿ]+", "Isolated"),
                             cut(r"[!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", "Isolated"), plain)),
        "removed, inverted": dict(pre_tokenizer=sequence(cut(PATTERN["cl100k"], "Removed", True), plain)),
        "lookahead": dict(pre_tokenizer=sequence(cut(r"(?=[A-Z])|\s+", "Isolated"), plain)),
        "empty matches": dict(pre_tokenizer=sequence(cut("x*", "Isolated"), plain)),
        "literal": dict(pre_tokenizer=sequence(cut(" ", "MergedWithNext", kind="String"), plain)),
        "ignore merges": dict(model=dict(base["model"], ignore_merges=True, merges=base["model"]["merges"][:200])),
        "merges as strings": dict(model=dict(base["model"], merges=[" ".join(m) for m in base["model"]["merges"]])),
        "template": dict(post_processor=dict(type="Sequence", processors=[dict(level, use_regex=True), dict(type="TemplateProcessing",
            single=[dict(SpecialToken=dict(id="<s>", type_id=0)), dict(Sequence=dict(id="A", type_id=0)), dict(SpecialToken=dict(id="</s>", type_id=0))], pair=[dict(Sequence=dict(id="A", type_id=0)), dict(Sequence=dict(id="B", type_id=1))],
            special_tokens={"<s>": dict(id="<s>", ids=[620], tokens=["<s>"]), "</s>": dict(id="</s>", ids=[621], tokens=["</s>"])})]), added_tokens=[token(0, "<|endoftext|>"), token(620, "<s>"), token(621, "</s>")]),
        "flags": dict(added_tokens=[token(0, "<|endoftext|>"), token(620, "<m>", lstrip=True), token(621, "<s>", rstrip=True), token(622, "<mm>", lstrip=True, rstrip=True, normalized=True),
                      token(623, "we", single_word=True, special=False), token(624, "< m>", normalized=True, special=False), token(625, "and token")]),
    }
    for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            parts[f"{behavior}{' inverted' if invert else ''}"] = dict(pre_tokenizer=sequence(cut("[,;-]| |[0-9]", behavior, invert), plain))
    out = []
    for name, part in parts.items():
        t = Tokenizer.from_str(json.dumps(dict(copy.deepcopy(base), **part)))
        row = dict(name=name, part=part, encodings=[t.encode(s, add_special_tokens=False).ids for s in texts], with_special=t.encode("a b").ids)
        t.encode_special_tokens = True
        row["plain"] = [t.encode(s, add_special_tokens=False).ids for s in texts]
        if name in ("ignore merges", "merges as strings"): del row["part"]
        out.append(row)
    return dict(texts=texts, rows=out)


text = open(here + "corpus.txt", encoding="utf-8", newline="").read()
docs = [d.strip("\n") for d in re.split(r"\n(?:[ \t\r]*\n)+", text) if d.strip("\n")]
golden = dict(strings=STRINGS, trained=trained(docs, every_code_point()), tied=tied_corpora(), variants=variants())
with open(here + "goldens.json", "w", encoding="utf-8", newline="\n") as f:
    f.write(json.dumps(golden, ensure_ascii=True, separators=(",", ":")).replace('"name"', '\n"name"') + "\n")
for name in ("goldens.json", "hf_tokenizer.json", "corpus.txt"): print(name, os.path.getsize(here + name))
