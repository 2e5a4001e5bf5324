"""Queries and keys divided by their root mean square, with learned gains."""

from __future__ import annotations

from sympy import Integer, sqrt

from derive.formula import Choice, K, Mechanism, Q, Stage, V, array, d, h, i, j, k, n_h, s, total
from derive.normaliser import softmax
from derive.variants.given import queries_keys_values
from derive.variants.inputs import key, numbers, query, value
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

r_q, r_k, g_q, g_k, epsilon = (array(name) for name in ("r_q", "r_k", "g_q", "g_k", "epsilon"))

QWEN = Source(
    "Yang et al.",
    2025,
    "Qwen3 technical report",
    "https://arxiv.org/abs/2505.09388",
    "section 2",
)

GEMMA = Source(
    "Gemma Team",
    2025,
    "Gemma 3 technical report",
    "https://arxiv.org/abs/2503.19786",
    "section 2",
)

ZHANG = Source(
    "Zhang and Sennrich",
    2019,
    "Root mean square layer normalization",
    "https://arxiv.org/abs/1910.07467",
    "equation 4",
)

SCORE = Choice(
    "score",
    "scaled dot product of normalised query and key",
    (
        Stage(r_q[h, i], sqrt(total(Q[h, i, k] ** 2, k) / d + epsilon[1])),
        Stage(r_k[h, j], sqrt(total(K[h, j, k] ** 2, k) / d + epsilon[1])),
        Stage(
            s[h, i, j],
            total(Q[h, i, k] * g_q[k] * K[h, j, k] * g_k[k], k) / (sqrt(d) * r_q[h, i] * r_k[h, j]),
        ),
    ),
)
"""r_q[i] = sqrt(sum_k Q[i, k]^2 / d + epsilon), r_k likewise;
s[i, j] = sum_k Q[i, k] g_q[k] K[j, k] g_k[k] / (sqrt(d) r_q[i] r_k[j])."""

MECHANISM = Mechanism(
    "attention with root mean square normalised queries and keys",
    (SCORE, softmax(lead=(h,)), weighted_sum(lead=(h,))),
    given=(*queries_keys_values(n_h), (g_q, (d,)), (g_k, (d,)), (epsilon, (Integer(1),))),
)

VARIANT = Variant(
    key="rms-normalised",
    title="Root mean square normalised queries and keys",
    family="Scores",
    summary=(
        "Queries and keys are divided by the root of their mean square and multiplied by learned "
        "gains, one for each dimension, which all heads share. This keeps scores in bounds while "
        "a large model trains; the given number epsilon keeps the root from zero."
    ),
    mechanism=MECHANISM,
    sources=(QWEN, GEMMA, ZHANG),
    inputs={
        Q: query(heads=2),
        K: key(heads=2),
        V: value(heads=2),
        g_q: numbers("1.2 0.8"),
        g_k: numbers("0.9 1.5"),
        epsilon: numbers(["0.01"]),
    },
    against="query-key-normalised",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "permutation-equivariant",
        "relative-position",
        "scores-symmetric",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
    fails=(
        "causal",
        "query-scale-invariant",
    ),
)
