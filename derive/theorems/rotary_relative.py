"""Rotary embeddings: scores depend on the distance of two tokens alone."""

from __future__ import annotations

from sympy import Add, Expr, IndexedBase, cos, expand_mul, sin, sqrt

from derive.brackets import Below
from derive.formula import K, Mechanism, Q, Stage, array, d, i, j, k, n, n_p, n_q, p, s, total
from derive.rewriting import Rule, rewrite, unfold
from derive.sum_rules import common_factors, multiply_out
from derive.theorems.theorem import Chain, Kind, Setting, Theorem, chain
from derive.theorems.turning import difference_of_angles, one_length
from derive.variants import rotary_halves, rotary_interleaved
from derive.variants.rotary import SU, C, S, X_k, X_q, Y_k, Y_q, theta

INTERLEAVED = rotary_interleaved.VARIANT.mechanism
HALVES = rotary_halves.VARIANT.mechanism
TURNED = (C, S, X_q, Y_q, X_k, Y_k)
RELATIONS = INTERLEAVED.relations
GIVEN = ((Q, (n_q, d)), (K, (n, d)), (theta, (n_p,)))


def setting(mechanism: Mechanism) -> Setting:
    """Take the turned pairs and the score of a mechanism as definitions."""
    return Setting(
        tuple(mechanism.stage(base) for base in (*TURNED, s)),
        given=GIVEN,
        relations=RELATIONS,
        most={n_p: 2, n_q: 2, n: 2},
    )


def by_distance(query: IndexedBase, key: IndexedBase, first: Expr, second: Expr) -> Expr:
    """Return the score as a function of i - j, where a pair stands at two dimensions."""
    angle = (i - j) * theta[p]
    along = query[i, first] * key[j, first] + query[i, second] * key[j, second]
    across = query[i, first] * key[j, second] - query[i, second] * key[j, first]
    terms = (expand_mul(pair, deep=False) for pair in (along * cos(angle), across * sin(angle)))
    return total(Add(*terms), p) / sqrt(d)


def turn(*arrays: IndexedBase) -> list[tuple[str, Rule]]:
    """Put in what the turned pairs are."""
    return [(f"the definition of {base}", unfold(INTERLEAVED.stage(base))) for base in arrays]


def relative(title: str, mechanism: Mechanism, first: Expr, second: Expr) -> Chain:
    """Prove that a score depends on the places through their difference alone."""
    return chain(
        title,
        s[i, j],
        by_distance(Q, K, first, second),
        [
            (f"the definition of {base}", unfold(mechanism.stage(base)))
            for base in (s, X_q, Y_q, X_k, Y_k)
        ]
        + [
            ("multiply out", multiply_out),
            ("the cosines", unfold(mechanism.stage(C))),
            ("the sines", unfold(mechanism.stage(S))),
            (
                "cos a cos b = cos(a - b) - sin a sin b, sin a cos b = sin(a - b) + cos a sin b",
                difference_of_angles(i, j),
            ),
            ("multiply out: what has two angles in it cancels", multiply_out),
            ("the angle is theta times the distance", common_factors),
        ],
        setting(mechanism),
    )


PAIRS = relative("neighbouring dimensions as pairs", INTERLEAVED, 2 * p - 1, 2 * p)
SPLIT = relative("one half each as pairs", HALVES, p, p + n_p)
LENGTH = chain(
    "turning a pair keeps its length",
    X_q[i, p] ** 2 + Y_q[i, p] ** 2,
    Q[i, 2 * p - 1] ** 2 + Q[i, 2 * p] ** 2,
    [
        *turn(X_q, Y_q),
        ("multiply out", multiply_out),
        *turn(C, S),
        ("cos² = 1 - sin²", one_length),
        ("multiply out: the sines cancel", multiply_out),
    ],
    setting(INTERLEAVED),
)

Q_s, K_s = array("Q_s"), array("K_s")
"""Queries and keys with their dimensions sorted: first all first numbers of pairs, then second."""

SORTED_PLACE = 2 * k - 1 - Below(n_p, k) * (2 * n_p - 1)
"""Where dimension k of the sorted comes from: 2k - 1 in the first half, 2 (k - n_p) after it."""

SORTED = tuple(
    Stage(made[row, k], source[row, SORTED_PLACE], (size, d))
    for made, source, row, size in ((Q_s, Q, i, n_q), (K_s, K, j, n))
)
LAYOUTS = chain(
    "the layout in halves, on sorted dimensions, is the layout in neighbours",
    by_distance(Q_s, K_s, p, p + n_p),
    by_distance(Q, K, 2 * p - 1, 2 * p),
    [
        ("the first numbers of a query's pairs", rewrite(Q_s[i, p], Q[i, 2 * p - 1])),
        ("the second ones", rewrite(Q_s[i, p + n_p], Q[i, 2 * p])),
        ("the first numbers of a key's pairs", rewrite(K_s[j, p], K[j, 2 * p - 1])),
        ("the second ones", rewrite(K_s[j, p + n_p], K[j, 2 * p])),
    ],
    Setting(SORTED, given=GIVEN, relations=RELATIONS, most={n_p: 2}),
)

THEOREM = Theorem(
    name="rotary-relative",
    title="Rotary scores depend on the distance of two tokens, not on where they stand",
    statement=(
        "After query i and key j are turned by i theta and j theta, their score reads the places "
        "through i - j alone. Turning keeps the length of every pair. The two layouts in use, "
        "neighbouring dimensions and one half each, differ by the order of dimensions only."
    ),
    parts=(PAIRS, SPLIT, LENGTH, LAYOUTS),
    kind=Kind.EVERY,
    consequence=(
        "A sentence may start at any place: all scores stay the same. The weights of one layout "
        "become those of the other when the rows of W_q and W_k are put in another order."
    ),
    sources=(SU,),
    variants=("rotary-interleaved", "rotary-halves"),
)
