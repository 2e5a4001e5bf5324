"""Claims about context vectors."""

from __future__ import annotations

from sympy import Indexed, Mul

from derive.claims.chains import chain, defining
from derive.claims.claim import Claim, Proof, never, of_nothing, product_of
from derive.claims.subject import Subject
from derive.claims.weights import has_weights, rows_sum, weights_not_negative
from derive.derivation import DerivationError
from derive.formula import K, Q, Stage, V, a, array, opened, total, x, z
from derive.rewriting import distribute, fold, pull_out, rewrite
from derive.witness import (
    Difference,
    Reading,
    Shapes,
    entries_of,
    entry_name,
    shown,
    surely_below,
)

b = array("b")
"""An array that may be anything: a bound for each column."""

SENTENCES: tuple[Shapes, ...] = (
    {x: (1, 1)},
    {x: (2, 1)},
    {Q: (1, 1), K: (1, 1), V: (1, 1)},
    {Q: (1, 1), K: (2, 1), V: (2, 1)},
)


def _has_context(subject: Subject) -> bool:
    return has_weights(subject) and subject.context is not None


def _in_hull(subject: Subject) -> Proof:
    context, weight, value = _parts(subject)
    if weight.base != a:
        raise DerivationError(f"nothing shows that {weight} sums to 1 over the keys")
    column = tuple(t for t in context.target.indices if t != subject.query)
    bound = array("b") if b not in subject.shapes else subject.spare()[0]
    key = weight.indices[-1]
    bounded = chain(
        total(weight * (bound[column] - value), key),
        bound[column] - context.target,
        [
            ("multiply out", distribute),
            (f"{bound} does not depend on {key}", pull_out),
            ("the weights of one query sum to 1", rewrite(*rows_sum(subject).goal)),
            (f"the definition of {context.array}, read backwards", fold(context)),
        ],
        (*defining(subject.normaliser), context),
    )
    return weights_not_negative(subject), rows_sum(subject), bounded


def _outside_hull(subject: Subject, reading: Reading) -> Difference | None:
    context, weight, value = _parts(subject)
    key = weight.indices[-1]
    arrays = reading.run(subject.upstream([context.array], reading.inputs))
    found = arrays[context.array]
    keys = arrays[weight.base].shape[-1]
    for place, entry in entries_of(found):
        where = dict(zip(context.target.indices, place, strict=True))
        values = [reading.value(arrays, value, {**where, key: p}) for p in range(1, keys + 1)]
        low, high = min(values), max(values)
        if surely_below(entry, low) or surely_below(high, entry):
            name = entry_name(context.array, place)
            return Difference(name, f"between {shown(low)} and {shown(high)}", shown(entry))
    return None


def _parts(subject: Subject) -> tuple[Stage, Indexed, Indexed]:
    """Return the weighted sum, the weight in it and the entry that is weighted."""
    if subject.context is None:
        raise DerivationError(f"{subject.mechanism.title}: nothing is a weighted sum over the keys")
    context, weight = subject.context
    body, _, _, _ = opened(context.value)
    (value,) = (part for part in Mul.make_args(body) if part != weight)
    return context, weight, value


IN_HULL = Claim(
    "context-in-convex-hull",
    "Each context vector lies in the convex hull of the value vectors",
    _in_hull,
    _outside_hull,
    SENTENCES,
    "Weights of 0 or more that sum to 1 mix the vectors: a bound b_k on all x_jk bounds z_ik too.",
    applies=_has_context,
    about=lambda subject: (_parts(subject)[0].array,),
)
CONTEXT_IS_PRODUCT = Claim(
    "contexts-are-a-matrix-product",
    "All context vectors at once are one matrix product",
    product_of(z),
    never,
    (),
    "Row i of the product is the context vector of query i.",
    about=of_nothing,
)
