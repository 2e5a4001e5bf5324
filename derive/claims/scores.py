"""Claims about scores, and about the queries and keys that they are made from."""

from __future__ import annotations

from dataclasses import replace

from sympy import Expr, Indexed, IndexedBase

from derive.binding import rename, same
from derive.claims.chains import chain, changed, defining, folded, unfolded
from derive.claims.claim import Claim, Proof, difference, never, of_nothing, product_of
from derive.claims.subject import Subject
from derive.claims.weights import has_scores
from derive.derivation import Derivation, DerivationError
from derive.formula import K, Q, Stage, a, s
from derive.rewriting import Rule, pull_out
from derive.witness import (
    Difference,
    Reading,
    entries_of,
    entry_name,
    first_difference,
    surely_different,
)


def _symmetric(subject: Subject) -> Proof:
    return (_alike(subject.upstream([s])),)


def _asymmetric(subject: Subject, reading: Reading) -> Difference | None:
    scores = reading.run(subject.upstream([s], reading.inputs))[s]
    left, right = scores[0, 1], scores[1, 0]
    return difference("s_12", left, right) if surely_different(left, right) else None


def pairs(subject: Subject) -> dict[IndexedBase, IndexedBase]:
    """Return, for each array of keys, that of the queries that it is compared with."""
    keys = {str(base): base for base in subject.keys}
    found = {}
    for query in subject.queries:
        stem, mark, label = str(query).partition("_")
        name = f"K{mark}{label}" if stem == "Q" else f"{stem}{mark}k"
        if name in keys and subject.shapes[keys[name]][-1] == subject.shapes[query][-1]:
            found[keys[name]] = query
    return found


def _has_pairs(subject: Subject) -> bool:
    queries = subject.queries
    paired = bool(queries) and set(pairs(subject).values()) == set(queries)
    return has_scores(subject) and subject.scores_are_of_tokens and paired


def _same_vectors(subject: Subject) -> tuple[Stage, ...]:
    """Return the stages that make the final scores, with each query's vectors as its keys."""
    partners = pairs(subject)
    stages = subject.upstream([subject.scores.base], {*partners, *partners.values()})
    return tuple(_asked_of_queries(subject, stage) for stage in stages)


def _asked_of_queries(subject: Subject, stage: Stage) -> Stage:
    value = changed(stage.value, pairs(subject), lambda key: _query(subject, key, stage))
    return Stage(stage.target, value, subject.shapes[stage.array])


def _query(subject: Subject, key: Indexed, stage: Stage) -> Expr:
    """Return the entry of the queries that stands for one of the keys, in the same head."""
    query = pairs(subject)[key.base]
    if subject.shapes[query] == subject.shapes[key.base]:
        return query[key.indices]
    heads = len(subject.shapes[query]) - 2
    return query[(*stage.target.indices[:heads], *key.indices[-2:])]


def _symmetric_in_vectors(subject: Subject) -> Proof:
    return (_alike(_same_vectors(subject)),)


def _alike(stages: tuple[Stage, ...]) -> Derivation:
    target = stages[-1].target
    *lead, query, key = target.indices
    swapped = target.base[(*lead, key, query)]
    definition: Expr = target
    for _, rule in unfolded(stages):
        definition = rule(definition)
    other = rename(definition, {query: key, key: query})

    def commute(expression: Expr) -> Expr:
        return swapped if same(expression, other) else expression

    return chain(
        target,
        swapped,
        [
            *unfolded(stages),
            ("the same products, for numbers commute: the definition of the other score", commute),
        ],
        stages,
    )


def _not_alike(subject: Subject, reading: Reading) -> Difference | None:
    queries = set(pairs(subject).values())
    arrays = reading.run(subject.upstream(queries, reading.inputs))
    scores = reading.going_on(arrays, _same_vectors(subject))[subject.scores.base]
    for place, left in entries_of(scores):
        *lead, query, key = (p - 1 for p in place)
        if surely_different(left, scores[(*lead, key, query)]):
            name = f"{entry_name(subject.scores.base, place)}, with the queries as keys,"
            return difference(name, scores[(*lead, key, query)], left)
    return None


def _has_queries(subject: Subject) -> bool:
    return has_scores(subject) and bool(subject.queries)


def _query_scale_invariant(subject: Subject) -> Proof:
    (factor,) = subject.spare(positive=True)
    stages = subject.upstream([a], subject.queries)
    start: Expr = subject.weight.target
    for _, rule in unfolded(stages):
        start = rule(start)
    start = changed(start, subject.queries, lambda q: factor[q.indices[:-1]] * q)
    if pull_out(start).has(factor):
        raise DerivationError(f"the factor {factor} does not cancel")
    reasons: list[tuple[str, Rule]] = [
        ("the factor depends on no dimension and no key: it stands before sums", pull_out),
        *folded(stages),
    ]
    return (chain(start, subject.weight.target, reasons, defining(stages)),)


def _changes_with_length(subject: Subject, reading: Reading) -> Difference | None:
    queries = subject.queries
    arrays = reading.run(subject.upstream([a, *queries], reading.inputs))
    longer = {**arrays, **{base: arrays[base] * 2 for base in queries}}
    after = reading.going_on(longer, subject.upstream([a], queries))[a]
    found = first_difference(a, arrays[a], after)
    return found and replace(found, entry=f"{found.entry}, with queries twice as long,")


SYMMETRIC = Claim(
    "scores-symmetric",
    "Two tokens score each other alike",
    _symmetric,
    _asymmetric,
    ({Q: (2, 1), K: (2, 1)},),
    "Which of the two words asks does not matter, as long as query and key are the same vectors.",
    about=lambda _subject: (s,),
)
SYMMETRIC_IN_VECTORS = Claim(
    "scores-symmetric",
    "With the same vectors as queries and keys, two tokens score each other alike",
    _symmetric_in_vectors,
    _not_alike,
    (),
    "Where it holds, only the maps that make queries and keys tell who asks and who is asked.",
    applies=_has_pairs,
    fewest=2,
    about=lambda subject: (subject.scores.base,),
)
QUERY_SCALE_INVARIANT = Claim(
    "query-scale-invariant",
    "Multiplying a query by a positive number changes none of its weights",
    _query_scale_invariant,
    _changes_with_length,
    (),
    "Where it fails, the weights depend on a query's length, not on its direction alone.",
    applies=_has_queries,
)
SCORES_ARE_PRODUCT = Claim(
    "scores-are-a-matrix-product",
    "All scores at once are one matrix product",
    product_of(s),
    never,
    (),
    "Row i, column j of the product is the inner product of rows i and j.",
    about=of_nothing,
)
