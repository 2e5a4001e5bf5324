"""FlashAttention's row sum: what the gradient of softmax subtracts is known from the output."""

from __future__ import annotations

from derive.formula import Stage, a, c, i, j, l, total, z
from derive.gradients import gradient_of
from derive.rewriting import Rule, fold, pull_out, unfold
from derive.sum_rules import exchange, push_in
from derive.theorems.gradients_by_hand import BY_WEIGHT, CONTEXT
from derive.theorems.softmax_backward import DAO
from derive.theorems.theorem import Kind, Setting, Theorem, chain

abar, zbar = gradient_of(a), gradient_of(z)

GRADIENT = Stage(abar[i, j], BY_WEIGHT.goal[1])

reasons: list[tuple[str, Rule]] = [
    ("the gradient by a weight", unfold(GRADIENT)),
    ("the weight goes under the sum", push_in),
    ("finite sums may be taken in either order", exchange),
    ("zbar does not depend on the key", pull_out),
    ("the definition of z, read backwards", fold(CONTEXT)),
]
ROW_SUM = chain(
    "the row sum from the output",
    total(a[i, l] * abar[i, l], l),
    total(zbar[i, c] * z[i, c], c),
    reasons,
    Setting((CONTEXT, GRADIENT)),
)

THEOREM = Theorem(
    name="row-sum-trick",
    title="What softmax's gradient subtracts in a row is the output times the output's gradient",
    statement=(
        "What is subtracted, the mean of abar in a row, is sum_l a_il abar_il, a sum over all "
        "keys. It equals sum_c zbar_ic z_ic, which runs over the dimensions of the output alone."
    ),
    parts=(ROW_SUM,),
    kind=Kind.EVERY,
    consequence=(
        "The backward pass can go through the keys block by block: the row's mean is computed "
        "once, beforehand, from the output that the forward pass stored and its gradient. "
        "FlashAttention calls it D."
    ),
    sources=(DAO,),
    variants=("scaled-dot-product",),
)
