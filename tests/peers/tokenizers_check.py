"""Published tokenizers: the same ids and the same text as Hugging Face's tokenizers, on mixed Chinese, English, code, emoji and control characters.

    python tests/peers/tokenizers_check.py [--runner build/release/peer_tokenizer_runner] [--megabytes 10] [--only NAME ...]

Needs PyPI tokenizers. The tokenizers are those of tools/fetch_models tokenizers and minilm; what cannot be fetched is skipped by
name. --files takes other tokenizer.json files instead. Exits 1 on a difference.
"""
import argparse, array, json, pathlib, random, subprocess, sys, tempfile
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
ap = argparse.ArgumentParser()
ap.add_argument("--runner", default="build/release/peer_tokenizer_runner"); ap.add_argument("--megabytes", type=float, default=10)
ap.add_argument("--only", nargs="*"); ap.add_argument("--files", nargs="*"); ap.add_argument("--seed", type=int, default=1)
a = ap.parse_args()

EMOJI = "😀😁👍🏽👨‍👩‍👧❤️🇨🇳🔥✨🎉🤖🧪₿€£©®™→⇒≤≥∑∫√"
MARKS = "e\u0301a\u0300\u0302o\u0308\u0323 ǅ ﬁ ½ ² Ⅷ ① Å Ω 가 각 한글 \u1100\u1161\u11a8 नमस्ते สวัสดี שלום Привет İı ß ẞ ſ Ａｂｃ　１２３"
CONTROL = "".join(map(chr, [*range(0x1E), 0x1F])) + "\x7f\u0080\u0085\u00a0\u00ad\u200b\u200c\u200d\u2028\u2029\u3000\ufeff\ufffd\u2581"
SPECIAL = ["<s>", "</s>", "<|endoftext|>", "<|im_start|>", "<bos>", "[CLS]", "[MASK]", "<unk>", "<|begin_of_text|>", "▁", "<0x0A>", "<h1>", "\n\n\n", "   ", "<｜User｜>", "<start_of_turn>"]


def documents(size, r):
    """Pieces of this repository's text and code with special tokens strewn in, and strings of awkward characters."""
    read = lambda pattern: [p.read_text(encoding="utf-8") for p in sorted(ROOT.glob(pattern))]
    prose, chinese, code = read("docs/*.md") + read("LICENSE"), read("docs/*zh-CN.md") + read("tests/golden/text/corpus.txt"), read("suiren/**/*.cpp") + read("tools/*.py")
    mixed = lambda alphabet, n: "".join(r.choice(alphabet) for _ in range(r.randrange(n)))
    out, total = ["", " ", "  ", "\n", " a", "a ", "  a  b  ", "\t"], 0
    while total < size:
        kind = r.random()
        if kind < 0.65:
            source = r.choice(prose if kind < 0.2 else chinese if kind < 0.4 else code)
            at = r.randrange(len(source))
            d = source[at:at + r.choice([20, 200, 2000, 8000, 40000])]
            if r.random() < 0.2: d = d.replace(" ", " " + r.choice(SPECIAL), r.randrange(1, 5))
        elif kind < 0.75: d = mixed(EMOJI + " ab中文", 200)
        elif kind < 0.85: d = mixed(MARKS + "abc .,'", 300)
        elif kind < 0.92: d = mixed(CONTROL + "ab c中1", 200)
        elif kind < 0.97: d = r.choice(["", " ", "  "]).join(r.choice(SPECIAL + ["word", "中", "x1"]) for _ in range(r.randrange(40)))
        else: d = "".join(chr(r.choice([r.randrange(0x20, 0x3000), r.randrange(0x3000, 0xD800), r.randrange(0xE000, 0x20000)])) for _ in range(r.randrange(100)))
        out.append(d.replace("\x1e", ""))
        total += len(out[-1].encode())
    return out


def fetched(name):
    """The tokenizer.json files of a name that tools/fetch_models knows, by the models' names."""
    done = subprocess.run([ROOT / "tools/fetch_models", name], stdout=subprocess.PIPE, text=True)
    if done.returncode: print(f"{name}: skipped, tools/fetch_models {name} failed")
    return {f.parent.name: f for f in sorted(pathlib.Path(done.stdout.strip()).rglob("tokenizer.json"))} if not done.returncode else {}


def ours(file, text, folder):
    ids, decoded = folder / "ids", folder / "decoded"
    done = subprocess.run([a.runner, str(file), str(text), str(ids), str(decoded)], capture_output=True, text=True)
    if done.returncode: raise SystemExit(f"{file}: {done.stderr.strip()}")
    rows, row = [], []
    for i in array.array("I", ids.read_bytes()):
        if i == 0xFFFFFFFF: rows.append(row); row = []
        else: row.append(i)
    return rows, decoded.read_bytes().split(b"\x1e"), json.loads(done.stdout)


docs, failed = documents(a.megabytes * 1e6, random.Random(a.seed)), False
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "text").write_bytes("\x1e".join(docs).encode())
    for name, file in ({f: f for f in a.files} if a.files else {**fetched("tokenizers"), **fetched("minilm")}).items():
        if a.only and name not in a.only: continue
        rows, texts, speed = ours(file, folder / "text", folder)
        theirs = tokenizers.Tokenizer.from_file(str(file))
        theirs.no_truncation(); theirs.no_padding()
        ids = text = count = 0
        for d, row, back in zip(docs, rows, texts):
            expected = theirs.encode(d, add_special_tokens=False).ids
            count += len(expected)
            same, same_text = row == expected, back == theirs.decode(expected, skip_special_tokens=False).encode()
            if not (same and same_text) and not failed: print(f"{name}: differs: {d[:200]!r}")
            ids, text, failed = ids + same, text + same_text, failed or not (same and same_text)
        print(f"{name}: ids equal in {ids} of {len(docs)} documents ({count} tokens), text in {text} of {len(docs)}; {json.dumps(speed)}", flush=True)
sys.exit(failed)
