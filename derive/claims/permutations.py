"""The claim that a permutation of the tokens permutes the results and changes nothing else.

It is shown by induction over the equations: each names a token only as the place of an entry, or
sums over all of them, and so do those that it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy
from sympy import Expr, Indexed, IndexedBase, Sum, Symbol
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import freshen
from derive.brackets import Bracket, Equals
from derive.claims.claim import Claim, Line, Proof, Structural
from derive.claims.subject import Subject
from derive.derivation import DerivationError
from derive.formula import Stage, n, opened
from derive.witness import Difference, Reading, first_difference


def asks_for_each_token(subject: Subject) -> bool:
    """Tell whether there is a result for each token of one text."""
    return subject.one_text and len(subject.token_axes(subject.result)) == 1


def of_result(subject: Subject) -> tuple[IndexedBase, ...]:
    """Say that a claim is about the last equation's array."""
    return (subject.result,)


def _permutation(subject: Subject) -> Proof:
    lines = tuple(
        Line(stage.target, _reads_alike(subject, stage)) for stage in subject.mechanism.stages
    )
    return (Structural("permutation", lines),)


def _reads_alike(subject: Subject, stage: Stage) -> str:
    """Say why a stage commutes with permutations, or raise ``DerivationError``."""
    axes = subject.token_axes(stage.array)
    own = {stage.target.indices[axis] for axis in axes}
    walk = _Permuted(subject, stage, own)
    walk.visit(stage.value)
    said = []
    if own:
        said.append("names a token only as the place of an entry")
    if walk.summed:
        said.append("sums over all tokens" if not walk.largest else "goes over all tokens")
    return ", and ".join(said) or "reads no place of a token"


@dataclass
class _Permuted:
    """Look for places of tokens that a permutation would change: numbers, and computed indices."""

    subject: Subject
    stage: Stage
    tokens: set[Symbol]
    summed: bool = False
    largest: bool = False

    def visit(self, part: Expr) -> None:
        """Go through an expression; what a permutation would change is refused."""
        if isinstance(part, Indexed):
            self.entry(part)
        elif isinstance(part, ExprWithLimits):
            self.bounded(part)
        elif isinstance(part, Equals) and set(part.args) <= self.tokens:
            return
        elif isinstance(part, Symbol):
            if part in self.tokens:
                self.refuse(f"the place {part} counts as a number")
        elif isinstance(part, Bracket):
            if part.free_symbols & self.tokens:
                self.refuse(f"{part} compares places")
            for side in part.args:
                self.visit(side)
        else:
            for argument in part.args:
                self.visit(argument)

    def entry(self, entry: Indexed) -> None:
        """Check an entry: only a token may be named, and only where tokens are counted."""
        axes = self.subject.token_axes(entry.base)
        fixed = entry.base in self.subject.fixed or entry.base in self.subject.mechanism.indicators
        if entry.base in self.subject.tokens and not axes:
            self.refuse(f"nothing says how {entry} changes when tokens move")
        for axis, index in enumerate(entry.indices):
            names_token = bool(index.free_symbols & self.tokens)
            if axis in axes and fixed:
                self.refuse(f"{entry} stays where it is when tokens move")
            if axis in axes and index not in self.tokens:
                self.refuse(f"{entry} is read at a fixed place or a computed one")
            if axis not in axes and names_token:
                self.refuse(f"{entry} is chosen by the place of a token")

    def bounded(self, part: ExprWithLimits) -> None:
        """Check a sum or maximum; its index is a token where it goes over all of them."""
        body, index, low, high = opened(freshen(part))
        over_tokens = high == n or high in self.subject.relations
        if high.free_symbols & self.tokens:
            self.refuse(f"a sum ends at the place {high}")
        if over_tokens and low == 1 and _counts_tokens(self.subject, body, index):
            self.summed, self.largest = True, self.largest or not isinstance(part, Sum)
            self.tokens.add(index)
        self.visit(body)

    def refuse(self, why: str) -> None:
        """Say that the argument does not go through."""
        raise DerivationError(f"{self.stage}: {why}")


def _counts_tokens(subject: Subject, body: Expr, index: Symbol) -> bool:
    entries = [e for e in body.atoms(Indexed) if index in e.indices]
    return any(e.indices.index(index) in subject.token_axes(e.base) for e in entries)


def _permuted_otherwise(subject: Subject, reading: Reading) -> Difference | None:
    stages = subject.mechanism.stages
    before = reading.run(stages)[subject.result]
    moved = {base: _moved_on(subject, base, reading.inputs[base]) for base in subject.tokens}
    after = Reading({**reading.inputs, **moved}, reading.sizes).run(stages)[subject.result]
    found = first_difference(subject.result, _moved_on(subject, subject.result, before), after)
    where = "with every token moved on by one place and the last one first"
    return found and replace(found, entry=f"{found.entry}, {where},")


def _moved_on(subject: Subject, base: IndexedBase, rows: Any) -> Any:
    return numpy.roll(rows, 1, subject.token_axes(base))


PERMUTATION_EQUIVARIANT = Claim(
    "permutation-equivariant",
    "Permuting the tokens permutes the results and changes nothing else",
    _permutation,
    _permuted_otherwise,
    (),
    "Where it holds, the formula does not know the order of words.",
    applies=asks_for_each_token,
    fewest=2,
    about=of_result,
)
