"""T5's position bias: a learned number for each head and distance is added to a score."""

from __future__ import annotations

from fractions import Fraction

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, h, i, j, n, n_h, n_q, s
from derive.normaliser import softmax
from derive.score import dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

B, w = array("B"), array("w")

RAFFEL = Source(
    "Raffel et al.",
    2020,
    "Exploring the limits of transfer learning with a unified text-to-text Transformer",
    "https://arxiv.org/abs/1910.10683",
    "section 2.1",
)

BIAS = Choice(
    "bias",
    "a learned number for each head and distance",
    (Stage(w[h, i, j], s[h, i, j] + B[h, j - i + n]),),
)
"""w[h, i, j] = s[h, i, j] + B[h, j - i + n]; entry n of a row is for the token itself."""

MECHANISM = Mechanism(
    "attention with a relative position bias",
    (
        dot_product(lead=(h,)),
        BIAS,
        softmax(w, lead=(h,)),
        weighted_sum(lead=(h,)),
    ),
    given=(*queries_keys_values(n_h), (B, (n_h, 2 * n - 1))),
    relations=((n_q, n),),
)


def _biases(tokens: int) -> list[list[Fraction]]:
    """One head that looks at near tokens, one that looks ahead."""
    distances = range(1 - tokens, tokens)
    return [
        [Fraction(4 - 3 * abs(distance), 10) for distance in distances],
        [Fraction(distance, 5) for distance in distances],
    ]


VARIANT = Variant(
    key="relative-bias",
    title="Relative position bias (T5)",
    family="Positions",
    summary=(
        "Each score gains a learned number that depends on the head and on how far the key stands "
        "before or after the query; the dot product is not scaled. In T5 far distances share a "
        "number, its buckets; here every distance has its own, as those up to 7 have in T5's "
        "encoder."
    ),
    mechanism=MECHANISM,
    sources=(RAFFEL,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        B: by_length(_biases),
    },
    against="dot-product",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "relative-position",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "scores-symmetric",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
