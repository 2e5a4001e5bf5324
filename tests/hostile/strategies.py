"""What a stranger may write into a sentence's file or a fence: right, nearly right, and hostile."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from derive.publish.fence import ATLAS_PARTS, EVIDENCE_PARTS, MEASURED_PARTS, PARTS
from derive.visible import breaks_line

MARKUP = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--", "-->",
    "<![CDATA[", "]]>", "&amp;", "&#0;", "&nosuch;", "'", '"', "javascript:alert(1)",
    "</section>", "<bdi>",
]  # fmt: skip
LATEX = [
    r"\input{/etc/passwd}", r"\write18{id}", r"}\end{document}", "{{{", "$x$", "$$", "^^M", "^^5c",
    "\\", "\\\\", "%", "\\)", "~", "&", "#1", "_", r"\begin{align*}", ",,", "--", "``", "''",
]  # fmt: skip
MARKDOWN = [
    "`", "|", "*a*", "**", "_", "--8<--", "{{ 7 }}", "{% x %}", "# x", "1. x", "+ x", "- x", "---",
    "[x](javascript:alert(1))", "![x](y)", "<http://x.y>", "http://x.y", "www.x.y", "a@b.c", "...",
    "(c)", ":smile:", "??", "==x==", "^x^", "[[x]]", "wzxhzdk:0", "klzzwxh:0001", "\\*", "    x",
]  # fmt: skip
UNICODE = [
    "\u202ex", "\u2066y", "\u2067\u202e", "\u2069", "\u200f", "\u05d0", "\u0627\u0628", "\u200b",
    "\ufeff", "\u2060", "\u00ad", "a\u0300", "\u0300", "a" + "\u0300" * 30, "\N{FAMILY}",
    "\ufdfd", "\U0001f468\u200d\U0001f469", "\U0001f1e9\U0001f1ea", "\u00a0", "x\u00a0", "\u3164",
    "\U000e0041", "\u6f22", "\U0001d538", "\u00df", "I\u0307", "\u00b2", "\u0661", "\ufffd",
    "\u3000x",
]  # fmt: skip
YAML = [
    "null", "~", "<<", "no", "0", "1e3", ".inf", "- a", "? a", "!!int 5", "&a", "*a", "a: b", "%",
]  # fmt: skip
PYTHON = ["{0}", "{x.__class__}", "%s%n", "{token}", "__import__('os')", "\\x41", "\\N{DIGIT ONE}"]
REFUSED = [
    "\x00", "\x02wzxhzdk:0\x03", "\x1b[31m", "a\nb", "\r", "\t", "\u2028", "\u2029", "\x85",
    "\uffff", "\ufdd0", "\ud800", "\U0010ffff", "", " ", "x" * 5000,
]  # fmt: skip
"""What no token may be: each is refused."""

SHOWN = [*MARKUP, *LATEX, *MARKDOWN, *UNICODE, *YAML, *PYTHON, "cat", " cat ", "x" * 500]
"""What a token may be, and is shown as."""

PRINTED = st.one_of(
    st.sampled_from(SHOWN),
    st.text(
        st.characters(codec="utf-8").filter(lambda c: not breaks_line(c)), min_size=1, max_size=9
    ),
    st.lists(st.sampled_from(SHOWN), min_size=2, max_size=3).map("".join),
).filter(lambda text: bool(text.strip()))
"""Text that a page shows as it is."""

WORDS = st.one_of(PRINTED, st.sampled_from(REFUSED), st.text(max_size=12))

NUMBERS = st.one_of(
    st.sampled_from(
        [
            "0", "-0", "+1", "+0", "1e308", "1e-320", "1e150", "1e-150", "-9.9e149",
            "1e999999999", "1e-999999999", "nan", ".nan", "-nan", "snan", ".inf", "-.inf", "0x10",
            "1_000", "1,5", "", " 2 ", "0.10", ".5", "5.", "1e", "e1", "--1", "1" * 70,
            "9" * 5000, "\u0661", "True", "1/2", "2**9", "__import__('os')", "1e5", "1e7", "-1e5",
            "1e15", "0." + "1" * 57, "1E-2", "\u22121", "\uff11", "1\u200b", "0b1", "0o7", "1j",
            "infinity", "1e+2", "1e 2",
        ]
    ),
    st.decimals(-100, 100, allow_nan=False, places=2).map(str),
    st.integers(-300, 300).map(lambda power: f"1e{power}"),
)  # fmt: skip

SMALL_NUMBERS = st.decimals(-9, 9, allow_nan=False, places=1).map(str)

ROWS = st.lists(st.lists(NUMBERS, max_size=4), max_size=4)
LABELLED = st.dictionaries(WORDS, st.lists(NUMBERS, max_size=3), max_size=3)

SLOW_PARTS = {"compare", "properties", "implementations", "gradient", "changes", "cost"}
"""Parts that say nothing of a stranger's words, and take seconds."""

