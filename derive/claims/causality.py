"""The claim that the result of a token does not depend on later tokens.

It is shown by induction over the equations: each array's entry depends on tokens up to one of its
own places, because what it reads does, and a bracket or the end of a sum keeps later tokens out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sympy import Add, Expr, Indexed, IndexedBase, Integer, Mul, Pow, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import freshen
from derive.brackets import AtMost, Below, Bracket, Equals
from derive.claims.claim import Claim, Line, Proof, Structural
from derive.claims.permutations import asks_for_each_token, of_result
from derive.claims.shorter import without_a_token
from derive.claims.subject import Subject
from derive.derivation import DerivationError
from derive.formula import Stage, opened
from derive.witness import Difference, Reading, first_difference

Facts = frozenset[tuple[Expr, Expr]]
"""Pairs of places, the first at most the second, wherever an expression is not zero."""


@dataclass(frozen=True)
class Reach:
    """Which tokens an array's entry can depend on, and where it can be other than zero.

    Tokens up to the last of the places at ``axes``, or all where that is None: then it may also
    depend on how many there are. ``zero_unless`` pairs axes: the entry is zero unless the place at
    the first is at most that at the second.
    """

    axes: frozenset[int] | None
    zero_unless: frozenset[tuple[int, int]] = frozenset()


ALL = Symbol("all")
"""The place of the last token."""


def _earlier(subject: Subject) -> Proof:
    # Of what comes from the tokens without an axis of them, nothing says from which.
    axes = {base: frozenset(subject.token_axes(base)) for base in subject.tokens}
    reaches = {base: Reach(places or None) for base, places in axes.items()}
    lines = []
    for stage in subject.mechanism.stages:
        found = _Earlier(subject, reaches).stage(stage)
        reaches[stage.array] = found
        lines.append(Line(stage.target, _said(stage, found)))
    reach = reaches[subject.result]
    if reach.axes is None or not reach.axes <= set(subject.token_axes(subject.result)):
        raise DerivationError(f"{subject.result} may depend on later tokens")
    return (Structural("earlier tokens", tuple(lines)),)


def _said(stage: Stage, reach: Reach) -> str:
    letters = stage.target.indices
    if reach.axes is None:
        depends = "depends on all tokens, or on how many there are"
    elif not reach.axes:
        depends = "depends on no token"
    else:
        last = " and ".join(str(letters[axis]) for axis in sorted(reach.axes))
        depends = f"depends on tokens up to {last} alone"
    zero = [f"{letters[one]} <= {letters[other]}" for one, other in sorted(reach.zero_unless)]
    return f"{depends}; it is 0 unless {' and '.join(zero)}" if zero else depends


@dataclass
class _Earlier:
    subject: Subject
    reaches: dict[IndexedBase, Reach] = field(default_factory=dict)

    def stage(self, stage: Stage) -> Reach:
        """Return what the entries of a stage depend on, given what is known of those before."""
        tokens = [stage.target.indices[axis] for axis in self.subject.token_axes(stage.array)]
        facts = self.facts(stage.value)
        tops = self.tops(stage.value, frozenset())
        found: set[Symbol] = set()
        for top in tops:
            at = next((t for t in tokens if (t - top).is_nonnegative), None)
            if at is None:
                return Reach(None, self.pairs(stage, facts, tokens))
            found.add(at)
        for one, other in facts:
            if {one, other} <= found and one != other and other in tokens:
                found.discard(one)
        place = {index: axis for axis, index in enumerate(stage.target.indices)}
        return Reach(frozenset(place[t] for t in found), self.pairs(stage, facts, tokens))

    def pairs(self, stage: Stage, facts: Facts, tokens: list[Symbol]) -> frozenset[tuple[int, int]]:
        """Return the facts about two axes of tokens."""
        place = {index: axis for axis, index in enumerate(stage.target.indices)}
        return frozenset(
            (place[one], place[other])
            for one, other in facts
            if one in tokens and other in tokens and one != other
        )

    def tops(self, part: Expr, facts: Facts) -> set[Expr]:
        """Return places such that the part depends on no token after all of them."""
        if isinstance(part, Indexed):
            return self.entry(part)
        if self.subject.counts_tokens(part):
            return {ALL}
        if isinstance(part, Mul):
            for factor in part.args:
                facts = facts | self.facts(factor)
            return {top for factor in part.args for top in self.tops(factor, facts)}
        if isinstance(part, ExprWithLimits):
            return self.bounded(part, facts)
        return {top for argument in part.args for top in self.tops(argument, facts)}

    def entry(self, entry: Indexed) -> set[Expr]:
        """Return the places of the tokens that an entry depends on."""
        reach = self.reaches.get(entry.base, Reach(frozenset()))
        if reach.axes is None:
            return {ALL}
        return {entry.indices[axis] for axis in reach.axes}

    def bounded(self, part: ExprWithLimits, facts: Facts) -> set[Expr]:
        """Return the places of a sum or maximum, none of them its own index."""
        body, index, _, high = opened(freshen(part))
        over_all = self.subject.counts_tokens(high)
        if not over_all:
            facts = facts | {(index, high)}
        facts = facts | self.facts(body)
        found: set[Expr] = set()
        # One more token adds a term. It is 0 where a fact keeps it out, and 0 changes a sum alone.
        if over_all and not (isinstance(part, Sum) and self.limits(index, facts)):
            found.add(ALL)
        for top in self.tops(body, facts):
            if index not in top.free_symbols:
                found.add(top)
            elif (index - top).is_nonnegative:
                found |= self.limits(index, facts) or {ALL}
            else:
                found.add(ALL)
        return found

    def limits(self, index: Symbol, facts: Facts) -> set[Expr]:
        """Return a place that an index of a sum does not exceed, where a fact tells one."""
        above = {other for one, other in facts if one == index and index not in other.free_symbols}
        return {min(above, key=str)} if above else set()

    def facts(self, part: Expr) -> Facts:
        """Return what is so wherever a part is not zero."""
        if isinstance(part, AtMost | Below | Equals):
            return frozenset(self.compared(part))
        if isinstance(part, Mul):
            return frozenset().union(*(self.facts(factor) for factor in part.args))
        if isinstance(part, Add):
            return frozenset.intersection(*(self.facts(term) for term in part.args))
        if isinstance(part, Pow) and part.exp.is_positive:
            return self.facts(part.base)
        if isinstance(part, Sum):
            body, index, _, _ = opened(freshen(part))
            known = self.facts(body)
            return frozenset(pair for pair in known if not any(t.has(index) for t in pair))
        if isinstance(part, Indexed):
            reach = self.reaches.get(part.base, Reach(frozenset()))
            return frozenset((part.indices[p], part.indices[q]) for p, q in reach.zero_unless)
        return frozenset()

    def compared(self, bracket: Bracket) -> Iterator[tuple[Expr, Expr]]:
        """Yield pairs of places, the first at most the second where a bracket holds."""
        left, right = (side.xreplace(self.subject.relations) for side in bracket.args)
        least = Integer(1) if isinstance(bracket, Below) else Integer(0)
        gaps = [right - left] if not isinstance(bracket, Equals) else [right - left, left - right]
        places = [t for t in (left - right).free_symbols if t not in self.subject.relations]
        for gap in gaps:
            for one in places:
                for other in places:
                    slack = (other - one) - gap + least
                    if one != other and slack.expand().is_nonnegative:
                        yield one, other


def _sees_later(subject: Subject, reading: Reading) -> Difference | None:
    """Change the later tokens, or leave them out, and look at the results of the others."""
    return _sees_change(subject, reading) or _sees_number(subject, reading)


def _sees_number(subject: Subject, reading: Reading) -> Difference | None:
    """Leave the last token out."""
    shorter = without_a_token(subject, reading, first=False)
    if shorter is None:
        return None
    stages = subject.mechanism.stages
    before, after = (each.run(stages)[subject.result] for each in (reading, shorter))
    (axis,) = subject.token_axes(subject.result)
    earlier = [slice(None)] * before.ndim
    earlier[axis] = slice(0, -1)
    found = first_difference(subject.result, before[tuple(earlier)], after)
    return found and replace(found, entry=f"{found.entry}, without the last token,")


def _sees_change(subject: Subject, reading: Reading) -> Difference | None:
    """Change every token but the first, and look at the first one's result."""
    stages = subject.mechanism.stages
    before = reading.run(stages)[subject.result]
    changed = {}
    for base in subject.tokens:
        rows = reading.inputs[base].copy()
        for axis in subject.token_axes(base):
            later = [slice(None)] * rows.ndim
            later[axis] = slice(1, None)
            rows[tuple(later)] = rows[tuple(later)] + 1
        changed[base] = rows
    after = Reading({**reading.inputs, **changed}, reading.sizes).run(stages)[subject.result]
    (axis,) = subject.token_axes(subject.result)
    first = [slice(None)] * before.ndim
    first[axis] = slice(0, 1)
    found = first_difference(subject.result, before[tuple(first)], after[tuple(first)])
    where = "with 1 added to every number of the later tokens"
    return found and replace(found, entry=f"{found.entry}, {where},")


CAUSAL = Claim(
    "causal",
    "The result of a token does not depend on later tokens",
    _earlier,
    _sees_later,
    (),
    "Where it holds, a text can be written token by token, and earlier results stay.",
    applies=asks_for_each_token,
    fewest=2,
    about=of_result,
)
