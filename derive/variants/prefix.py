"""The prefix mask: a given text is seen whole, what follows it only up to the query's place."""

from __future__ import annotations

from derive.brackets import AtMost, Below
from derive.formula import K, Mechanism, Q, V, array, i, j, n, n_q
from derive.normaliser import softmax
from derive.score import scaled_dot_product
from derive.variants.given import queries_keys_values
from derive.variants.inputs import by_length, key, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

M = array("M")

RAFFEL = Source(
    "Raffel et al.",
    2020,
    "Exploring the limits of transfer learning with a unified text-to-text Transformer",
    "https://arxiv.org/abs/1910.10683",
    "section 3.2.1, causal with prefix",
)

DONG = Source(
    "Dong et al.",
    2019,
    "Unified language model pre-training for natural language understanding and generation",
    "https://arxiv.org/abs/1905.03197",
)

ALLOWED = AtMost(j, i) + Below(i, j) * M[j]
"""[j <= i] + [i < j] M[j]: a key up to the query's place, or a later one that is in the prefix."""

MECHANISM = Mechanism(
    "scaled dot-product attention with a prefix",
    (scaled_dot_product(), softmax(allowed=(ALLOWED,)), weighted_sum()),
    given=(*queries_keys_values(), (M, (n,))),
    relations=((n_q, n),),
    indicators=frozenset({M}),
)


def _first_two(tokens: int) -> list[int]:
    return [int(place < 2) for place in range(tokens)]


VARIANT = Variant(
    key="prefix",
    title="Prefix mask",
    family="Masks",
    summary=(
        "M is 1 for the tokens of a prefix, such as a question. Every query sees the whole "
        "prefix and, of what follows, only the keys up to its own place; here the prefix is the "
        "first two tokens."
    ),
    mechanism=MECHANISM,
    sources=(RAFFEL, DONG),
    inputs={Q: query(), K: key(), V: value(), M: by_length(_first_two)},
    against="causal",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "relative-position",
        "scores-symmetric",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "permutation-equivariant",
        "causal",
        "query-scale-invariant",
        "scores-bounded",
    ),
)
