"""Prove that two programs are equal, element by element, in an exact normal form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from derive.algebras.elementwise import ElementwiseArrays
from derive.algebras.recorded import RecordedScalars
from derive.arrays import Unsupported
from derive.exact.prover import Stuck, prove
from derive.graph import Input
from derive.program import Program
from derive.rechecking import Refused, recheck
from derive.tensors import KINDS, ZERO, Tensors

MOST_TERMS = 30_000
"""Of one polynomial: the time limit is looked at between two products, so each must be short."""

INDICATOR = "indicator "
"""How the names of the functions begin that stand for comparisons."""


@dataclass(frozen=True)
class Proved:
    """A proof that the independent checker has accepted, as its certificate."""

    certificate: str
    elements: int
    definitions: int
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class NotProved:
    """Why no proof was found; it says nothing about whether the two are equal."""

    reason: str


def proof(
    left: Program, right: Program, inputs: Sequence[Input], seconds: float
) -> Proved | NotProved:
    """Record both programs as scalar programs and prove their outputs equal."""
    recorder = RecordedScalars()
    tensors: Tensors[numpy.ndarray] = Tensors(ElementwiseArrays(recorder))
    values = {}
    for item in inputs:
        array = numpy.empty(item.type.shape, dtype=object)
        for place in numpy.ndindex(*array.shape):
            array[place] = recorder.variable(f"{item.name}[{', '.join(map(str, place))}]")
        values[item.name] = tensors.finite(array, array.shape)
    try:
        sides = [program.outputs(values, tensors) for program in (left, right)]
    except (Unsupported, ZeroDivisionError) as error:
        return NotProved(str(error))
    pairs = []
    for name, mine, theirs in zip(left.output_names, *sides, strict=True):
        for place in numpy.ndindex(*mine.shape):
            kinds = int(mine.kinds[place]), int(theirs.kinds[place])
            label = f"{name}[{', '.join(map(str, place))}]"
            if max(kinds) > ZERO:
                if kinds[0] != kinds[1]:
                    return NotProved(f"{label} is {KINDS[kinds[0]]} and {KINDS[kinds[1]]}")
                continue
            pairs.append((mine.data[place], theirs.data[place], label))
    found = prove(recorder, pairs, limit_seconds=seconds, limit_terms=MOST_TERMS)
    if isinstance(found, Stuck):
        return NotProved(found.reason)
    text = found.certificate.to_json()
    # No proof is reported that the checker, which shares no code with the prover, refuses.
    try:
        checked = recheck(text)
    except Refused as refused:
        return NotProved(f"the checker refuses the proof that was found: {refused}")
    return Proved(text, len(pairs), checked.definitions, _readable(checked.assumptions))


def _readable(conditions: Sequence[str]) -> tuple[str, ...]:
    """Say in one sentence what a maximum's gradient needs of every row."""
    ties = [condition for condition in conditions if INDICATOR in condition]
    rest = tuple(condition for condition in conditions if INDICATOR not in condition)
    if not ties:
        return rest
    return (
        *rest,
        "sums of comparisons that are divided by are not zero: where the gradient of a maximum is "
        "shared among the elements that are largest, there is one",
    )
