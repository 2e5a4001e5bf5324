"""What was measured about rounding, as data: a page shows it, a file keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from derive.evidence import EvidenceError, fingerprint
from derive.files import write_aside
from derive.records import STRICT

FORMAT = 1
CAUGHT, MISSED, PASSED, FALSE_ALARM, CANNOT = "caught", "missed", "passed", "alarm", "cannot"
"""What a rule says of a wrong program, and of a correct one; or that it cannot judge it."""


@dataclass(frozen=True)
class Tightness:
    """The largest bound of an output beside its largest error, on normal inputs.

    ``shape`` is tokens x dimensions of one head, or with heads before it.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    program: str
    dtype: str
    shape: str
    output: str
    bound: float
    error: float
    reference: str
    seconds: float


@dataclass(frozen=True)
class Trial:
    """One program of the catalogue in one type, judged by every rule.

    ``source`` is "" for a correct program. ``verdicts`` are those of the rules by name, ours first.
    ``ratio`` is the largest error in proportion to its bound, where both are finite. ``smallest``
    says how small the inputs are that show a bug, ``likely`` what the report says is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    name: str
    source: str
    address: str
    dtype: str
    backward: bool
    contract: str
    verdicts: tuple[tuple[str, str], ...]
    ratio: float | None
    smallest: str
    likely: str


@dataclass(frozen=True)
class RoundingEvidence:
    """Everything that one run measured; ``device`` is where, and ``date`` ISO 8601 in UTC."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    tightness: tuple[Tightness, ...]
    trials: tuple[Trial, ...]
    device: str
    fingerprint: str
    versions: tuple[tuple[str, str], ...]
    command: str
    date: str
    seconds: float
    format: int = FORMAT

    @property
    def wrong(self) -> tuple[Trial, ...]:
        """The trials of wrong programs."""
        return tuple(trial for trial in self.trials if trial.source)

    @property
    def correct(self) -> tuple[Trial, ...]:
        """The trials of correct programs."""
        return tuple(trial for trial in self.trials if not trial.source)

    @property
    def passed(self) -> bool:
        """Whether our rule catches every bug and raises no false alarm."""
        ours = [dict(trial.verdicts)[OURS] for trial in self.trials]
        return bool(ours) and set(ours) <= {CAUGHT, PASSED}

    def check_current(self) -> None:
        """Raise ``EvidenceError`` when the code has changed since."""
        if self.fingerprint != fingerprint():
            raise EvidenceError(
                f"the code has changed since {self.date}; run '{self.command}' again"
            )

    def write(self, path: Path) -> None:
        """Write JSON to ``path``, whole or not at all."""
        from pydantic import TypeAdapter

        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, TypeAdapter(RoundingEvidence).dump_json(self, indent=1).decode() + "\n")

    @classmethod
    def read(cls, path: Path) -> RoundingEvidence:
        """Read what ``write`` wrote; anything else is an ``EvidenceError``."""
        from pydantic import TypeAdapter, ValidationError

        try:
            text = path.read_text(encoding="utf-8")
            if json.loads(text).get("format") != FORMAT:
                raise EvidenceError(f"{path}: another format; {_AGAIN}")
            return TypeAdapter(RoundingEvidence).validate_json(text)
        except FileNotFoundError:
            raise EvidenceError(f"there is no {path}; {_AGAIN}") from None
        except (ValidationError, ValueError, AttributeError) as error:
            if isinstance(error, EvidenceError):
                raise
            raise EvidenceError(f"{path}: it is not what was written; {_AGAIN}") from None


OURS = "bound"
"""The name of our rule among the others."""

_AGAIN = "run 'derive measure' again"
