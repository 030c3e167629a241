#!/usr/bin/env python3
"""make_case_tables.py [FOLDER]: what python's str methods know about characters, as runs: property_tables.inc and case_tables.inc.

Chat templates are to print what python prints, so python is the source; the version stands in the file's first line.
"""
import pathlib
import sys
import unicodedata

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "suiren/text/jinja")
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
PROPERTIES = [str.isupper, str.islower, str.istitle, lambda s: not s.isprintable(), str.isalpha, str.isdecimal, str.isdigit, str.isnumeric]


def bits(c):
    if 0xD800 <= c < 0xE000:
        return 8
    s = chr(c)
    up, low, title, hidden, alpha, decimal, digit, numeric = (p(s) for p in PROPERTIES)
    return up * 1 | low * 2 | (title and not up) * 4 | hidden * 8 | alpha * 16 | decimal * 32 | digit * 64 | numeric * 128


def property_runs():
    last = None
    for c in range(0x110000):
        if (b := bits(c)) != last:
            yield f"{c << 8 | b:#010x}"
            last = b


def case_runs(convert):
    """first, last, stride, delta of characters that convert to one other character."""
    run = None
    for c in CODES:
        to = convert(chr(c))
        if len(to) != 1 or ord(to) == c:
            continue
        delta = ord(to) - c
        if run and run[3] == delta and c - run[1] in ((1, 2) if run[0] == run[1] else (run[2],)):
            run[2], run[1] = c - run[1], c
        else:
            if run:
                yield run
            run = [c, c, 1, delta]
    yield run


def specials(convert):
    """Characters that convert to several."""
    for c in CODES:
        if len(to := convert(chr(c))) > 1:
            yield [c] + [ord(x) for x in to] + [0] * (3 - len(to))


def lines(name, kind, items):
    text, line = f"constexpr {kind} {name}[] = {{\n", "   "
    for item in items:
        item = item if isinstance(item, str) else "{" + ", ".join(map(str, item)) + "}"
        if len(line) + len(item) > 106:
            text, line = text + line + "\n", "   "
        line += f" {item},"
    return text + line + "\n};\n"


SOURCE = f"// Written by tools/make_case_tables.py from python {sys.version.split()[0]} (Unicode {unicodedata.unidata_version}); do not edit.\n"
(OUT / "property_tables.inc").write_text(
    SOURCE + "// Runs: first code point << 8 | 1 upper, 2 lower, 4 title, 8 not printable, 16 alpha, 32 decimal, 64 digit, 128 numeric.\n"
    + lines("kPropertyRuns", "uint32_t", property_runs()))
(OUT / "case_tables.inc").write_text(
    SOURCE + "// Runs: first, last, stride, difference. Specials: a character and those it becomes.\n"
    + "".join(lines(f"k{name}Runs", "CaseRun", case_runs(f)) + lines(f"k{name}Specials", "CaseSpecial", specials(f))
              for name, f in (("Upper", str.upper), ("Lower", str.lower), ("Title", str.title), ("Fold", str.casefold))))
