"""What the checks of the atlas found, as data: pages show it, a file keeps it between runs.

What is found of one mechanism stays true while its formula, its inputs, the code that checks it
and the versions of the libraries are the same. The digest says so, and a run checks again only
where it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import ClassVar

from sympy import srepr

from derive.evidence import EvidenceError, PropertyResult, checked_code
from derive.examples import BUILT_IN, load
from derive.files import write_aside
from derive.records import STRICT
from derive.theorems import THEOREMS
from derive.theorems.theorem import Theorem
from derive.variants import ATLAS
from derive.variants.variant import Variant

FORMAT = 1
PACKAGES = ("attention-derived", "sympy", "numpy", "torch", "mpmath", "python-flint")
DATA = ("derive/variants/", "derive/theorems/")
"""Folders whose files state formulas: a change there concerns what it states alone."""


@dataclass(frozen=True)
class CodeCheck:
    """The torch code of a mechanism against its formula, forward and backward.

    ``verdict`` is the prover's word for all real inputs of these ``shapes``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    verdict: str
    reason: str
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    passed: bool


@dataclass(frozen=True)
class NumbersCheck:
    """The numbers of one sentence: every entry that torch computes in float64, within its bound.

    ``ratio`` is the largest error in proportion to its bound.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    example: str
    verdict: str
    reason: str
    elements: int
    ratio: float | None


@dataclass(frozen=True)
class MechanismChecks:
    """Everything that was checked of one mechanism, and in how many seconds."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    key: str
    digest: str
    properties: tuple[PropertyResult, ...]
    code: CodeCheck
    numbers: tuple[NumbersCheck, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every property is as stated, the code is right and the numbers within bound."""
        return (
            bool(self.properties)
            and all(found.verdict == found.stated for found in self.properties)
            and self.code.passed
            and bool(self.numbers)
            and all(found.verdict == "within bound" for found in self.numbers)
        )


@dataclass(frozen=True)
class ProgramCheck:
    """A program that a theorem is about: its source, and the prover's word on it."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    program: str
    source: str
    verdict: str
    shapes: str
    passed: bool


@dataclass(frozen=True)
class TheoremChecks:
    """How a theorem was checked a second way, and the programs whose steps it is about."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    name: str
    digest: str
    method: str
    programs: tuple[ProgramCheck, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the proof was checked, and every program computes its step."""
        return bool(self.method) and all(found.passed for found in self.programs)


@dataclass(frozen=True)
class AtlasEvidence:
    """What one run found; ``date`` is ISO 8601 in UTC, ``seconds`` that of the run alone."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    mechanisms: tuple[MechanismChecks, ...]
    theorems: tuple[TheoremChecks, ...]
    versions: tuple[tuple[str, str], ...]
    command: str
    date: str
    seconds: float
    format: int = FORMAT

    @property
    def passed(self) -> bool:
        """Whether all mechanisms and all theorems are there, and passed."""
        return (
            self.is_complete
            and all(row.passed for row in self.mechanisms)
            and all(row.passed for row in self.theorems)
        )

    @property
    def is_complete(self) -> bool:
        """Whether every mechanism and every theorem has its row."""
        keys = [row.key for row in self.mechanisms]
        return keys == list(ATLAS) and [row.name for row in self.theorems] == list(THEOREMS)

    def mechanism(self, key: str) -> MechanismChecks:
        """Return what was found of one mechanism."""
        return next(row for row in self.mechanisms if row.key == key)

    def theorem(self, name: str) -> TheoremChecks:
        """Return what was found of one theorem."""
        return next(row for row in self.theorems if row.name == name)

    def check_current(self) -> None:
        """Raise ``EvidenceError`` where something has changed since, or is missing."""
        if not self.is_complete:
            raise EvidenceError(f"a mechanism or a theorem is missing from it; {_AGAIN}")
        stale = [row.key for row in self.mechanisms if row.digest != digest(ATLAS[row.key])]
        stale += [
            row.name for row in self.theorems if row.digest != theorem_digest(THEOREMS[row.name])
        ]
        if stale:
            raise EvidenceError(f"{stale[0]} has changed since {self.date}; {_AGAIN}")

    def to_json(self) -> str:
        """Return the evidence as JSON text."""
        from pydantic import TypeAdapter

        return TypeAdapter(AtlasEvidence).dump_json(self, indent=1).decode() + "\n"

    def write(self, path: Path) -> None:
        """Write JSON to ``path``, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, self.to_json())

    @classmethod
    def read(cls, path: Path) -> AtlasEvidence:
        """Read what ``write`` wrote; anything else is an ``EvidenceError``."""
        from pydantic import TypeAdapter, ValidationError

        try:
            text = path.read_text(encoding="utf-8")
            if json.loads(text).get("format") != FORMAT:
                raise EvidenceError(f"{path}: another format; {_AGAIN}")
            return TypeAdapter(AtlasEvidence).validate_json(text)
        except FileNotFoundError:
            raise EvidenceError(f"there is no {path}; {_AGAIN}") from None
        except (ValidationError, ValueError, AttributeError) as error:
            if isinstance(error, EvidenceError):
                raise
            raise EvidenceError(f"{path}: it is not what was written; {_AGAIN}") from None


def digest(variant: Variant) -> str:
    """Return what changes exactly when a mechanism has to be checked again."""
    mechanism = variant.mechanism
    inputs = {
        f"{name} {base}": str(source.make(load(name).array()).tolist())
        for name in BUILT_IN
        for base, source in variant.inputs.items()
    }
    stated = {
        "formula": mechanism.canonical(),
        "given": str([(str(base), shape) for base, shape in mechanism.shapes.items()]),
        "relations": str(mechanism.relations),
        "indicators": sorted(map(str, mechanism.indicators)),
        "inputs": inputs,
        "weights": str(variant.weights),
        "holds": sorted(variant.holds),
        "fails": sorted(variant.fails),
    }
    return _digest({"stated": stated, "code": _engine(), "versions": versions()})


def theorem_digest(theorem: Theorem) -> str:
    """Return what changes exactly when a theorem has to be checked again."""
    code = {name: text for name, text in checked_code().items() if name.startswith(DATA)}
    stated = {"name": theorem.name, "text": repr(theorem), "stated": code}
    return _digest({"stated": stated, "code": _engine(), "versions": versions()})


@cache
def versions() -> Mapping[str, str]:
    """Return the versions that the checks depend on."""
    found = {"python": python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def _engine() -> str:
    """Return the digest of the code that checks, without what only states formulas."""
    return _digest(
        {name: text for name, text in checked_code().items() if not name.startswith(DATA)}
    )


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=srepr)
    return sha256(text.encode()).hexdigest()


_AGAIN = "run 'derive atlas' again"
