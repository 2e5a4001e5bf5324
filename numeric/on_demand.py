"""Read a formula only where it is asked for: some rows of a long sentence instead of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from sympy import Indexed, Symbol

from derive.elements import Algebra, Arrays, Elements, Scalar
from derive.formula import Stage


@dataclass(frozen=True)
class _Pending:
    """An entry that nobody has read yet: its equation, and its position from 0."""

    stage: Stage
    place: tuple[int, ...]


class OnDemand(Elements[Scalar]):
    """Evaluate each entry when it is first read."""

    def __init__(
        self,
        algebra: Algebra[Scalar],
        given: Arrays,
        stages: Sequence[Stage],
        sizes: Mapping[Symbol, int] | None = None,
    ) -> None:
        super().__init__(algebra, given, sizes)
        self.lengths.learn(stages)
        for stage in stages:
            entries = numpy.empty(self.lengths.shapes[stage.array], dtype=object)
            for place in numpy.ndindex(*entries.shape):
                entries[place] = _Pending(stage, place)
            self.arrays[stage.array] = entries

    def rows(self, stage: Stage, rows: Sequence[int] | None = None) -> Any:
        """Return a stage's array with the given rows (from 0; all unless given) worked out.

        The entries of other rows are ``None``.
        """
        entries = self.arrays[stage.array]
        found = numpy.full(entries.shape, None, dtype=object)
        for place in numpy.ndindex(*entries.shape):
            if rows is None or place[0] in rows:
                found[place] = self._worked_out(entries[place])
        return found

    def leaf(self, expression: Indexed, where: Mapping[Symbol, int]) -> Scalar:
        """Return an entry, worked out now if it has not been read before."""
        return self._worked_out(super().leaf(expression, where))

    def _worked_out(self, entry: Any) -> Scalar:
        if not isinstance(entry, _Pending):
            known: Scalar = entry
            return known
        lead = self._lead
        found = self.entry(entry.stage, [p + 1 for p in entry.place])
        self._lead = lead
        self.arrays[entry.stage.array][entry.place] = found
        return found
