"""The gradients by queries, keys, values and projections, derived one rule at a time."""

from __future__ import annotations

from sympy import Expr, Indexed, IndexedBase, Sum, sqrt

from derive.formula import (
    UPPER_LIMIT,
    Choice,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_e,
    d_v,
    e,
    i,
    j,
    k,
    n,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.gradients import gradient_of
from derive.normaliser import softmax
from derive.rewriting import Rule, pull_out, unfold
from derive.score import scaled_dot_product
from derive.sum_rules import pick
from derive.theorems.slope import Slope, entries, term_by_term
from derive.theorems.softmax_backward import ATTENTION, DAO, r
from derive.theorems.theorem import Agreement, Chain, Kind, Setting, Theorem, chain
from derive.weighted_sum import weighted_sum

W_q = array("W_q")
PROJECTION = Stage(Q[i, k], total(x[i, e] * W_q[k, e], e))
PROJECTED = Mechanism(
    "attention with a projected query",
    (
        Choice("projection", "a linear map of each token", (PROJECTION,)),
        scaled_dot_product(),
        softmax(),
        weighted_sum(),
    ),
    given=((x, (n_q, d_e)), (W_q, (d, d_e)), (K, (n, d)), (V, (n, d_v))),
)
SCORE, CONTEXT = ATTENTION.stage(s), ATTENTION.stage(z)


BRACKETS: tuple[tuple[str, Rule], ...] = (
    ("of a sum with a bracket only one place is left", pick()),
    ("what does not depend on an index stands before its sum", pull_out),
    ("of a sum with a bracket only one place is left", pick()),
)


def through(
    title: str, stage: Stage, by: Indexed, goal: Expr, still: IndexedBase, steps: int
) -> Chain:
    """Derive the gradient by an entry that the linear ``stage`` reads beside ``still``.

    What is differentiated is the sum of the stage's array times a free gradient by it. It takes
    so many of the ``steps`` above until no bracket is left.
    """
    row, column = stage.target.indices
    free = gradient_of(stage.array)
    inner = total(free[r, column] * stage.array[r, column], column)
    reasons: list[tuple[str, Rule]] = [
        (f"the definition of {stage.array}", unfold(stage)),
        (f"the derivative of a sum; {free} and {still} are held still", term_by_term(free, still)),
        ("an entry changes with itself alone", entries),
        *BRACKETS[:steps],
    ]
    start = Slope(Sum(inner, (r, 1, UPPER_LIMIT[row])), by)
    return chain(title, start, goal, reasons, Setting((stage,)))


abar, sbar, zbar, Qbar = map(gradient_of, (a, s, z, Q))

BY_WEIGHT = through(
    "the gradient by a weight", CONTEXT, a[i, j], total(V[j, c] * zbar[i, c], c), V, 3
)
BY_VALUE = through(
    "the gradient by a value", CONTEXT, V[j, c], total(a[i, j] * zbar[i, c], i), a, 1
)
BY_QUERY = through(
    "the gradient by a query", SCORE, Q[i, k], total(K[j, k] * sbar[i, j], j) / sqrt(d), K, 3
)
BY_KEY = through(
    "the gradient by a key", SCORE, K[j, k], total(Q[i, k] * sbar[i, j], i) / sqrt(d), Q, 2
)
BY_PROJECTION = through(
    "the gradient by a matrix that makes queries",
    PROJECTION,
    W_q[k, e],
    total(Qbar[i, k] * x[i, e], i),
    x,
    1,
)


def derived(part: Chain, mechanism: Mechanism, array: IndexedBase) -> Agreement:
    """Compare the end of a chain with what ``derive.gradients`` derives."""
    return Agreement(f"{part.title}: as derived mechanically", part, mechanism, gradient_of(array))


THEOREM = Theorem(
    name="gradients-by-hand",
    title="The gradients by weights, queries, keys, values and projections, step by step",
    statement=(
        "Whatever gradient arrives at the result of a linear stage, the gradient by what it reads "
        "is a product with the other factor: by a weight a product with the values, by a value one "
        "with the weights, by a query one with the keys, by a key one with the queries, and by a "
        "matrix of a projection one with the tokens."
    ),
    parts=(
        BY_WEIGHT,
        derived(BY_WEIGHT, ATTENTION, a),
        BY_VALUE,
        derived(BY_VALUE, ATTENTION, V),
        BY_QUERY,
        derived(BY_QUERY, ATTENTION, Q),
        BY_KEY,
        derived(BY_KEY, ATTENTION, K),
        BY_PROJECTION,
        derived(BY_PROJECTION, PROJECTED, W_q),
    ),
    kind=Kind.EVERY,
    consequence=(
        "Between queries, keys, values and the result, the backward pass of attention is four "
        "matrix products and one softmax gradient. With them every gradient of this mechanism can "
        "be worked by hand."
    ),
    sources=(DAO,),
    variants=("scaled-dot-product",),
)
