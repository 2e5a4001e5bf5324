"""What a stranger may write into a sentence's file or a fence: right, nearly right, and hostile."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.one_of(
    st.sampled_from(
        [
            "cat", "the", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
            r"\input{/etc/passwd}", r"\write18{id}", r"}\end{document}", "{{{", "$x$", "`", "|",
            "\u202ex", "\u2066y", "\u05d0", "\N{FAMILY}", "a\u0300" * 30, "&amp;", "--8<--",
            "{{ 7 }}",
            "*a*", "_", "\u2028", "x" * 500, "0", "#1", "null", "~", "<<", "\u200b", "javascript:",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip

NUMBERS = st.one_of(
    st.sampled_from(
        [
            "0", "-0", "+1", "1e308", "1e-320", "1e150", "-9.9e149", "1e999999999", "nan", ".inf",
            "-.inf", "0x10", "1_000", "1,5", "", " 2 ", "0.10", ".5", "5.", "1e", "--1", "1" * 70,
            "\u0661", "True", "1/2", "2**9", "__import__('os')",
        ]
    ),
    st.decimals(-100, 100, allow_nan=False, places=2).map(str),
)  # fmt: skip

ROWS = st.lists(st.lists(NUMBERS, max_size=4), max_size=4)
PARTS = st.sampled_from(
    ["numbers", "vectors", "heatmap", "formula", "code", "lengths", "score", "matrices", "nothing"]
)
OPTIONS = {
    "query": WORDS,
    "title": WORDS,
    "mechanism": st.sampled_from(["softmax", "sum", "raw", "shifted", "scaled", "causal", "x"]),
    "scale": st.one_of(NUMBERS, st.just("1/sqrt(d)"), st.just("none")),
    "mask": st.sampled_from(["causal", "none", "all", ""]),
    "projections": st.one_of(
        st.sampled_from(["small", "none", "big"]),
        st.fixed_dictionaries({"query": ROWS, "key": ROWS, "value": ROWS}),
        ROWS,
    ),
    "show": st.one_of(st.lists(PARTS, max_size=3), WORDS),
    "digits": NUMBERS,
    "example": WORDS,
    "nonsense": WORDS,
}

RIGHT = st.integers(1, 4).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            "tokens": st.lists(WORDS, min_size=count, max_size=count),
            "vectors": st.lists(
                st.lists(
                    st.decimals(-9, 9, allow_nan=False, places=1).map(str), min_size=2, max_size=2
                ),
                min_size=count,
                max_size=count,
            ),
            "show": st.lists(PARTS.filter(lambda part: part != "nothing"), min_size=1, max_size=2),
        }
    )
)
"""Fences that are right but for the words in them."""

ANY = st.fixed_dictionaries(
    {}, optional={"tokens": st.lists(WORDS, max_size=5), "vectors": ROWS, **OPTIONS}
)
"""Fences with any keys, each with what may or may not fit it."""

BROKEN = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            "a: &a [*a, *a]", "<<: {tokens: [a]}", "tokens: !!python/object/apply:os.system [id]",
            "tokens: [a]\ntokens: [b]", "%YAML 9.9\n---\na", "[" * 3000, "{" * 3000, "- " * 3000,
            "tokens: [a]\nvectors: &v [[1]]\nquery: *v", "\ufeffexample: journey", "\x00",
            "? ? ? a",
            "tokens: [\u2028]", "a: |\n  b\n c", "'", '"\\U11111111"', "!!int 5", "---\n---\n",
            "&" * 500, "example: journey\x1b[31m", "a: " + "b" * 20000,
        ]
    ),
)  # fmt: skip
