"""Why no projection makes "jim" attend most to "football" in the first note's sentence."""

from __future__ import annotations

from sympy import Expr, Integer, Rational

from derive.examples import load
from derive.formula import Q, Stage, array, d, i, j, k, n, n_q, s, total, x
from derive.rewriting import distribute, fold, pull_out, rewrite, unfold
from derive.sum_rules import instead
from derive.theorems.theorem import Comparison, Kind, Setting, Theorem, chain

EXAMPLE = load("jim-john")
WORDS = EXAMPLE.tokens
VECTORS = [[Rational(number.value) for number in row] for row in EXAMPLE.vectors]

t, x_1, x_n, s_1, s_n = (array(name) for name in ("t", "x_1", "x_n", "s_1", "s_n"))
"""t[j] is how far token j stands on the way from the first token's vector to the last one's."""


def along(place: int) -> Rational:
    """Return t for the token at a place from 1."""
    return Rational(place - 1, len(WORDS) - 1)


def on_the_line(place: int, dimension: int) -> Expr:
    """Return the number that a token has if it stands on the line."""
    way = along(place)
    return (1 - way) * VECTORS[0][dimension] + way * VECTORS[-1][dimension]


LINE = Stage(x[j, k], (1 - t[j]) * x_1[k] + t[j] * x_n[k], (n, d))
FIRST = Stage(s_1[i], total(Q[i, k] * x_1[k], k))
LAST = Stage(s_n[i], total(Q[i, k] * x_n[k], k))
SCORE = Stage(s[i, j], total(Q[i, k] * x[j, k], k))
SETTING = Setting(
    (LINE, FIRST, LAST, SCORE),
    given=((Q, (n_q, d)), (t, (n,)), (x_1, (d,)), (x_n, (d,))),
)

COLLINEAR = Comparison(
    "the eight vectors stand on one line, at equal steps",
    "=",
    tuple(
        (VECTORS[place - 1][dimension], on_the_line(place, dimension))
        for place in range(1, len(WORDS) + 1)
        for dimension in range(len(VECTORS[0]))
    ),
)
FOOTBALL = WORDS.index("football") + 1
BETWEEN = Comparison(
    '"football" stands between the first word and the last',
    "<",
    ((Integer(0), along(FOOTBALL)), (along(FOOTBALL), Integer(1))),
)

MEAN = chain(
    "a score on the line is a mean of the scores at its ends",
    s[i, j],
    (1 - t[j]) * s_1[i] + t[j] * s_n[i],
    [
        ("the definition of s, for a query that may be anything", unfold(SCORE)),
        ("the vector stands on the line", unfold(LINE)),
        ("multiply out, one sum for each", distribute),
        ("t does not depend on the dimension", pull_out),
        ("the score of the first token", fold(FIRST)),
        ("the score of the last token", fold(LAST)),
        (
            "put 1 - t_j together",
            rewrite(s_1[i] - t[j] * s_1[i] + t[j] * s_n[i], (1 - t[j]) * s_1[i] + t[j] * s_n[i]),
        ),
    ],
    SETTING,
)
NOT_ABOVE_BOTH = chain(
    "a score on the line is not above both ends",
    (s_1[i] - s[i, j]) * (s_n[i] - s[i, j]),
    t[j] * (t[j] - 1) * (s_1[i] - s_n[i]) ** 2,
    [
        ("a mean of the scores at the ends", rewrite(*MEAN.goal)),
        (
            "how far the first end is above it",
            instead(s_1[i] - (1 - t[j]) * s_1[i] - t[j] * s_n[i], t[j] * (s_1[i] - s_n[i])),
        ),
        (
            "how far the last end is above it",
            instead(
                s_n[i] - (1 - t[j]) * s_1[i] - t[j] * s_n[i],
                (t[j] - 1) * (s_1[i] - s_n[i]),
            ),
        ),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="vectors-on-a-line",
    title='No projection makes "jim" attend most to "football" in the first note',
    statement=(
        "The note's eight vectors stand on one line. Whatever matrices make queries and keys, and "
        "whatever the scale, the score of a word between two others is a mean of theirs. Take it "
        "from the scores of both ends: the product of the two differences is never positive. So it "
        'is not above both, and "football" never gets more weight than both "jim" and "swimming".'
    ),
    parts=(COLLINEAR, BETWEEN, MEAN, NOT_ABOVE_BOTH),
    kind=Kind.SENTENCE,
    consequence=(
        "Attention finds what the vectors hold. For the meaning that the note tells, the vectors "
        "themselves have to be others, such as vectors that are learned together with the "
        "projections."
    ),
    variants=("dot-product", "general"),
)
