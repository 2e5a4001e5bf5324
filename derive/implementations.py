"""Which modules of other packages compute a mechanism's formula, as data: a page shows it.

``derive implementations`` runs the proofs and writes the record. Each row names the formula that it
speaks of by a digest, so that no row outlives a change of its formula.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sympy import IndexedBase

from derive.evidence import EvidenceError
from derive.files import write_aside
from derive.formula import Mechanism
from derive.records import STRICT
from derive.symbolic_shapes import symbolic_shapes
from derive.variants import ATLAS
from derive.variants.variant import Variant
from derive.verdict import Verdict

FORMAT = 1
PATH = Path(__file__).parent / "variants" / "implementations.json"
"""The record that ships with the package."""

COMMAND = "derive implementations"
_AGAIN = f"run '{COMMAND}' again"

Key = tuple[str, str, str, str]
"""Mechanism, package, name and call: what tells one implementation from another."""


@dataclass(frozen=True)
class Row:
    """What was found out about one function or class at one set of shapes.

    ``name`` is the path by which its users import it, ``call`` what of its options and of the
    wrapping around it a reader must know. ``left_out`` are the roles of those parts of the
    mechanism that it does not compute: what later parts read of them is given. ``fixed`` are
    inputs that keep the values which they were compared at, such as masks. ``remark`` says why a
    verdict is no pass, ``reason`` what the prover says. ``formula`` is the digest of the formula
    that was compared with, ``date`` is in UTC.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    mechanism: str
    package: str
    version: str
    name: str
    call: str
    left_out: tuple[str, ...]
    fixed: tuple[str, ...]
    verdict: Verdict
    backward: bool
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    remark: str
    reason: str
    formula: str
    torch: str
    date: str
    seconds: float

    @property
    def key(self) -> Key:
        """What tells this row from the others."""
        return self.mechanism, self.package, self.name, self.call

    @property
    def as_stated(self) -> bool:
        """Whether a verdict that is no pass has a remark, and a pass none."""
        return self.verdict.passed != bool(self.remark)

    def is_current(self, atlas: Mapping[str, Variant] = ATLAS) -> bool:
        """Whether the formula is still the one that was compared with."""
        variant = atlas.get(self.mechanism)
        if variant is None:
            return False
        roles = {choice.role for choice in variant.mechanism}
        return roles >= set(self.left_out) and self.formula == digest(
            without(variant.mechanism, *self.left_out)
        )

    def __str__(self) -> str:
        call = f" ({self.call})" if self.call else ""
        return f"{self.mechanism}: {self.package} {self.version} {self.name}{call}"


