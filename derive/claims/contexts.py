"""Claims about context vectors."""

from __future__ import annotations

from sympy import Indexed, Symbol

from derive.claims.claim import Claim, Proof, never, product_of
from derive.claims.weights import from_scores, positive_weights, rows_sum
from derive.derivation import derive
from derive.formula import K, Mechanism, Q, Stage, V, a, array, i, j, total, x, z
from derive.rewriting import distribute, fold, pull_out, rewrite
from derive.witness import Difference, Reading, Shapes, shown, surely_below

b = array("b")
"""An array that may be anything: a bound for each column."""

SENTENCES: tuple[Shapes, ...] = (
    {x: (1, 1)},
    {x: (2, 1)},
    {Q: (1, 1), K: (1, 1), V: (1, 1)},
    {Q: (1, 1), K: (2, 1), V: (2, 1)},
)


def _in_hull(mechanism: Mechanism) -> Proof:
    context = mechanism.stage(z)
    value, column = _value_entry(context)
    bounded = derive(
        total(a[i, j] * (b[column] - value), j),
        b[column] - context.target,
        [
            ("multiply out", distribute),
            ("b does not depend on j", pull_out),
            ("the weights of one query sum to 1", rewrite(*rows_sum(mechanism).goal)),
            ("the definition of z, read backwards", fold(context)),
        ],
        (*from_scores(mechanism), context),
    )
    return positive_weights(mechanism), rows_sum(mechanism), bounded


def _outside_hull(mechanism: Mechanism, reading: Reading) -> Difference | None:
    context = mechanism.stage(z)
    value, _ = _value_entry(context)
    arrays = reading.run(mechanism.stages)
    found, values = arrays[z][0, 0], list(arrays[value.base][:, 0])
    low, high = min(values), max(values)
    if surely_below(found, low) or surely_below(high, found):
        return Difference("z_11", f"between {shown(low)} and {shown(high)}", shown(found))
    return None


def _value_entry(context: Stage) -> tuple[Indexed, Symbol]:
    (value,) = (entry for entry in context.value.atoms(Indexed) if entry.base != a)
    return value, context.target.indices[1]


IN_HULL = Claim(
    "context-in-convex-hull",
    "Each context vector lies in the convex hull of the value vectors",
    _in_hull,
    _outside_hull,
    SENTENCES,
    "Weights above 0 that sum to 1 mix the vectors: a bound b_k on all x_jk bounds z_ik too.",
)
CONTEXT_IS_PRODUCT = Claim(
    "contexts-are-a-matrix-product",
    "All context vectors at once are one matrix product",
    product_of(z),
    never,
    (),
    "Row i of the product is the context vector of query i.",
)
