"""Attention pooling: a learned vector instead of a query turns a text into one vector."""

from __future__ import annotations

from sympy import tanh

from derive.formula import Choice, Mechanism, Stage, array, d, d_e, e, i, j, k, n, n_q, s, total, x
from derive.normaliser import softmax
from derive.variants.inputs import numbers, tokens
from derive.variants.variant import Source, Variant
from derive.weighted_sum import weighted_sum

W, b, u, H = array("W"), array("b"), array("u"), array("H")

YANG = Source(
    "Yang et al.",
    2016,
    "Hierarchical attention networks for document classification",
    "https://aclanthology.org/N16-1174/",
    "equations 5 to 7",
)

LEE = Source(
    "Lee et al.",
    2019,
    "Set Transformer: a framework for attention-based permutation-invariant neural networks",
    "https://arxiv.org/abs/1810.00825",
    "section 3.2, pooling by multihead attention",
)

SCORE = Choice(
    "score",
    "each token's hidden units, by a learned vector",
    (
        Stage(H[j, e], tanh(total(W[e, k] * x[j, k], k) + b[e])),
        Stage(s[i, j], total(u[i, e] * H[j, e], e)),
    ),
)
"""H[j, e] = tanh(sum_k W[e, k] x[j, k] + b[e]);  s[i, j] = sum_e u[i, e] H[j, e]."""

MECHANISM = Mechanism(
    "attention pooling",
    (SCORE, softmax(), weighted_sum(x, k)),
    given=((x, (n, d)), (W, (d_e, d)), (b, (d_e,)), (u, (n_q, d_e))),
)

VARIANT = Variant(
    key="pooling",
    title="Attention pooling",
    family="Heads",
    summary=(
        "A learned vector u takes the place of the query and asks all texts the same question. "
        "With a single row of u a text of any length becomes one vector: a mean of its tokens by "
        "their weights. The formula is that of the first paper; the second pools with learned "
        "queries and multi-head attention."
    ),
    mechanism=MECHANISM,
    sources=(YANG, LEE),
    inputs={
        x: tokens(),
        W: numbers("0.8 -0.3 0.6; -0.5 0.9 0.4"),
        b: numbers("0.1 -0.2"),
        u: numbers([["1.5", "-0.8"]]),
    },
    against="additive",
    holds=(
        "rows-sum-to-one",
        "weights-not-negative",
        "context-in-convex-hull",
        "shift-invariant",
        "scores-bounded",
        "uniform-when-hot",
        "largest-wins-when-cold",
        "gradient-rows-sum-to-zero",
    ),
)