@dataclass(frozen=True)
class Implementations:
    """All rows, and what the last run was made with."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    rows: tuple[Row, ...]
    command: str
    date: str
    versions: tuple[tuple[str, str], ...]
    format: int = FORMAT

    def of(self, mechanism: str) -> tuple[Row, ...]:
        """Return the rows of a mechanism by its key; those that speak for a module come first."""
        own = (row for row in self.rows if row.mechanism == mechanism)
        return tuple(sorted(own, key=lambda row: -row.verdict.strength))

    def check_current(self, atlas: Mapping[str, Variant] = ATLAS) -> None:
        """Raise ``EvidenceError`` where a formula is no longer the one that was compared with."""
        stale = list(dict.fromkeys(r.mechanism for r in self.rows if not r.is_current(atlas)))
        if stale:
            options = " ".join(f"--mechanism {key}" for key in stale)
            raise EvidenceError(
                f"the formulas of {', '.join(stale)} have changed since they were compared; "
                f"run '{COMMAND} {options}'"
            )

    def to_json(self) -> str:
        """Return JSON text, one row a line, with a digest of all of it."""
        from pydantic import TypeAdapter

        content = TypeAdapter(Implementations).dump_python(self, mode="json")
        rows = ",\n  ".join(_line(row) for row in content.pop("rows"))
        content["digest"] = _digest(self)
        head = ",\n ".join(f"{json.dumps(name)}: {_line(part)}" for name, part in content.items())
        return f'{{\n {head},\n "rows": [\n  {rows}\n ]\n}}\n'

    @classmethod
    def from_json(cls, text: str, origin: str = "the record") -> Implementations:
        """Read what ``to_json`` wrote; anything else is an ``EvidenceError``."""
        from pydantic import TypeAdapter, ValidationError

        try:
            content = json.loads(text)
            if content.get("format") != FORMAT:
                raise EvidenceError(f"{origin}: another format; {_AGAIN}")
            stated = content.pop("digest", None)
            found = TypeAdapter(Implementations).validate_json(json.dumps(content))
        except (ValidationError, ValueError, AttributeError) as error:
            if isinstance(error, EvidenceError):
                raise
            raise EvidenceError(f"{origin}: it is not what was written; {_AGAIN}") from None
        if stated != _digest(found):
            raise EvidenceError(f"{origin}: it was changed after it was written; {_AGAIN}")
        return found

    @classmethod
    def read(cls, path: Path = PATH) -> Implementations:
        """Read a file, without more the one that ships with the package."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), path.name)
        except FileNotFoundError:
            raise EvidenceError(f"there is no {path}; {_AGAIN}") from None

    def write(self, path: Path = PATH) -> None:
        """Write JSON to ``path``, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, self.to_json())


@dataclass(frozen=True)
class Joined:
    """Old and new rows together: what of the old was kept, and what could not be."""

    rows: tuple[Row, ...]
    kept: tuple[Row, ...]
    dropped: tuple[Row, ...]


def joined(
    old: Sequence[Row], new: Sequence[Row], listed: Iterable[Key], tried: set[Key]
) -> Joined:
    """Put new rows in the place of old ones.

    ``listed`` are the implementations that there are, in order; ``tried`` those of this run. An old
    row stays where this run did not try it and its formula is the same.
    """
    order = {key: place for place, key in enumerate(listed)}
    untried = [row for row in old if row.key not in tried]
    kept = tuple(row for row in untried if row.key in order and row.is_current())
    dropped = tuple(row for row in untried if row not in kept)
    rows = sorted((*new, *kept), key=lambda row: order[row.key])
    return Joined(tuple(rows), kept, dropped)


def digest(mechanism: Mechanism) -> str:
    """Return a digest of the equations, of the inputs' shapes and of the relations of sizes."""
    declared = [f"{base}: {mechanism.shapes[base]}" for base in mechanism.inputs]
    relations = [f"{left} = {right}" for left, right in mechanism.relations]
    text = "\n".join([mechanism.canonical(), *declared, *relations])
    return hashlib.sha256(text.encode()).hexdigest()


def without(mechanism: Mechanism, *roles: str) -> Mechanism:
    """Leave out choices: what they make and later stages read is given, after the other inputs.

    A rotary module that takes cosines and sines computes the mechanism without its angles.
    """
    for role in roles:
        mechanism = _without(mechanism, role)
    return mechanism


def _without(mechanism: Mechanism, role: str) -> Mechanism:
    left_out = mechanism.choice(role)
    choices = tuple(choice for choice in mechanism.choices if choice is not left_out)
    read = frozenset[IndexedBase]().union(
        *(stage.reads for choice in choices for stage in choice.stages)
    )
    shapes = symbolic_shapes(mechanism)
    made = tuple((stage.array, shapes[stage.array]) for stage in left_out.stages)
    declared = (*((base, mechanism.shapes[base]) for base in mechanism.inputs), *made)
    return Mechanism(
        f"{mechanism.title}, given what its {role} makes",
        choices,
        given=tuple((base, shape) for base, shape in declared if base in read),
        relations=mechanism.relations,
        indicators=mechanism.indicators & read,
    )


def _line(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False, separators=(", ", ": "))


def _digest(record: Implementations) -> str:
    from pydantic import TypeAdapter

    content = TypeAdapter(Implementations).dump_python(record, mode="json")
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
