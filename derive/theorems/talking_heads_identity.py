"""Talking heads that do not talk are plain heads."""

from __future__ import annotations

from derive.brackets import Equals
from derive.formula import Stage, a, g, h, i, j, n, n_g, n_h, n_p, n_q, p, s
from derive.rewriting import unfold
from derive.sum_rules import Known, pick
from derive.theorems.theorem import Kind, Setting, Theorem, chain
from derive.variants import talking_heads
from derive.variants.talking_heads import A, W_a, W_s, t

TALKING = talking_heads.VARIANT.mechanism
SAME = ((n_g, n_h), (n_p, n_h))
AS_MANY = Known(dict(SAME))

SCORE_MIXER = Stage(W_s[h, g], Equals(g, h), (n_h, n_g))
WEIGHT_MIXER = Stage(W_a[p, h], Equals(h, p), (n_p, n_h))
SETTING = Setting(
    (SCORE_MIXER, WEIGHT_MIXER, TALKING.stage(t), TALKING.stage(A)),
    given=((s, (n_g, n_q, n)), (a, (n_h, n_q, n))),
    relations=SAME,
)

SCORES = chain(
    "scores that are mixed by the identity",
    t[h, i, j],
    s[h, i, j],
    [
        ("the definition of t", unfold(TALKING.stage(t))),
        ("the identity matrix", unfold(SCORE_MIXER)),
        ("only the head's own scores are left", pick(AS_MANY)),
    ],
    SETTING,
)
WEIGHTS = chain(
    "weights that are mixed by the identity",
    A[p, i, j],
    a[p, i, j],
    [
        ("the definition of A", unfold(TALKING.stage(A))),
        ("the identity matrix", unfold(WEIGHT_MIXER)),
        ("only the head's own weights are left", pick(AS_MANY)),
    ],
    SETTING,
)

THEOREM = Theorem(
    name="talking-heads-identity",
    title="Talking heads with identity matrices are multi-head attention",
    statement=(
        "Where both matrices that mix heads are the identity, mixed scores are the scores and "
        "mixed weights are the weights."
    ),
    parts=(SCORES, WEIGHTS),
    kind=Kind.EVERY,
    consequence=(
        "Training can start from trained heads, with matrices that change nothing at first."
    ),
    sources=talking_heads.VARIANT.sources,
    variants=("talking-heads", "multi-head"),
)
