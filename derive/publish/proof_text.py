"""Proofs of properties as lines of plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from sympy import Expr

from derive.brackets import Bracket
from derive.claims.claim import MatrixProduct, Part, Proof, Signs, Structural
from derive.derivation import Derivation
from derive.publish.notation import Text
from derive.publish.proof_writing import written
from derive.publish.writing import equation


def proof_lines(proof: Proof) -> Iterator[str]:
    """Yield a line for each step, with its reason after it."""
    for part in proof:
        yield from _part_lines(part)


def condition_text(condition: Expr) -> str:
    """Say what must hold for a proof: a bracket itself, of anything else that it is not zero."""
    text = Text()
    if isinstance(condition, Bracket):
        left, right = (written(side, text) for side in condition.args)
        return f"{left} {condition.relation.replace('<=', '≤')} {right}"
    return f"{written(condition, text)} is not 0"


def _part_lines(part: Part) -> Iterator[str]:
    text = Text()
    if isinstance(part, Derivation):
        yield written(part.steps[0].before, text)
        for step in part.steps:
            yield f"  = {written(step.after, text)}   ({step.rule})"
    elif isinstance(part, Signs):
        yield f"{written(part.entry, text)} = {written(part.definition, text)} by its signs"
    elif isinstance(part, MatrixProduct):
        yield f"{equation(part.stage, text)} has the entries of {part.product}"
    elif isinstance(part, Structural):
        for line in part.lines:
            bound = "" if line.bound is None else f" is at most {written(line.bound, text)}"
            yield f"{written(line.about, text)}{bound}: {line.words}"
    else:
        yield f"{part.entries} entries compared, each the same expression"
