"""Claims about weights when all final scores are multiplied by a number beta.

At beta = 0 nothing is told apart; as beta grows without bound, only the largest score may count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
from sympy import (
    Add,
    E,
    Expr,
    Indexed,
    IndexedBase,
    Integer,
    Mul,
    Pow,
    Rational,
    Sum,
    Symbol,
    exp,
    limit,
    oo,
)

from derive.algebras.symbolic import Symbolic
from derive.binding import rename, same
from derive.claims.chains import (
    chain,
    changed,
    count_equal,
    defining,
    out_of_largest,
    with_changed,
)
from derive.claims.claim import Claim, Line, Proof, Structural
from derive.claims.subject import Subject
from derive.claims.weights import has_scores, known_signs
from derive.derivation import DerivationError
from derive.elements import Elements
from derive.formula import Stage, a, l, opened
from derive.rewriting import unfold
from derive.signs import Sign, signs_of
from derive.witness import Difference, Reading, entry_name

BETA = Symbol("beta", positive=True)
SCALE = IndexedBase("beta", positive=True)
"""What multiplies the final scores: one number in a counterexample, one for each row in a proof."""


def at_zero(subject: Subject) -> tuple[Stage, ...]:
    """Return the stages that make the weights when every final score is 0."""
    stages = with_changed(subject, lambda _score: Integer(0))
    needed = {stage.array for stage in subject.upstream([a])}
    return tuple(stage for stage in stages if stage.array in needed)


def _uniform_when_hot(subject: Subject) -> Proof:
    stages = at_zero(subject)
    weight = stages[-1].target
    same = Line(weight, "the same number for all keys that a query sees, at beta = 0")
    continuous = Structural("continuity", (*_continuity(subject, stages), same))
    reasons = [
        *[(f"the definition of {s.array}, at beta = 0", unfold(s)) for s in reversed(stages)],
        ("equal terms are counted", count_equal),
        ("the largest of equal numbers is each of them", out_of_largest),
    ]
    goal: Expr = weight
    for _, rule in reasons:
        goal = rule(goal)
    of_key = Mul(*(factor for factor in Mul.make_args(goal) if factor.has(subject.key)))
    if of_key.has(subject.key) and not known_signs(subject).keeps(of_key):
        raise DerivationError(f"at beta = 0 the weight {goal} depends on the key")
    return chain(weight, goal, reasons, defining(stages)), continuous


def _continuity(subject: Subject, stages: tuple[Stage, ...]) -> Iterator[Line]:
    """Yield what the weights divide by, none of which is zero at beta = 0 where it is defined."""
    signs = signs_of(stages, subject.mechanism.indicators, subject.relations)
    finals = {entry.base for entry in subject.finals}
    at_zero = {stage.array: stage.value for stage in stages}
    for stage in subject.upstream([a], finals):
        for power in sorted(stage.value.atoms(Pow), key=str):
            if not power.exp.is_negative or not power.base.has(Indexed):
                continue
            base = changed(power.base, finals, lambda _score: Integer(0))
            value = at_zero.get(base.base, base) if isinstance(base, Indexed) else base
            if signs.of(base) is not Sign.POSITIVE and not _counts_keys(subject, value):
                raise DerivationError(f"{power.base} may be zero at beta = 0")
            yield Line(power.base, "not zero at beta = 0: the weights are continuous there")


def _counts_keys(subject: Subject, value: Expr) -> bool:
    """Tell whether a sum is zero only where a query sees no key, whatever beta is."""
    if not isinstance(value, Sum):
        return False
    signs = known_signs(subject)
    body, _, _, _ = opened(value)
    kept = [factor for factor in Mul.make_args(body) if not signs.chooses(factor)]
    return signs.of(Mul(*kept)) is Sign.POSITIVE and signs.of(body) is not Sign.UNKNOWN


def _largest_wins(subject: Subject) -> Proof:
    stages = with_changed(subject, lambda score: SCALE[score.indices[:-1]] * score)
    defined = {stage.array: stage for stage in stages}
    weight: Expr = subject.weight.target
    for stage in reversed(stages):
        if len(stage.target.indices) == len(subject.weight.target.indices):
            weight = unfold(stage)(weight)
    lines: dict[Line, None] = {}
    for term in Add.make_args(weight):
        lines.update(dict.fromkeys(_share(subject, term, defined)))
    return (Structural("shares", tuple(lines)),)


def _share(subject: Subject, term: Expr, defined: dict[IndexedBase, Stage]) -> Iterator[Line]:
    """Yield why a term of a weight goes to 0: it is at most a quotient of two exponentials."""
    factors = Mul.make_args(term)
    below = [f for f in factors if isinstance(f, Pow) and f.exp == -1 and _row(f.base) in defined]
    above = [f for f in factors if f not in below]
    of_key = Mul(*(f for f in above if subject.key in f.free_symbols))
    if len(below) != 1:
        raise DerivationError(f"{term} is not divided by a sum over the keys")
    rest = Mul(*(f for f in above if subject.key not in f.free_symbols))
    if rest.has(SCALE) or {entry.base for entry in rest.atoms(Indexed)} & defined.keys():
        raise DerivationError(f"the factor {rest} of a weight changes with beta")
    row = below[0].base
    signs = known_signs(subject)
    parts = Add.make_args(defined[row.base].value)
    own = [p for p in parts if isinstance(p, Sum) and same(p, Sum(of_key, *p.limits))]
    if not own or any(signs.of(part) is Sign.UNKNOWN for part in parts):
        raise DerivationError(f"{row} is not a sum of {of_key} and terms that are not negative")
    yield Line(row, "a sum of terms that are not negative, among them that of any key l")
    kept = Mul(*(f for f in Mul.make_args(of_key) if not signs.chooses(f)))
    if not isinstance(kept, exp):
        raise DerivationError(f"{kept} is not an exponential")
    for score in subject.finals:
        other = {subject.key: l}
        gap = SCALE[score.indices[:-1]] * (score - rename(score, other))
        exponent = kept.args[0] - rename(kept.args[0], other)
        if (exponent - gap).expand() == 0:
            quotient = exp(gap)
            yield Line(
                of_key / row,
                "no more than the quotient of the terms of keys j and l, where query i sees key l",
            )
            yield Line(quotient, "goes to 0 as beta grows, where the score of j is below that of l")
            return
    raise DerivationError(f"{kept} does not grow with the final scores")


def _row(expression: Expr) -> IndexedBase | None:
    return expression.base if isinstance(expression, Indexed) else None


# Counterexamples: the limit at one input, by SymPy's own algorithm for limits.


def _weights_by_beta(subject: Subject, reading: Reading) -> tuple[Any, Any]:
    """Return the final scores, and the weights as expressions in beta."""
    rational = numpy.vectorize(Rational, otypes=[object])
    given = {base: rational(rows) for base, rows in reading.inputs.items()}
    finals = [entry.base for entry in subject.finals]
    arrays = Elements(Symbolic(), given, reading.sizes).run(subject.upstream(finals, given))
    scaled = {**arrays, **{base: BETA * arrays[base] for base in finals}}
    weights = Elements(Symbolic(), scaled, reading.sizes).run(subject.upstream([a], finals))[a]
    pairs = [arrays[e.base] for e in subject.finals if arrays[e.base].shape == weights.shape]
    return pairs, weights


def _pairs_of_keys(weights: Any) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """Yield each row and every two keys in it whose weights are not zero."""
    for row in numpy.ndindex(*weights.shape[:-1]):
        seen = [place for place, weight in enumerate(weights[row]) if weight != 0]
        yield from ((row, one, other) for one in seen for other in seen if one != other)


def _limit(weight: Expr, end: Expr) -> Expr | None:
    """Return a limit, or None where SymPy has no way to it: then nothing is refuted by it."""
    try:
        return limit(weight, BETA, end)
    except NotImplementedError:
        # So SymPy says that it knows no way to this limit, which says nothing about the claim.
        return None


def _not_uniform(subject: Subject, reading: Reading) -> Difference | None:
    _, weights = _weights_by_beta(subject, reading)
    for row, one, other in _pairs_of_keys(weights):
        left, right = (_limit(weights[row][place], Integer(0)) for place in (one, other))
        if left is not None and right is not None and (left - right).is_nonzero:
            name, second = (entry_name(a, _place(row, place)) for place in (one, other))
            claimed = f"that of {second}, {_text(right)}"
            return Difference(f"the limit of {name} as beta goes to 0", claimed, _text(left))
    return None


def _loser_keeps_weight(subject: Subject, reading: Reading) -> Difference | None:
    scores, weights = _weights_by_beta(subject, reading)
    for row, loser, winner in _pairs_of_keys(weights):
        if not scores or not all((s[row][winner] - s[row][loser]).is_positive for s in scores):
            continue
        found = _limit(weights[row][loser], oo)
        if found is not None and found.is_zero is False:
            name = entry_name(a, _place(row, loser))
            return Difference(f"the limit of {name} as beta grows", "0", _text(found))
    return None


def _text(number: Expr) -> str:
    return str(number.xreplace({E: Symbol("e")}))


def _place(row: tuple[int, ...], key: int) -> tuple[int, ...]:
    return tuple(p + 1 for p in (*row, key))


UNIFORM_WHEN_HOT = Claim(
    "uniform-when-hot",
    "As all final scores shrink to 0 together, all keys that a query sees come to equal weights",
    _uniform_when_hot,
    _not_uniform,
    (),
    "Scores are multiplied by beta, and beta goes to 0: the temperature 1/beta grows.",
    applies=has_scores,
    fewest=2,
)
LARGEST_WINS_WHEN_COLD = Claim(
    "largest-wins-when-cold",
    "As all final scores grow by one factor, a key below another that it sees loses all its weight",
    _largest_wins,
    _loser_keeps_weight,
    (),
    "Scores are multiplied by beta, and beta grows: in the limit only the largest scores count.",
    applies=has_scores,
    fewest=2,
)
