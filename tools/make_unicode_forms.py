"""Writes suiren/text/unicode_forms.inc: what the normalizers of tokenizer.json do to single characters.

    python tools/make_unicode_forms.py [OUTPUT]

Everything is measured code point by code point on PyPI tokenizers (0.23.3, whose normal forms know Unicode 12), so that
normalized text agrees with it by construction: decompositions, canonical combining classes, compositions, lower case, and the
sets that StripAccents, BertNormalizer and Nmt take away or turn into spaces. Hangul syllables are computed, not stored.
"""
import sys
import unicodedata
from tokenizers import normalizers

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
NFC, NFD, NFKC, NFKD = (getattr(normalizers, n)().normalize_str for n in ("NFC", "NFD", "NFKC", "NFKD"))
hangul = lambda c: 0xAC00 <= c < 0xD7A4
codes = lambda s: [ord(c) for c in s]


def combining_classes():
    """Class of each mark, found by which marks of known class it trades places with."""
    known = {unicodedata.combining(chr(c)): chr(c) for c in reversed(POINTS) if unicodedata.combining(chr(c)) and NFD(chr(c)) == chr(c)
             and (NFD(f"\u302a{chr(c)}") != f"\u302a{chr(c)}" or NFD(f"{chr(c)}\u0334") != f"{chr(c)}\u0334")}
    known[1] = "\u0334"
    out = {}
    for c in POINTS:
        x = chr(c)
        if hangul(c) or NFD(x) != x or (NFD("\u0345" + x) == "\u0345" + x and NFD(x + "\u0334") == x + "\u0334"): continue
        above = [k for k, r in known.items() if NFD("a" + x + r) != "a" + x + r]  # known classes below that of x
        below = [k for k, r in known.items() if NFD("a" + r + x) != "a" + r + x]
        between = [k for k in known if k not in above and k not in below]
        assert len(between) <= 1, hex(c)
        out[c] = between[0] if between else unicodedata.combining(x)
        assert all(k < out[c] for k in above) and all(k > out[c] for k in below), hex(c)
    return out


def sets():
    """Bits: 1 StripAccents removes, 2 BertNormalizer's strip_accents removes, 4 / 8 its clean_text removes / makes a space,
    16 / 32 Nmt removes / makes a space, 64 BertNormalizer sets it apart as Chinese."""
    bert = lambda **on: normalizers.BertNormalizer(**dict(dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False), **on)).normalize_str
    accents, marks, clean, nmt, chinese = normalizers.StripAccents().normalize_str, bert(strip_accents=True), bert(clean_text=True), normalizers.Nmt().normalize_str, bert(handle_chinese_chars=True)
    bits = [0] * 0x110000
    for c in POINTS:
        x = chr(c)
        bits[c] |= (accents(x) == "") | (marks(x) == "") << 1 | (clean(x) == "") << 2 | (x != " " == clean(x)) << 3 | (nmt(x) == "") << 4 | (x != " " == nmt(x)) << 5
        bits[c] |= (chinese(x) == f" {x} ") << 6
    return bits


classes = combining_classes()
lower_of = normalizers.Lowercase().normalize_str
canonical = {c: codes(NFD(chr(c))) for c in POINTS if not hangul(c) and NFD(chr(c)) != chr(c)}
compatible = {c: codes(NFKD(chr(c))) for c in POINTS if not hangul(c) and NFKD(chr(c)) != NFD(chr(c))}
composed = {}
for c in canonical:
    if NFC(chr(c)) != chr(c): continue
    first = NFC("".join(map(chr, canonical[c][:-1])))
    assert len(first) == 1 and NFC(first + chr(canonical[c][-1])) == chr(c), hex(c)
    composed[ord(first), canonical[c][-1]] = c
lower = {c: lower_of(chr(c)) for c in POINTS if lower_of(chr(c)) != chr(c)}
assert [c for c, s in lower.items() if len(s) > 1] == [0x130] and codes(lower[0x130]) == [0x69, 0x307]
bits = sets()
runs = lambda value: [c << 8 | value(c) for c in range(0x110000) if c == 0 or value(c) != value(c - 1)]
# Lower case as runs of equal distance: first, last, step, distance (two's complement).
steps = []
for c in sorted(c for c in lower if c != 0x130):
    d = ord(lower[c]) - c
    if steps and steps[-1][3] == d and c - steps[-1][1] == (steps[-1][2] or c - steps[-1][1]) and c - steps[-1][1] <= 2:
        steps[-1][2], steps[-1][1] = c - steps[-1][1], c
    else:
        steps.append([c, c, 0, d])
tables = [
    ("kCanonical", "code | length << 24, then the code points of its full canonical decomposition", [n for c, s in canonical.items() for n in [c | len(s) << 24, *s]]),
    ("kCompatible", "the same for compatibility decompositions that differ", [n for c, s in compatible.items() for n in [c | len(s) << 24, *s]]),
    ("kCompositions", "first, second, what they compose to", [n for (a, b), c in sorted(composed.items()) for n in (a, b, c)]),
    ("kCombiningRuns", "runs of equal canonical combining class: first code point << 8 | class", runs(lambda c: classes.get(c, 0))),
    ("kLowerRuns", "first, last, step, distance to lower case; U+0130 is apart: two characters", [n & 0xFFFFFFFF for a, b, s, d in steps for n in (a, b, s or 1, d)]),
    ("kSetRuns", "runs of equal sets: first code point << 8 | bits (CharSet in unicode_forms.h)", runs(lambda c: bits[c])),
]
with open(sys.argv[1] if len(sys.argv) > 1 else "suiren/text/unicode_forms.inc", "w", newline="\n") as out:
    out.write("// Written by tools/make_unicode_forms.py; do not edit.\n")
    for name, what, numbers in tables:
        out.write(f"// {what}\nconstexpr uint32_t {name}[] = {{\n")
        line = ""
        for n in numbers:
            if len(line) + 12 > 240:
                out.write(line.rstrip() + "\n")
                line = ""
            line += f"0x{n:x}, "
        out.write(line.rstrip() + "\n};\n")
        print(name, len(numbers))
