"""What the checks found: plain data that a page shows, a file keeps and a command prints.

Nothing here computes or judges; ``numeric`` fills it in, and this module never imports it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

from derive.attention import MECHANISMS
from derive.examples import BUILT_IN, load

FORMAT = 2
"""Version of the file's form; a file of another version is refused."""

WITHIN_BOUND, REFUTED, UNDECIDED, SKIPPED = "within bound", "refuted", "undecided", "skipped"
REPRODUCED, PROVED = "reproduced", "proved"


class EvidenceError(ValueError):
    """Evidence that cannot be read or no longer holds; the message says what to do."""


@dataclass(frozen=True)
class Comparison:
    """One stage of one implementation against the certified reference.

    ``error_ulp`` is the largest |computed - exact| over the stage, in units in the last place of
    the exact value in ``precision``; ``bound_ulp`` is the bound at that element in the same unit
    and ``worst`` its index, counted from 1. ``ratio`` is the largest error/bound over all elements.
    The three are ``None`` where no finite number says it.

    ``verdict``: ``within bound``; ``refuted`` (an element lies beyond its bound); ``undecided`` (no
    finite bound exists, for instance after an overflow: never a pass); ``skipped`` (the comparison
    has no meaning here). ``reason`` says why, and beside ``within bound`` what was left out, if
    anything.
    """

    example: str
    mechanism: str
    stage: str
    title: str
    implementation: str
    precision: str
    elements: int
    error_ulp: float | None
    bound_ulp: float | None
    ratio: float | None
    worst: tuple[int, ...]
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A published result, beside what ``implementation`` makes of the same input.

    ``origin`` says where ``printed`` stands: printed in the note, or published for its sentence.
    ``verdict``: ``reproduced`` (equal to the digits printed); ``within bound`` (``printed`` has
    more digits than rounding leaves certain, and its numbers lie within the certified bound around
    the exact ones); ``refuted``. ``reason`` says how the two texts differ, where they do.
    """

    example: str
    title: str
    origin: str
    printed: str
    computed: str
    implementation: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class PropertyResult:
    """A named statement about a mechanism, how it was settled and under which conditions.

    ``stated`` is the verdict that the project states; many a mechanism lacks a property, and says
    so with a counterexample. A ``verdict`` other than that fails the checks.
    """

    mechanism: str
    name: str
    statement: str
    verdict: str
    stated: str
    conditions: tuple[str, ...]
    method: str


@dataclass(frozen=True)
class Evidence:
    """Everything that one run of the checks found.

    ``fingerprint`` names the formulas and sentences it holds for, ``command`` repeats it,
    ``date`` is ISO 8601 in UTC and ``seconds`` how long it took.
    """

    comparisons: tuple[Comparison, ...]
    reproductions: tuple[Reproduction, ...]
    properties: tuple[PropertyResult, ...]
    fingerprint: str
    versions: Mapping[str, str]
    command: str
    date: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Tell whether something was compared and all is as stated."""
        return (
            any(c.verdict == WITHIN_BOUND for c in self.comparisons)
            and all(c.verdict in (WITHIN_BOUND, SKIPPED) for c in self.comparisons)
            and all(r.verdict in (REPRODUCED, WITHIN_BOUND) for r in self.reproductions)
            and all(p.verdict == p.stated for p in self.properties)
        )

    def check_current(self) -> None:
        """Raise ``EvidenceError`` when a formula or a built-in sentence has changed since."""
        if self.fingerprint != fingerprint():
            raise EvidenceError(
                f"the formulas, the sentences or the code have changed since {self.date}; "
                f"run '{self.command}' again"
            )

    def to_json(self) -> str:
        """Return the evidence as JSON text, with a digest of its content."""
        content = asdict(self)
        document = {"format": FORMAT, "digest": _digest(content), "evidence": content}
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Read what ``to_json`` wrote; anything else is an ``EvidenceError``."""
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise EvidenceError(f"this evidence is not JSON ({error}); {_AGAIN}") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            found = document.get("format") if isinstance(document, dict) else None
            raise EvidenceError(f"evidence of format {found!r}, not {FORMAT}; {_AGAIN}")
        _check_keys(document, {"format", "digest", "evidence"}, "the file")
        content = document["evidence"]
        evidence: Evidence = _build(cls, content)
        if document["digest"] != _digest(content):
            raise EvidenceError(f"this evidence was changed after it was written; {_AGAIN}")
        return evidence

    def write(self, path: Path) -> None:
        """Write the evidence to ``path`` in one step, so that nobody reads half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(self.to_json())
            os.chmod(aside, 0o644)
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    @classmethod
    def read(cls, path: Path) -> Evidence:
        """Read the evidence in ``path``; a missing file is an ``EvidenceError`` too."""
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EvidenceError(f"there is no evidence in {path}; {_AGAIN}") from None
        except EvidenceError as error:
            raise EvidenceError(f"{path}: {error}") from None


