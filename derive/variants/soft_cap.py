"""The soft cap: scores bounded by a hyperbolic tangent."""

from __future__ import annotations

from sympy import Integer

from derive.formula import K, Q, V
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.variants.inputs import QUERY_WEIGHTS, key, projected, value
from derive.variants.variant import Source, Variant

GEMMA = Source(
    "Gemma Team",
    2024,
    "Gemma 2: improving open language models at a practical size",
    "https://arxiv.org/abs/2408.00118",
    "section 2, logit soft-capping",
)

VARIANT = Variant(
    key="soft-cap",
    title="Soft cap",
    family="Score modifications",
    summary=(
        "A hyperbolic tangent keeps every score between -2 and 2, while small scores stay nearly "
        "as they are, so that no weight of a row is more than e^4 times another. Gemma 2 caps at "
        "50; here the cap is 2 and queries are four times as long as elsewhere, so that it shows."
    ),
    mechanism=scaled_dot_product_attention(Options(soft_cap=Integer(2))),
    sources=(GEMMA,),
    inputs={Q: projected("W_q", 4 * QUERY_WEIGHTS[0]), K: key(), V: value()},
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