PART_NAMES = sorted(
    ({*PARTS, *EVIDENCE_PARTS, *MEASURED_PARTS, *ATLAS_PARTS}) - SLOW_PARTS
    - {part for part in PARTS if part.startswith("rounding-")}
)  # fmt: skip
PARTS_SHOWN = st.sampled_from([*PART_NAMES, "nothing"])

WRONG_TYPES: st.SearchStrategy[Any] = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
)
"""Anything that YAML can hold, where one thing is wanted."""

OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "query": WORDS,
    "key": WORDS,
    "title": WORDS,
    "sentence": WORDS,
    "source": WORDS,
    "mechanism": st.sampled_from(["softmax", "sum", "raw", "shifted", "scaled", "causal", "x", ""]),
    "scale": st.one_of(NUMBERS, st.sampled_from(["1/sqrt(d)", " 1 / sqrt( d ) ", "none"])),
    "mask": st.sampled_from(["causal", "none", "all", ""]),
    "projections": st.one_of(
        st.sampled_from(["small", "none", "big"]),
        st.fixed_dictionaries({"query": ROWS, "key": ROWS, "value": ROWS}),
        ROWS,
    ),
    "show": st.one_of(st.lists(PARTS_SHOWN, max_size=3), WORDS),
    "stages": st.one_of(st.lists(st.sampled_from(["score", "normalise"]), max_size=2), WORDS),
    "digits": NUMBERS,
    "n": NUMBERS,
    "d": NUMBERS,
    "example": st.one_of(
        WORDS,
        st.sampled_from(["journey", "/etc/passwd", "../x.yaml", "/dev/zero", "/", ".", "x" * 300]),
    ),
    "language": st.one_of(st.sampled_from(["de", "zh", "x.yaml", "/etc/x.yaml", "\0.yaml"]), WORDS),
    "functions": st.one_of(st.lists(WORDS, max_size=3), st.just(["self_attention"])),
    "printed": st.lists(WORDS, max_size=2),
    "theorem": WORDS,
    "queries": LABELLED,
    "keys": LABELLED,
    "values": LABELLED,
    "nonsense": WORDS,
}