@cache
def fingerprint() -> str:
    """Return the SHA-256 of every formula, of the sentences as written, and of the code that ran.

    The code is that of ``derive``, pages and commands left out, and of ``numeric``: evidence about
    a program that has changed since says nothing about the one that is there.
    """
    text = {
        "code": checked_code(),
        "mechanisms": {name: mechanism.canonical() for name, mechanism in MECHANISMS.items()},
        "sentences": {
            name: [
                [token, *(number.text for number in vector)]
                for token, vector in zip(load(name).tokens, load(name).vectors, strict=True)
            ]
            for name in BUILT_IN
        },
    }
    return hashlib.sha256(_canonical(text).encode()).hexdigest()


def checked_code() -> dict[str, str]:
    """Return the text of each module by its name, found without importing ``numeric``."""
    spec = find_spec("numeric")
    folders = [Path(__file__).parent, *([Path(spec.origin).parent] if spec and spec.origin else [])]
    modules = {}
    for folder in folders:
        for path in folder.rglob("*.py"):
            inner = path.relative_to(folder)
            if inner.parts[0] not in ("publish", "cli.py"):
                modules[f"{folder.name}/{inner.as_posix()}"] = path.read_text(encoding="utf-8")
    return modules


_AGAIN = "run 'derive check --all' again"


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _digest(content: Any) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


_ROWS = {"comparisons": Comparison, "reproductions": Reproduction, "properties": PropertyResult}


def _build(kind: type[Any], content: Any) -> Any:
    """Build a dataclass from decoded JSON; its fields' types say what is allowed."""
    if not isinstance(content, dict):
        raise EvidenceError(f"{kind.__name__}: an object is expected; {_AGAIN}")
    _check_keys(content, {field.name for field in fields(kind)}, kind.__name__)
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, value in content.items():
        where = f"{kind.__name__}.{name}"
        if kind is Evidence and name in _ROWS:
            _check_type(value, list, where)
            values[name] = tuple(_build(_ROWS[name], row) for row in value)
        elif types[name] in (tuple[int, ...], tuple[str, ...]):
            _check_type(value, list, where)
            for item in value:
                _check_type(item, types[name].__args__[0], where)
            values[name] = tuple(value)
        elif types[name] in (float, float | None):
            allowed = (float, int) if types[name] is float else (float, int, type(None))
            _check_type(value, allowed, where)
            values[name] = None if value is None else float(value)
        elif name == "versions":
            _check_type(value, dict, where)
            values[name] = {key: str(version) for key, version in value.items()}
        else:
            _check_type(value, types[name], where)
            values[name] = value
    return kind(**values)


def _check_keys(content: Mapping[str, Any], expected: set[str], where: str) -> None:
    for key in sorted(expected - content.keys()):
        raise EvidenceError(f"{where}: the key {key!r} is missing; {_AGAIN}")
    for key in sorted(content.keys() - expected):
        raise EvidenceError(f"{where}: the key {key!r} is unknown; {_AGAIN}")


def _check_type(value: Any, kind: Any, where: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise EvidenceError(f"{where}: {value!r} is not what belongs here; {_AGAIN}")
