"""QKNorm: the cosine of query and key, times a learned number."""

from __future__ import annotations

from sympy import sqrt

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, h, i, j, k, n_h, s, total
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

r_q, r_k, g = array("r_q"), array("r_k"), array("g")

HENRY = Source(
    "Henry, Dachapally, Pawar and Chen",
    2020,
    "Query-key normalization for Transformers",
    "https://arxiv.org/abs/2010.04245",
)

SCORE = Choice(
    "score",
    "cosine of query and key, times a learned number",
    (
        Stage(r_q[h, i], sqrt(total(Q[h, i, k] ** 2, k))),
        Stage(r_k[h, j], sqrt(total(K[h, j, k] ** 2, k))),
        Stage(
            s[h, i, j],
            g[h] * total(Q[h, i, k] * K[h, j, k], k) / (r_q[h, i] * r_k[h, j]),
        ),
    ),
)
"""r_q[i] = sqrt(sum_k Q[i, k]^2), r_k likewise;  s[i, j] = g Q[i] . K[j] / (r_q[i] r_k[j])."""

MECHANISM = Mechanism(
    "attention with normalised queries and keys",
    (SCORE, softmax(lead=(h,)), weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (g, (n_h,))),
)

VARIANT = Variant(
    key="query-key-normalised",
    title="Normalised queries and keys (QKNorm)",
    family="Scores",
    summary=(
        "Queries and keys are divided by their lengths, so that a score is their cosine times a "
        "learned number g, here one for each head. With g above 0 no score exceeds it, and a long "
        "vector does not win by its length."
    ),
    mechanism=MECHANISM,
    sources=(HENRY,),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        g: numbers("2 5"),
    },
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "query-scale-invariant",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=("causal",),
)
