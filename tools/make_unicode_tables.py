"""Writes suiren/text/unicode_tables.inc: the character classes that the split patterns of byte-level BPE ask for.

    python tools/make_unicode_tables.py [OUTPUT]

The classes are measured code point by code point on the regex engine of PyPI tokenizers (0.23.3: Unicode 16), so that
pre-tokens agree with it by construction. Surrogates never occur in UTF-8 and have no class.
"""
import sys
from tokenizers import Regex, pre_tokenizers

CLASSES = [("letter", r"\p{L}"), ("number", r"\p{N}"), ("space", r"\s"), ("upper", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"),
           ("lower", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"), ("word", r"\w"), ("punctuation", None)]
points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
bits = [0] * 0x110000
for bit, (_, pattern) in enumerate(CLASSES):
    # Punctuation is what the pre-tokenizer of that name takes; of ASCII it takes the symbols too, which are left out here.
    split = pre_tokenizers.Split(Regex(f"(?:{pattern})+"), "removed", invert=True) if pattern else pre_tokenizers.Punctuation()
    for i in range(0, len(points), 4096):
        for piece, _ in split.pre_tokenize_str("".join(map(chr, points[i:i + 4096]))):
            for c in piece:
                if pattern or (ord(c) > 0x7F and len(split.pre_tokenize_str(f"a{c}b")) == 3): bits[ord(c)] |= 1 << bit

runs = [(c, bits[c]) for c in range(0x110000) if c == 0 or bits[c] != bits[c - 1]]
rows = [f"0x{c << 8 | b:08x}" for c, b in runs]
with open(sys.argv[1] if len(sys.argv) > 1 else "suiren/text/unicode_tables.inc", "w", newline="\n") as out:
    out.write("// Written by tools/make_unicode_tables.py; do not edit. Runs of equal class: first code point << 8 | class bits.\n")
    out.write("// Bits: " + ", ".join(f"{1 << i} {n}" for i, (n, _) in enumerate(CLASSES)) + ".\n")
    for i in range(0, len(rows), 9):
        out.write(", ".join(rows[i:i + 9]) + ",\n")
print(len(runs), "runs")