def _right(words: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Sentences that are right but for the words in them."""
    return st.tuples(st.integers(1, 4), st.integers(1, 3)).flatmap(
        lambda shape: st.fixed_dictionaries(
            {
                "tokens": st.lists(words, min_size=shape[0], max_size=shape[0]),
                "vectors": st.lists(
                    st.lists(SMALL_NUMBERS, min_size=shape[1], max_size=shape[1]),
                    min_size=shape[0],
                    max_size=shape[0],
                ),
            },
            optional={
                "title": words,
                "sentence": words,
                "source": words,
                "mechanism": st.sampled_from(["softmax", "shifted", "raw", "scaled"]),
                "mask": st.sampled_from(["causal", "none"]),
            },
        )
    )


SENTENCES = _right(PRINTED)
"""Sentences whose words are hostile, and shown."""

SHOWN_PARTS = ["numbers", "vectors", "heatmap", "score", "step-through"]

RIGHT = st.tuples(
    _right(WORDS),
    st.lists(st.sampled_from(SHOWN_PARTS), min_size=1, max_size=2, unique=True),
).map(lambda pair: {**pair[0], "show": pair[1]})
"""Fences that are right but for the words in them."""

ANY = st.fixed_dictionaries(
    {}, optional={"tokens": st.lists(WORDS, max_size=5), "vectors": ROWS, **OPTIONS}
)
"""Fences with any keys, each with what may or may not fit it."""

AT_THE_ENDS = st.tuples(
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=2, max_size=2),
    st.fixed_dictionaries(
        {},
        optional={
            "mechanism": OPTIONS["mechanism"],
            "mask": OPTIONS["mask"],
            "scale": OPTIONS["scale"],
            "projections": st.fixed_dictionaries(
                {
                    role: st.lists(
                        st.lists(NUMBERS, min_size=1, max_size=1), min_size=2, max_size=2
                    )
                    for role in ("query", "key", "value")
                }
            ),
            "show": st.lists(
                st.sampled_from([*SHOWN_PARTS, "lengths", "matrices"]),
                min_size=1,
                max_size=2,
                unique=True,
            ),
        },
    ),
).map(lambda pair: {"tokens": ["a", "b"], "vectors": pair[0], **pair[1]})
"""Sentences whose numbers are as large, as small and as odd as they come."""

MISFITS = st.dictionaries(
    st.one_of(st.sampled_from(["tokens", "vectors", *OPTIONS]), WORDS), WRONG_TYPES, max_size=3
)
"""Fences whose keys hold anything."""

PIECES = [
    "a: &a [*a, *a]", "<<: {tokens: [a]}", "tokens: !!python/object/apply:os.system [id]",
    "tokens: [a]\ntokens: [b]", "vectors: {a: [1], a: [2]}", "%YAML 9.9\n---\na",
    "%YAML 1e9.1\n---", "%TAG ! tag:x,2000:\n---\n!y a", "[" * 3000, "{" * 3000, "- " * 3000,
    "? " * 3000, "{a: " * 500, "tokens: [a]\nvectors: &v [[1]]\nquery: *v",
    "\ufeffexample: journey", "\x00", "? ? ? a", "tokens: [\u2028]", "a: |\n  b\n c", "'",
    '"\\U11111111"', '"\\ud800"', "!!int 5", "---\n---\n", "&" * 500, "example: journey\x1b[31m",
    "a: " + "b" * 20000, "tokens: !!map [a]", "!!map a", "!!seq {a: b}", "!!str [a]", "!!set {a}",
    "!!binary aa", "? [a]\n: b", "{[a]: b}", "&a a: &a b", "!!null", "=: a",
    "!<tag:yaml.org,2002:str> a", "line 3: x", "tokens.\u00b2: 1", "a" * 2000 + ": 1",
    "tokens: [a]\nvectors: [[1]]\nshow: [vectors, vectors]", "@", "`", "%", "\t", "- - - a",
    "a: b: c", "tokens: [a]\r\nvectors: [[1]]\r\n", "tokens: [a]\x85vectors: [[1]]", "...",
    "--- !!map\n",
]  # fmt: skip


def _mutated(change: tuple[dict[str, Any], list[tuple[int, int, str]]]) -> str:
    data, edits = change
    text = "\n".join(f"{key}: {json.dumps(value)}" for key, value in data.items())
    for place, length, put in edits:
        at = place % (len(text) + 1)
        text = text[:at] + put + text[at + length :]
    return text


EDITS = st.lists(
    st.tuples(
        st.integers(0, 2000),
        st.integers(0, 20),
        st.one_of(st.sampled_from([*"[]{}:,#&*!|>%@`\"'\\\n -?", "\x00", "\u2028"]), WORDS),
    ),
    min_size=1,
    max_size=4,
)

BROKEN = st.one_of(
    st.text(max_size=200),
    st.sampled_from(PIECES),
    st.lists(st.sampled_from(PIECES), min_size=2, max_size=3).map("\n".join),
    st.tuples(RIGHT, EDITS).map(_mutated),
)
"""What is no fence, or hardly one."""

ENCODINGS = ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-32", "cp1252"]

FILES = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.one_of(BROKEN, SENTENCES.map(json.dumps)), st.sampled_from(ENCODINGS)).map(
        lambda pair: pair[0].encode(pair[1], "replace")
    ),
    st.tuples(SENTENCES.map(json.dumps), st.integers(0, 400), st.binary(max_size=4)).map(
        lambda parts: parts[0].encode()[: parts[1]] + parts[2] + parts[0].encode()[parts[1] :]
    ),
)
"""Bytes of a file."""

FORMULAS = st.one_of(
    PRINTED,
    st.lists(
        st.sampled_from(
            [
                r"\frac", "{", "}", "x", "^", "_", r"\message{hi}", r"\show", r"\errmessage{x}",
                r"\def\a", r"\edef\a", r"\gdef\a", r"\let\a\href", r"\newcommand{\a}", r"\a",
                r"\href{javascript:1}{x}", r"\htmlData{onclick=x}{y}", r"\htmlData{a><b=1}{y}",
                r'\htmlClass{"><i>}{x}', r"\htmlId{a}{b}", r"\htmlStyle{a:b}{c}", r"\url{x}",
                r"\includegraphics{x}", r"\text{<b>}", r"\text{\char2}", r'\char"D800',
                r"\rule{9999em}{9em}", r"\kern-9999em", r"\\[-999em]", r"\begin{array}{c}",
                r"\end{array}", "&", r"\\", r"\left(", r"\right.", "<script>", "\u202e", "\x02",
                r"\sum_i", r"\color{red}", r"\text{\u202e}", r"\verb|x|", r"\tag{1}", "%", "#1",
                r"\mathbf{a}", "'",
            ]
        ),
        max_size=8,
    ).map("".join),
)  # fmt: skip
"""Formulas of a page's author, or of whoever edits the page."""
