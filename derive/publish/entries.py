"""A mechanism's entries written out for a few tokens, each in the names of the pieces it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Symbol

from derive.formula import Mechanism, Stage, i
from derive.publish.notation import Notation
from derive.publish.writing import WrittenOut, name_of, names
from derive.small_sizes import shapes_at
from derive.written_out import positions


@dataclass(frozen=True)
class Entry:
    """One entry: ``name = value``."""

    name: str
    value: str


def entries(
    mechanism: Mechanism,
    sizes: Mapping[Symbol, int],
    notation: Notation,
    query: int | None = None,
) -> list[tuple[Stage, list[Entry]]]:
    """Write every entry of every stage; with ``query`` only those that belong to that query."""
    writer = _writer(mechanism, notation, sizes)
    written = []
    for stage in mechanism.stages:
        writer.lengths.learn((stage,))
        shape = writer.lengths.numbers(stage.array)
        writer.arrays[stage.array] = names(stage.array, shape, notation)
        rows = [
            Entry(name_of(stage.array, place, notation), writer.entry(stage, place).text)
            for place in _shown(stage, shape, query)
        ]
        written.append((stage, rows))
    return written


def substituted_entry(
    mechanism: Mechanism, sizes: Mapping[Symbol, int], notation: Notation
) -> Entry:
    """Write the first entry of the result in the inputs alone, no piece named."""
    result = mechanism.stages[-1].array
    found = _writer(mechanism, notation, sizes).run(mechanism.stages)[result]
    return Entry(name_of(result, (1,) * found.ndim, notation), found.flat[0].text)


def _writer(mechanism: Mechanism, notation: Notation, sizes: Mapping[Symbol, int]) -> WrittenOut:
    given = {
        base: names(base, shape, notation) for base, shape in shapes_at(mechanism, sizes).items()
    }
    return WrittenOut(notation, given, sizes)


def _shown(stage: Stage, shape: tuple[int, ...], query: int | None) -> list[tuple[int, ...]]:
    places = positions(shape)
    if query is None or i not in stage.target.indices:
        return places
    axis = stage.target.indices.index(i)
    return [place for place in places if place[axis] == query]
