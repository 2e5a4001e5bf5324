"""The claim that the final scores stay within a bound, whatever queries and keys are."""

from __future__ import annotations

from contextlib import suppress

import numpy
from sympy import Expr, IndexedBase, Rational, Symbol, limit, oo, simplify

from derive.algebras.symbolic import Symbolic
from derive.claims.claim import Claim, Line, Proof, Structural
from derive.claims.magnitudes import Magnitudes
from derive.claims.subject import Subject
from derive.claims.weights import has_scores
from derive.derivation import DerivationError
from derive.elements import Elements
from derive.witness import Difference, Reading, entries_of, entry_name

STRETCH = Symbol("r", positive=True)
"""What multiplies queries in a counterexample."""


def _bounds(subject: Subject) -> tuple[Magnitudes, tuple[Line, ...]]:
    bounds = Magnitudes(subject)
    lines: dict[IndexedBase, Line] = {}
    stages = subject.upstream([subject.scores.base])
    for stage in stages:
        with suppress(DerivationError):
            lines[stage.array] = bounds.learn(stage)
    if subject.scores.base not in lines:
        raise DerivationError(f"nothing bounds {subject.scores}")
    return bounds, tuple(lines.values())


def _bounded(subject: Subject) -> Proof:
    bounds, lines = _bounds(subject)
    return (*bounds.lemmas, Structural("magnitude", lines))


def _conditions(subject: Subject) -> tuple[Expr, ...]:
    bounds, _ = _bounds(subject)
    return tuple(bounds.conditions)


def _unbounded(subject: Subject, reading: Reading) -> Difference | None:
    """Stretch queries, keys, or all that comes from tokens; watch a score pass every bound."""
    for stretched in (subject.queries, subject.keys, subject.tokens):
        if stretched:
            found = _grows(subject, reading, stretched)
            if found is not None:
                return found
    return None


def _grows(
    subject: Subject, reading: Reading, stretched: tuple[IndexedBase, ...]
) -> Difference | None:
    target = subject.scores.base
    rational = numpy.vectorize(Rational, otypes=[object])
    given = {base: rational(rows) for base, rows in reading.inputs.items()}
    arrays = Elements(Symbolic(), given, reading.sizes).run(subject.upstream(stretched, given))
    longer = {**arrays, **{base: STRETCH * arrays[base] for base in stretched}}
    stages = subject.upstream([target], stretched)
    scores = Elements(Symbolic(), longer, reading.sizes).run(stages)[target]
    for place, score in entries_of(scores):
        if score.free_symbols and limit(score, STRETCH, oo) in (oo, -oo):
            name = entry_name(target, place)
            names = " and ".join(f"r {base} for {base}" for base in stretched)
            return Difference(f"with {names}, {name}", "bounded as r grows", str(simplify(score)))
    return None


SCORES_BOUNDED = Claim(
    "scores-bounded",
    "Scores stay within a bound, whatever queries and keys are",
    _bounded,
    _unbounded,
    (),
    "Where it holds, no key's score can outgrow the others', however long its vector.",
    _conditions,
    applies=has_scores,
    about=lambda subject: (subject.scores.base,),
)
