"""Writes templates.json: small chat templates and what jinja2 makes of them, set up as Hugging Face's transformers does.

    python tests/golden/text/make_templates.py        needs PyPI jinja2, transformers

A case is [template, text] or [template, null] where jinja2 raises an error. All see CONTEXT; strftime_now sees CLOCK.
"""
import datetime, json, pathlib
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

CLOCK = datetime.datetime(2026, 3, 7, 8, 5, 9)
CONTEXT = {
    "a": 1, "b": 2.5, "s": "Hello, World", "t": "  two\nlines \u00a0", "zh": "睡莲 blooms", "e": "", "n": None, "yes": True, "no": False,
    "big": 9007199254740993, "neg": -7, "xs": [3, 1, 2], "ys": ["b", "A", "c", "a"], "empty": [], "d": {"z": 1, "a": [1, {"k": "v"}], "m": None},
    "nested": {"items": 5, "x": {"y": {"z": "deep"}}, "get": 1}, "html": "<a href='x'>\"&\"</a>", "q": "it's", "qq": "it's \"q\"",
    "emoji": "a😀b", "tab": "a\tb\\c", "greek": "ΟΔΥΣΣΕΥΣ ß ŉ", "f": [0.1, 1e16, 1e-5, 123456789.125, -0.0, 1e22, 5e-324, 100.0],
    "people": [{"name": "Bo", "age": 30, "tags": ["x"]}, {"name": "al", "age": 4, "tags": []}, {"name": "Cy", "age": 30, "on": True}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "d é", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}}],
}
EXPRESSIONS = r"""
1 + 2 * 3 - 4 ¦ 1 + 2.0 ¦ 7 / 2 ¦ 7 // 2 ¦ -7 // 2 ¦ 7 // -2 ¦ -7 % 3 ¦ 7 % -3 ¦ 7.5 % 2 ¦ -7.5 % 2 ¦ 7.5 // 2 ¦ -7.5 // 2 ¦ 2 ** 10 ¦ 2 ** -1 ¦ 2 ** 0.5 ¦ 2 ** 3 ** 2 ¦ -2 ** 2 ¦ (-2) ** 2 ¦ 1 / 0 ¦ 1 // 0 ¦ 1 % 0
1.0 / 0 ¦ 0.1 + 0.2 ¦ 1e16 ¦ 1e15 ¦ 123456789012345680.0 ¦ 1e-4 ¦ 1e-5 ¦ 0.00001234 ¦ 1e22 ¦ 1e300 * 1e10 ¦ 3.0 ¦ -0.0 ¦ 100 * 1.1 ¦ 5e-324 ¦ 1_000 ¦ 0x1F ¦ 0o17 ¦ 0b101 ¦ 1_0.5 ¦ 1e3 ¦ 1.5e-3 ¦ 012 ¦ 10 / 4 * 2
f ¦ f[0] ¦ big ¦ big + 1 ¦ neg ¦ a + b ¦ a + yes ¦ yes + yes ¦ no * 5 ¦ -yes ¦ +a ¦ not a ¦ not e ¦ not not s ¦ 1 < 2 < 3 ¦ 1 < 3 < 2 ¦ 3 > 2 >= 2 != 1 ¦ 1 == 1.0 ¦ 1 == true ¦ 1 == '1' ¦ 'a' < 'b' ¦ 'a' < 1 ¦ [1, 2] < [1, 3] ¦ [1] < [1, 2]
(1, 2) == (1, 2) ¦ [1] == (1,) ¦ none == none ¦ none < 1 ¦ undefined1 == undefined2 ¦ undefined1 == 1 ¦ {'a': 1} == {'a': 1.0} ¦ 'a' in 'cat' ¦ '' in 'cat' ¦ 'x' not in 'cat' ¦ 1 in xs ¦ 5 not in xs ¦ 'z' in d ¦ 'q' in d ¦ 1 in 5 ¦ 1 in 'abc'
1 in none ¦ a in undefined1 ¦ undefined1 in 'abc' ¦ 'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1] ¦ 1 ~ 2 ¦ s + '!' ¦ s + 1 ¦ 1 + s ¦ s * 2 ¦ 2 * s ¦ s * -1 ¦ xs + [4] ¦ xs + (4,) ¦ xs * 2 ¦ (1, 2) + (3,) ¦ '%s-%d' % ('a', 3) ¦ '%5.2f|' % b ¦ '%05d' % 42 ¦ '%-5s|' % 'ab'
'%x %X %o' % (255, 255, 8) ¦ '%r' % 'a' ¦ '%s' % xs ¦ '%s %s' % (1,) ¦ '%s' % (1, 2) ¦ '%(k)s!' % {'k': 5} ¦ '%%' % () ¦ '%c' % 'x' ¦ '%+d % d' % (5, 5) ¦ '%e' % 12345.678 ¦ '%g' % 0.0001 ¦ '%s' % none ¦ '%d' % 3.9 ¦ '%.3s' % 'abcdef' ¦ '%q' % 1
s and e ¦ e and s ¦ s or e ¦ e or s ¦ e or n or 0 ¦ a and b and no ¦ n or undefined1 ¦ 'x' if a else 'y' ¦ 'x' if no else 'y' ¦ 'x' if no ¦ ('x' if no) is defined ¦ 'x' if yes if no else 'z' ¦ 1 if 0 else 2 if 0 else 3
s[0] ¦ s[-1] ¦ s[100] ¦ s[1:4] ¦ s[:-3] ¦ s[::-1] ¦ s[::2] ¦ s[10:2:-2] ¦ s[-3:] ¦ s[5:2] ¦ s[::0] ¦ zh[0] ¦ zh[1:4] ¦ zh[::-1] ¦ emoji[1] ¦ emoji[2:] ¦ xs[0] ¦ xs[-1] ¦ xs[9] ¦ xs[1:] ¦ xs[::-1] ¦ xs[-2::-1] ¦ xs[:100] ¦ xs['a'] ¦ xs[1.0] ¦ xs[true] ¦ (1, 2, 3)[1:] ¦ d['z'] ¦ d['a'][1]['k']
d.a.1.k ¦ d.a[0] ¦ d.q ¦ d.q.r ¦ d['q']['r'] ¦ nested.x.y.z ¦ nested['items'] ¦ nested['get'] ¦ nested.items() ¦ nested.x.items() ¦ undefined1 ¦ undefined1.x ¦ undefined1['x'] ¦ undefined1() ¦ undefined1 + 1 ¦ -undefined1 ¦ undefined1 ~ 'x' ¦ undefined1|length
n.x ¦ n['x'] ¦ n.x.y ¦ a.x ¦ s.nothing ¦ s.upper|length ¦ s.__class__ ¦ s.__class__.__mro__ ¦ ''['__class__'] ¦ d.__class__ ¦ xs.append ¦ xs.append(1) ¦ d.pop('z') ¦ d.update({}) ¦ d.clear ¦ ().__class__.__bases__ ¦ a.__add__ ¦ s.format.__globals__ ¦ d.__init__
s.upper() ¦ s.lower() ¦ s.title() ¦ s.capitalize() ¦ s.swapcase() ¦ 'hello wORLD x2y'.title() ¦ 'ab cd'.capitalize() ¦ t.strip() ¦ t.lstrip() ¦ t.rstrip() ¦ 'xxaxx'.strip('x') ¦ 'xyax'.lstrip('yx') ¦ 'abc'.rstrip('bc') ¦ s.split() ¦ s.split(',') ¦ s.split(', ') ¦ 'a,b,,c'.split(',', 1)
'  a b  c '.split() ¦ '  a b  c '.split(none, 1) ¦ '  a b  c '.rsplit(none, 1) ¦ 'a,b,c'.rsplit(',', 1) ¦ 'a'.split('') ¦ ''.split() ¦ ''.split(',') ¦ 'a-b-c'.partition('-') ¦ 'a-b-c'.rpartition('-') ¦ 'abc'.partition('x') ¦ 'abc'.rpartition('x') ¦ 'a\nb\r\nc\n'.splitlines() ¦ 'a\nb'.splitlines(true)
s.startswith('Hell') ¦ s.startswith(('x', 'H')) ¦ s.endswith('ld') ¦ s.startswith('W', 7) ¦ s.endswith('lo', 0, 5) ¦ s.startswith(1) ¦ s.find('o') ¦ s.find('o', 5) ¦ s.rfind('o') ¦ s.find('zz') ¦ s.index('W') ¦ s.index('zz') ¦ s.count('l') ¦ s.count('') ¦ zh.find('b') ¦ zh.count('o')
s.replace('l', 'L') ¦ s.replace('l', 'L', 1) ¦ 'aaa'.replace('', '-') ¦ 'aaa'.replace('', '-', 2) ¦ s.replace('l') ¦ s.replace('World', zh) ¦ '-'.join(['a', 'b']) ¦ '-'.join('abc') ¦ '-'.join([1]) ¦ '-'.join(d) ¦ ','.join([]) ¦ 'abc'.center(9, '*') ¦ 'abc'.center(8) ¦ 'ab'.center(5) ¦ 'abc'.ljust(6, '.') ¦ 'abc'.rjust(6) ¦ '-7'.zfill(4) ¦ 'abc'.zfill(2)
'a\tb'.expandtabs(4) ¦ 'abc'.isalpha() ¦ 'ab1'.isalnum() ¦ '12'.isdigit() ¦ '½'.isnumeric() ¦ '²'.isdigit() ¦ '²'.isdecimal() ¦ 'ABC'.isupper() ¦ 'aBc'.islower() ¦ ' \t'.isspace() ¦ ''.isspace() ¦ 'Ab Cd'.istitle() ¦ 'a1_'.isidentifier() ¦ '1a'.isidentifier() ¦ 'é'.isascii() ¦ 'ab'.isprintable() ¦ 'prefix-x'.removeprefix('prefix-') ¦ 'x.txt'.removesuffix('.txt')
'{} and {}'.format(1, 'b') ¦ '{1}{0}'.format(1, 2) ¦ '{x:>5}|'.format(x='ab') ¦ '{:.2f}'.format(3.14159) ¦ '{:05d}'.format(42) ¦ '{:,}'.format(1234567) ¦ '{:,.1f}'.format(1234567.89) ¦ '{0.x}'.format(nested) ¦ '{0[x]}'.format(d) ¦ '{:x}'.format(255) ¦ '{:#x} {:b} {:o}'.format(255, 5, 8) ¦ '{:^9}|'.format('mid') ¦ '{:*<6}'.format('a') ¦ '{{}}'.format()
'{:%}'.format(0.256) ¦ '{:e}'.format(12345.678) ¦ '{:g}'.format(1e-7) ¦ '{!r}'.format('a') ¦ '{:{w}}|'.format('a', w=4) ¦ '{}'.format() ¦ '{:d}'.format('a') ¦ '{:+d}'.format(5) ¦ '{:s}'.format('x') ¦ '{0.__class__}'.format(1) ¦ '{a}'.format_map({'a': 3}) ¦ '{:10}|{:<4}|{:>4}'.format('x', 1, 'y') ¦ '{'.format() ¦ '}'.format()
greek.lower() ¦ greek.upper() ¦ greek.title() ¦ greek.casefold() ¦ zh.upper() ¦ 'ǆ'.title() ¦ 'ﬁ'.upper() ¦ 'İ'.lower() ¦ 'éÀ'.swapcase() ¦ d.get('z') ¦ d.get('q') ¦ d.get('q', 7) ¦ d.get('m', 7) ¦ d.get() ¦ d.keys() ¦ d.values() ¦ d.items() ¦ d.keys()|list ¦ d.copy() ¦ xs.index(1) ¦ xs.index(9) ¦ xs.count(3) ¦ (1, 1).count(1) ¦ b.is_integer() ¦ 2.0.is_integer()
d ¦ xs ¦ ys ¦ people[0] ¦ [none, true, 1.5, 'x', undefined1] ¦ (1,) ¦ () ¦ [] ¦ {} ¦ {'a': 'b', 1: 2, none: 3, true: 4} ¦ {1: 'a', 1.0: 'b', true: 'c'} ¦ q ¦ [q] ¦ [qq] ¦ [tab] ¦ [t] ¦ [zh, emoji] ¦ ['\x07\x7f\u200b\xa0'] ¦ [html] ¦ {[1]: 2} ¦ {'a': 1, 'a': 2} ¦ [1, [2, [3, (4,)]]]
s|upper ¦ s|lower ¦ s|title ¦ 'foo-bar (baz) [q] a1b x\'s'|title ¦ 'ABC def'|capitalize ¦ t|trim ¦ 'xxaxx'|trim('x') ¦ 5|upper ¦ none|upper ¦ undefined1|upper ¦ s|replace('o', '0') ¦ s|replace('o', '0', 1) ¦ 5|replace(5, 6) ¦ s|replace('o') ¦ s|length ¦ zh|length ¦ d|length ¦ 5|length ¦ none|length ¦ undefined1|length ¦ xs|count
s|first ¦ s|last ¦ xs|first ¦ xs|last ¦ empty|first ¦ empty|last ¦ d|first ¦ d|last ¦ 5|first ¦ none|first ¦ undefined1|first ¦ xs|join ¦ xs|join(', ') ¦ people|join(', ', attribute='name') ¦ ys|join('-') ¦ d|join ¦ s|join('.') ¦ 5|join ¦ [1, none, undefined1]|join('|') ¦ xs|sum ¦ people|sum(attribute='age') ¦ [[1], [2]]|sum(start=[]) ¦ ys|sum
xs|sort ¦ xs|sort(reverse=true) ¦ ys|sort ¦ ys|sort(case_sensitive=true) ¦ people|sort(attribute='name')|map(attribute='name')|list ¦ people|sort(attribute='age,name')|map(attribute='name')|join ¦ people|sort(attribute='age', reverse=true)|map(attribute='name')|join ¦ [1, 'a']|sort ¦ d|dictsort ¦ d|dictsort(by='value') ¦ {'b': 2, 'A': 3, 'c': 1}|dictsort ¦ {'b': 2, 'A': 3, 'c': 1}|dictsort(true) ¦ {'b': 2, 'A': 3}|dictsort(false, 'value') ¦ {'b': 2, 'A': 3}|dictsort(reverse=true) ¦ {'b': 2}|dictsort(by='x')
xs|min ¦ xs|max ¦ ys|max ¦ people|min(attribute='age') ¦ empty|max ¦ people|map(attribute='age')|max ¦ ys|unique|list ¦ [1, 1.0, 2, true]|unique|list ¦ people|unique(attribute='age')|map(attribute='name')|list ¦ [[1], [1]]|unique|list ¦ xs|reverse|list ¦ s|reverse ¦ 5|reverse ¦ d|reverse|list ¦ xs|batch(2)|list ¦ xs|batch(2, 'x')|list ¦ xs|slice(2)|list ¦ xs|slice(2, 'x')|list ¦ xs|batch(0)|list
people|map('length')|list ¦ ys|map('upper')|join ¦ xs|map('string')|join('+') ¦ people|map(attribute='tags.0')|list ¦ people|map(attribute='on', default='off')|list ¦ people|map(attribute='on')|list ¦ ys|map('nofilter')|list ¦ ys|map()|list ¦ xs|map('int', default=3)|list ¦ ys|map('replace', 'a', 'X')|list ¦ undefined1|map('upper')|list
people|selectattr('on')|list ¦ people|selectattr('on', 'defined')|map(attribute='name')|list ¦ people|selectattr('age', 'equalto', 30)|map(attribute='name')|join ¦ people|rejectattr('age', 'gt', 5)|map(attribute='name')|join ¦ people|selectattr('name', 'in', ['Bo', 'Cy'])|list|length ¦ xs|select('odd')|list ¦ xs|reject('odd')|list ¦ xs|select|list ¦ [0, 1, '', 'a']|select|list ¦ [0, 1]|reject|list ¦ xs|select('gt', 1)|sum ¦ messages|selectattr('role', 'ne', 'system')|list|first
xs|select('nope')|list ¦ people|selectattr|list ¦ people|selectattr('tags.0', 'eq', 'x')|map(attribute='name')|list ¦ xs|list ¦ s|list ¦ d|list ¦ 5|list ¦ d|items|list ¦ undefined1|items|list ¦ xs|items|list ¦ none|list ¦ d|tojson ¦ d|tojson(indent=2) ¦ xs|tojson ¦ s|tojson ¦ zh|tojson ¦ zh|tojson(ensure_ascii=true) ¦ emoji|tojson(ensure_ascii=true) ¦ html|tojson ¦ tab|tojson ¦ f|tojson ¦ n|tojson ¦ undefined1|tojson
d|tojson(separators=(',', ':')) ¦ d|tojson(sort_keys=true) ¦ d|tojson(indent=2, sort_keys=true, separators=(', ', ' = ')) ¦ []|tojson(indent=2) ¦ {}|tojson(indent=1) ¦ [[], {}]|tojson(indent=1) ¦ (1, 2)|tojson ¦ {1: 2, none: 3, true: 4, 1.5: 6}|tojson ¦ xs|map('string')|tojson ¦ tools|tojson ¦ tools|tojson(indent=4) ¦ tools[0]|tojson(indent='  ') ¦ '\x01\x7f\u2028'|tojson ¦ d|tojson(true) ¦ d|tojson(indent=0) ¦ range(3)|tojson ¦ [1, undefined1]|tojson
d.keys()|tojson ¦ n|default('x') ¦ undefined1|default('x') ¦ undefined1|default ¦ e|default('x') ¦ e|default('x', true) ¦ no|d('x', boolean=true) ¦ d.q|default(s) ¦ '42'|int ¦ '42.7'|int ¦ 'x'|int ¦ 'x'|int(default=5) ¦ '0x1F'|int(base=16) ¦ '1f'|int(0, 16) ¦ '0b11'|int(base=2) ¦ ' 7 '|int ¦ '1_000'|int ¦ 3.99|int ¦ -3.99|int ¦ true|int ¦ none|int ¦ [1]|int ¦ '1e3'|int ¦ '-5'|int ¦ '+5'|int ¦ undefined1|int ¦ 'inf'|int
'3.5'|float ¦ 'x'|float ¦ 'x'|float(1.5) ¦ '1e5'|float ¦ 'inf'|float ¦ ' 2 '|float ¦ 5|float ¦ none|float ¦ true|float ¦ neg|abs ¦ -2.5|abs ¦ 'x'|abs ¦ 2.5|round ¦ 3.5|round ¦ 2.567|round(2) ¦ 2.675|round(2) ¦ 5|round ¦ 1234.5|round(-2) ¦ 2.1|round(method='ceil') ¦ 2.9|round(0, 'floor') ¦ 2.15|round(1, 'ceil') ¦ 2.5|round(method='x') ¦ 'x'|round ¦ 1e300|round(2) ¦ 0.5|round ¦ 1.5|round ¦ -0.4|round
html|escape ¦ html|e ¦ html|safe ¦ html|safe|upper ¦ html|forceescape ¦ html|striptags ¦ 'a &amp; <b>b</b>\n c'|striptags ¦ (html|safe) + '<x>' ¦ '<x>' + (html|safe) ¦ (html|safe) ~ '<x>' ¦ ('<b>'|safe) * 2 ¦ [('x'|safe)] ¦ ('%s'|safe) % '<' ¦ ('{}'|safe).format('<') ¦ ('<'|safe)|tojson ¦ ('<a>'|safe).replace('a', '<') ¦ ('a-b'|safe).split('-') ¦ ('<'|safe).join(['<', '>']) ¦ ('<'|safe) == '<'
'a b'|urlencode ¦ 'a/b?c=é'|urlencode ¦ {'a': 1, 'b c': 'd&e'}|urlencode ¦ [('a', 1)]|urlencode ¦ 'one two three'|wordcount ¦ zh|wordcount ¦ 'abc'|center(9) ¦ 'a\nb\n\nc'|indent ¦ 'a\nb\n\nc'|indent(2) ¦ 'a\nb\n\nc'|indent(2, true) ¦ 'a\nb\n\nc'|indent(2, blank=true) ¦ 'a\nb'|indent('> ', first=true) ¦ ''|indent ¦ 'a\n'|indent ¦ 5|indent
'foo bar baz qux'|truncate(9) ¦ 'foo bar baz qux'|truncate(9, true) ¦ 'foo bar baz qux'|truncate(11) ¦ 'foo bar baz qux'|truncate(9, false, '..', 0) ¦ 'foo'|truncate(1) ¦ zh|truncate(4, true, '…', 0) ¦ '%s-%s'|format('a', 1) ¦ '%(x)s'|format(x=3) ¦ 5|string ¦ none|string ¦ [1]|string ¦ nested|attr('x') ¦ nested|attr('get')|length ¦ s|attr('upper')() ¦ d|attr('z')
a is defined ¦ undefined1 is defined ¦ undefined1 is undefined ¦ d.q is defined ¦ d.z is defined ¦ none is none ¦ n is none ¦ n is not none ¦ no is none ¦ undefined1 is none ¦ yes is boolean ¦ a is boolean ¦ yes is true ¦ a is true ¦ no is false ¦ 0 is false ¦ a is integer ¦ yes is integer ¦ b is integer ¦ b is float ¦ a is float ¦ a is number ¦ yes is number ¦ s is number ¦ s is string ¦ a is string ¦ d is mapping ¦ xs is mapping
xs is sequence ¦ s is sequence ¦ d is sequence ¦ a is sequence ¦ undefined1 is sequence ¦ xs is iterable ¦ s is iterable ¦ a is iterable ¦ none is iterable ¦ undefined1 is iterable ¦ range(3) is iterable ¦ range(3) is sequence ¦ xs|map('int') is iterable ¦ (xs|map('int')) is sequence ¦ d.items() is iterable ¦ d.items() is sequence ¦ 1 is odd ¦ 2 is odd ¦ -1 is odd ¦ 2 is even ¦ 1.0 is odd ¦ 'a' is odd ¦ 9 is divisibleby 3 ¦ 9 is divisibleby(2) ¦ 9 is divisibleby 0
'abc' is lower ¦ 'ABC' is upper ¦ 'aBc' is lower ¦ 1 is lower ¦ a is sameas 1 ¦ xs is sameas xs ¦ none is sameas none ¦ 1 is in xs ¦ 1 is not in xs ¦ 1 is eq 1 ¦ 1 is equalto(2) ¦ 1 is ne 2 ¦ 1 is lt 2 ¦ 1 is le 1 ¦ 2 is gt 1 ¦ 2 is ge 2 ¦ 1 is lessthan 2 ¦ 1 is greaterthan 0 ¦ 1 is == 1 ¦ range is callable ¦ s is callable ¦ undefined1 is callable ¦ s is escaped ¦ (s|safe) is escaped ¦ 'upper' is filter ¦ 'nope' is filter ¦ 'odd' is test ¦ a is nope ¦ s|nope ¦ a is defined is true
not a is defined ¦ a is defined and b is defined ¦ a is not defined or s is string ¦ not (a is none) ¦ 1 is eq 1 and 2 is eq 2 ¦ a is divisibleby 1 + 1 ¦ d.z is eq d.z ¦ xs|length is eq 3 ¦ xs | length > 2 ¦ -1 | abs ¦ - 1 | abs ¦ (-1)|abs ¦ -a|abs ¦ 'a' 'b' "c" ¦ 'a' if a is defined else 'b' ¦ [1, 2,] ¦ (1, 2,) ¦ {'a': 1,} ¦ range(5)|list ¦ range(2, 8, 3)|list ¦ range(5, 0, -2)|list ¦ range(3) ¦ range(1, 10, 3)
range(10)[2:5]|list ¦ range(10)[::-1]|list ¦ range(10)[3] ¦ range(3)|length ¦ range(1000000) ¦ range('a') ¦ range(0)|list ¦ range(1, 5, 0) ¦ range(3)|last ¦ 3 in range(5) ¦ 7 in range(5) ¦ range(3) == range(3) ¦ dict(a=1, b=2) ¦ dict(d, z=5) ¦ dict([('x', 1)]) ¦ dict([1]) ¦ dict(1) ¦ dict([('k', 2)], **{'j': 3}) ¦ dict(**d) ¦ namespace(a=1).a ¦ namespace({'b': 2}).b ¦ namespace(a=1).q ¦ namespace(a=1) ¦ namespace(_a=1)
strftime_now('%Y-%m-%d') ¦ strftime_now('%d %b %Y, %H:%M:%S %A %B %j %p %I %y %%') ¦ strftime_now('%Z%z|') ¦ raise_exception('no!') ¦ raise_exception(a) ¦ cycler('a', 'b').next() ¦ joiner(', ')() ¦ cycler() ¦ none() ¦ a() ¦ s() ¦ s.upper(1) ¦ d.get('z', 1, 2) ¦ s.strip(chars='x') ¦ 'abc'|upper(1) ¦ xs|join(sep=',')
'\n\t\\\'\"\x41\u00e9\U0001F600\101\q' ¦ "it's" ¦ '\é' ¦ '睡' ¦ [1,2,3]|length ¦ xs[0] if xs else 'none' ¦ [x] ¦ (a) ¦ ((a, b)) ¦ a, b ¦ (a, b)[0] ¦ d | length ~ 'x' ¦ 'x' ~ xs | length ¦ 1 + xs | length ¦ xs | first + 1 ¦ not xs | length ¦ {'a': {'b': [1, 2]}}.a.b[1] ¦ [[1, 2], [3, 4]][1][0] ¦ 'abc'[1] ¦ 'abc'.upper()[0] ¦ (1, 2) | list ¦ [3, 1] | sort | first
true and 1 ¦ True ¦ False ¦ None ¦ TRUE ¦ none ¦ loop ¦ varargs ¦ caller ¦ a.b.c ¦ a[ ¦ a] ¦ (a ¦ {{ }} ¦ a b ¦ a + ¦ * 2 ¦ a if ¦ a is ¦ a is not ¦ a| ¦ ||a ¦ ¦ 'abc ¦ [1, 2 ¦ {1: } ¦ {1} ¦ a..b ¦ a. ¦ f( ¦ d.get( ¦ d.get('z',) ¦ d.get(**{'z': 1}) ¦ d.get(*['z']) ¦ d.get(*('q', 9)) ¦ dict(a=1, 2) ¦ dict(a=1, a=2) ¦ dict(**{'a': 1}, b=2) ¦ $ ¦ a ! b ¦ a ? b ¦ a & b ¦ a := 1 ¦ lambda x: x ¦ x for x in xs ¦ xs[] ¦ d[] ¦ '%s|' % undefined1 ¦ '%d' % undefined1 ¦ s|string(1) ¦ html|forceescape('x') ¦ namespace(undefined1) ¦ ('<a>'|safe).replace('a', undefined1) ¦ ('<a>'|safe).replace('a', 5) ¦ s.replace('a', 5)
"""
STATEMENTS = r"""
{% if a %}yes{% endif %}
{% if no %}x{% elif n %}y{% elif a %}z{% else %}w{% endif %}
{% if no %}x{% else %}w{% endif %}
{% if undefined1 %}x{% endif %}.
{% if xs is defined and xs | length > 2 %}long{% endif %}
{% if a %}⏎  {%- if b %} in {% endif -%}⏎{% endif %}|
{% for x in xs %}{{ x }},{% endfor %}
{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}
{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}{{ loop }}
{% for x in [1, 1, 2, 2, 1] %}{% if loop.changed(x) %}{{ x }}{% endif %}{% endfor %}
{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}
{% for x in xs if x > 5 %}{{ x }}{% else %}none{% endfor %}
{% for x in empty %}{{ x }}{% else %}none{% endfor %}
{% for x in undefined1 %}x{% else %}none{% endfor %}
{% for x in none %}x{% endfor %}
{% for x in 5 %}x{% endfor %}
{% for c in s %}{{ c }}.{% endfor %}
{% for c in zh %}[{{ c }}]{% endfor %}
{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for a, b in xs %}{{ a }}{% endfor %}
{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in xs %}{% continue %}{% else %}E{% endfor %}
{% for x in xs %}{% break %}{% else %}E{% endfor %}
{% for x in xs %}{{ x }}{% if loop.index == 2 %}{% break %}{% endif %}{% else %}E{% endfor %}
{% break %}
{% for x in xs %}{% set y %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endset %}{{ y }}{% endfor %}
{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}
{% for x in xs %}{% for y in ys %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }};{% endfor %}
{% for x in xs %}{% set outer = loop %}{% for y in ys %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}d{{ loop.depth }}{% endif %}{% endfor %}
{% for x in xs %}{{ loop(xs) }}{% endfor %}
{% for x in xs|map('string') %}{{ loop.length }}{{ x }}{{ loop.last }} {% endfor %}
{% for x in xs|reverse %}{{ x }}{{ loop.nextitem }} {% endfor %}
{% for x in range(3) %}{{ x }}{% endfor %}
{% for x in xs[::-1] %}{{ x }}{% endfor %}
{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}
{% set y = 0 %}{% for x in xs %}{% set y = y + x %}{{ y }} {% endfor %}{{ y }}
{% set ns = namespace(y=0) %}{% for x in xs %}{% set ns.y = ns.y + x %}{% endfor %}{{ ns.y }}
{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns }}
{% set ns.x = 1 %}
{% set d.x = 1 %}
{% set ns = namespace(items=[]) %}{% for x in xs %}{% set ns.items = ns.items + [x * 2] %}{% endfor %}{{ ns.items }}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set (a, b) = xs %}
{% set x = 1, 2 %}{{ x }}
{% set x = 1 if no %}{{ x }}|{{ x is defined }}
{% set x %}a {{ s }} b{% endset %}{{ x }}{{ x|length }}
{% set x | upper | replace('A', 'x') %}a {{ s }} b{% endset %}{{ x }}
{% set true = 1 %}
{% set 1 = 1 %}
{% set x = y = 1 %}
{% set loop = 1 %}{{ loop }}
{% for x in xs %}{% set loop = 1 %}{% endfor %}
{% set x = 5 %}{% if yes %}{% set x = 6 %}{% endif %}{{ x }}
{% if no %}{% set a = 6 %}{% endif %}{{ a }}
{% if no %}{% set q1 = 6 %}{% endif %}{{ q1 is defined }}
{% for i in [1, 2] %}{{ a }}{% set a = 9 %}{{ a }}{% endfor %}{{ a }}
{% for i in [1, 2] %}{% for j in [1] %}{{ a }}{% endfor %}{% set a = i %}{% endfor %}
{% for i in [1, 2] %}{{ a }}{% endfor %}{% set a = 5 %}{{ a }}
{{ a }}{% set a = 5 %}{{ a }}
{% for i in [1, 2] %}{% if i == 2 %}{{ w }}{% endif %}{% set w = i %}{% endfor %}
{% for i in [1, 2] %}{% if i == 1 %}{% set w = 'w' %}{% else %}{{ w is defined }}{% endif %}{% endfor %}
{% macro m(x, y=2, z='a') %}{{ x }}-{{ y }}-{{ z }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, z='q') }} {{ m(x=5) }} {{ m() }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m(1, 2) }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m(q=2) }}
{% macro m(x) %}{{ x }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, k=4) }}
{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}body {{ a }}{% endcall %}
{% macro m() %}{% for x in xs %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(v) m() %}<{{ v }}>{% endcall %}
{% macro m() %}{{ caller }}{% endmacro %}{{ m() }}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m(x) %}x{% endmacro %}{% call m(1) %}b{% endcall %}
{% macro fact(n) %}{{ n * fact(n - 1)|int if n > 1 else 1 }}{% endmacro %}{{ fact(5) }}
{% macro m(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ m(3) }}
{% macro m(x=1, y) %}{% endmacro %}
{% macro m(x, x) %}{% endmacro %}
{% macro m() %}{{ later }}{% endmacro %}{% set later = 'L' %}{{ m() }}
{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}
{% macro m() %}{% set v = 7 %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}{{ v }}
{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}
{% if yes %}{% macro m() %}M{% endmacro %}{% endif %}{{ m() }}
{{ m() }}{% macro m() %}M{% endmacro %}
{% macro m(a, b=1) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}{{ m }}
{% macro m() %}  x  {% endmacro %}[{{ m()|trim }}]{{ m() is string }}
{% macro outer() %}{% macro inner() %}I{% endmacro %}{{ inner() }}{{ inner() }}{% endmacro %}{{ outer() }}
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}
{% filter upper %}a {{ s }}{% endfilter %}
{% filter replace('a', 'b') | trim %} a {% endfilter %}
{% filter indent(2, true) %}x⏎y{% endfilter %}
{% with x = 1, y = 2 %}{{ x }}{{ y }}{% endwith %}{{ x }}
{% with %}{% set z = 3 %}{{ z }}{% endwith %}{{ z }}
{% with a = 5, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% generation %}G{{ a }}{% endgeneration %}!
{% generation %}{% set g = 1 %}{% endgeneration %}{{ g is defined }}
{% for m in messages %}{% if m.role == 'assistant' %}{%- generation -%} {{ m.content }} {%- endgeneration -%}{% else %}{{ m.role }}{% endif %}{% endfor %}
{% raw %}{{ a }}{% if %}{% endraw %}
{% raw -%}  {{ a }}  {%- endraw %}|
  {% raw %} x {% endraw %}⏎x
{# comment #}a{#- c -#} b {#+ c #}
{# a {{ b }} {% c %} #}x
a  {#- c -#}  b⏎{{- a -}}  x  {{ b }}⏎ {{ a }}
x⏎  {%- if a %}  x  {%- endif %}  y
x⏎  {%+ if a %}  x  {% endif %}  y
x⏎  {% if a +%}⏎ x{% endif %}
x⏎    {% if a %}⏎    line⏎    {% endif %}⏎  end⏎a {% if a %} b {% endif %} c
{% for x in xs %}⏎  - {{ x }}⏎{% endfor %}⏎done
{% for x in xs -%}⏎  - {{ x }}⏎{%- endfor %}⏎⏎text⏎⏎⏎{{ s }}⏎⏎{%- set x = 1 -%}⏎⏎{{ x }}⏎  {# c #}⏎x⏎
text⏎
text⏎⏎
⏎text
  {% set x = 1 %}  ⏎  {{ x }}⏎
{% if a %}⏎⏎x{% endif %}⏎⏎y
  {#- c #}⏎  {# c -#}⏎ z
 {% if a %}x{% endif %}⏎ {% if a %}y{% endif %}
{{ a }}⏎{{ b }}⏎
{%- if a -%}⏎{{ s }}⏎{%- endif -%}⏎
{{ "{{" }}{{ '}}' }}{{ '%}' }}
{{ {'a': {'b': 1}}['a'] }}
{{ {} }}{{ {'a': 1}}}
{{ [1, 2]⏎   | join(⏎     '-') }}
{%set x=1%}{{x}}
{%- for x in xs-%}{{x}}{%-endfor-%}
{%if a%}{{a}}{%endif%}
{% print s %}{% print 1, 2 %}
{% if a: %}x{% endif %}
{% for x in xs: %}{{ x }}{% endfor %}
{% unknown %}
{% if a %}
{% for x in xs %}{% endif %}
{% else %}
{% if %}x{% endif %}
{% for in xs %}{% endfor %}
{% for x xs %}{% endfor %}
{% set %}
{% set x = %}
{% macro %}{% endmacro %}
{% macro m( %}{% endmacro %}
{% call x %}{% endcall %}
{{ a
{% if a
{# x
{% raw %}x
{{ a }
{ { a } } { % x % } {a}
{% include 'x' %}
{% extends 'x' %}
{% import 'x' as y %}
{% if a %}{{ a | nofilter }}{% endif %}
{% if no %}{{ a | nofilter }}{% endif %}ok
{% if no %}{% for x in xs %}{{ a | nofilter }}{% endfor %}{% endif %}ok
{% if no %}{{ a is notest }}{% endif %}ok
{{ a | nofilter if no else 'ok' }}
{% set x = namespace(n=0) %}{% macro bump() %}{% set x.n = x.n + 1 %}{{ x.n }}{% endmacro %}{{ bump() }}{{ bump() }}{{ x.n }}
{% set c = cycler('a', 'b', 'c') %}{% for x in range(5) %}{{ c.next() }}{{ c.current }}{% endfor %}{{ c.reset() }}{{ c.next() }}
{% set j = joiner('; ') %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}
{% set it = xs|map('string') %}{{ it|join }}{{ it|join }}
{% set it = xs|select %}{{ it|first }}{{ it|list }}
{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}
{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ system }}{{ rest|length }}
{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles') }}{% endif %}{% endfor %}
{% for tool in tools %}{{ tool | tojson(indent=4) }}{{ '\n\n' if not loop.last }}{% endfor %}
{%- macro json_to_type(t) %}{%- if t is string %}{{ {'integer': 'int', 'string': 'str'}[t] }}{%- elif t is mapping %}{{ json_to_type(t.type) }}{%- endif %}{%- endmacro %}{{ json_to_type('integer') }}{{ json_to_type({'type': 'string'}) }}
{% set x = {'a': 1} %}{% set x = dict(x, b=2) %}{{ x }}
{% set x = messages | selectattr('role', 'equalto', 'user') | list | last %}{{ x.content }}
{% set content = '<think>a</think>b' %}{{ content.split('</think>')[-1].lstrip('\n') }}{{ content.split('</think>')[0].split('<think>')[-1] }}
{% set x = 'a' %}{% set x = x ~ 'b' %}{% set x = x + 'c' %}{{ x }}
{% set l = [] %}{% set _ = l.append(1) %}{{ l }}
{% set l = [1] %}{% set l = l + [2] %}{{ l | length }}
{% for x in xs %}{{ x }}{{ ', ' if not loop.last else '' }}{% endfor %}
{% for x in xs %}{%- if loop.first -%} first {%- endif -%}{{ x }}{% endfor %}
{{ undefined1 }}{{ undefined1 | default('x') }}{{ d.q | default(undefined1) }}
{% if d.q %}x{% endif %}{% if d.m is defined and d.m is none %}null{% endif %}
{{ '%.2f' | format(b) }}{{ '%s' % d }}
{{ (messages | map(attribute='role') | list) }}{{ messages | map(attribute='content') | map('length') | sum }}
{% set a %}{% for x in xs %}{{ x }}{% endfor %}{% endset %}{{ a }}
{{ [1, 2, 3] | map('string') | join(',') if xs else '' }}
{%- if tools is not none and tools is iterable and tools is not string -%}T{%- endif -%}
{% set x = none %}{{ x }}{{ x is none }}
{% for x in [none, 1, '', []] %}{{ x is none }}{{ x }}{% endfor %}
{% for i in range(2) %}{% set ns = namespace(v=i) %}{{ ns.v }}{% endfor %}{{ ns is defined }}
{{ namespace(a=namespace(b=1)).a.b }}
{% set d2 = {'b': 1, 'a': 2} %}{% for k in d2 %}{{ k }}{% endfor %}{{ d2|tojson }}{{ d2.keys()|list }}{{ d2.values()|sum }}
"""


def cases():
    """EXPRESSIONS stand between ¦; STATEMENTS are one a line, with ⏎ for a newline inside."""
    for line in EXPRESSIONS.strip().split("\n"):
        for part in line.split("¦"):
            yield "{{ " + part.strip(" ") + " }}"
    yield "{{ 'a\\\nb' }}"
    yield "a\r\nb\rc\r\n"
    for line in STATEMENTS.strip("\n").split("\n"):
        yield line.replace("⏎", "\n")


environment = _cached_compile_jinja_template("").environment
environment.globals["strftime_now"] = CLOCK.strftime
made = []
for case in cases():
    try:
        text = environment.from_string(case).render(**CONTEXT)
        assert " at 0x" not in text, case
    except Exception:
        text = None
    made.append([case, text])
out = {"clock": list(CLOCK.timetuple()[:6]), "context": CONTEXT, "cases": made}
path = pathlib.Path(__file__).with_name("templates.json")
path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: " + (json.dumps(v, ensure_ascii=False) if k != "cases" else
                "[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in v) + "\n]") for k, v in out.items()) + "\n}\n")
print(len(made), "templates,", sum(text is None for _, text in made), "of them errors")
