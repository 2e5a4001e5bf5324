"""What was found out about a program, with everything that the finding rests on.

The words mean one thing each, strongest first: *proved* in an exact normal form, *identity-tested*
at random points with a bounded chance of a false pass, *undecided* with the reason, *refuted* by
numbers at which certified enclosures have no point in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from textwrap import wrap
from typing import Any, ClassVar

from derive.records import STRICT, Nested, written
from derive.rounding_claim import RoundingClaim
from derive.rounding_claim import lines as rounding_lines
from derive.visible import visible

FORMAT = 2


class Verdict(StrEnum):
    """The evidence for a claim."""

    PROVED = "proved"
    IDENTITY_TESTED = "identity-tested"
    UNDECIDED = "undecided"
    REFUTED = "refuted"

    @property
    def strength(self) -> int:
        """Higher is better; a report is as good as its weakest claim."""
        order = (Verdict.REFUTED, Verdict.UNDECIDED, Verdict.IDENTITY_TESTED, Verdict.PROVED)
        return order.index(self)

    @classmethod
    def wanted(cls, word: str) -> Verdict:
        """Read what someone asks for; only what speaks for a program can be asked for."""
        if word not in (cls.PROVED, cls.IDENTITY_TESTED):
            raise ValueError(f'{word!r} is no evidence: write "proved" or "identity-tested"')
        return cls(word)

    @property
    def passed(self) -> bool:
        """Whether the two are the same function, by this evidence."""
        return self in (Verdict.PROVED, Verdict.IDENTITY_TESTED)


class NotEstablished(AssertionError):
    """The evidence is weaker than what was asked for; the message is the whole report."""


@dataclass(frozen=True)
class Witness:
    """Exact numbers at which the two sides differ, and both values as enclosures.

    ``left`` and ``right`` are written as ``[middle +/- radius]``, or ``nan``; every digit is
    certified. ``visible`` is False where the difference is lost in double precision.
    ``departure`` says where in the program the two part, where that can be told.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    inputs: tuple[tuple[str, Nested], ...]
    output: str
    place: tuple[int, ...]
    left: str
    right: str
    difference: str
    visible: bool
    departure: str = ""


@dataclass(frozen=True)
class Claim:
    """One verdict at one set of shapes.

    ``error`` is the base-two logarithm of the chance that an identity test passes falsely.
    ``reason`` says what left a claim undecided, or why a proof was not had.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    verdict: Verdict
    trials: int = 0
    error: float | None = None
    definitions: int = 0
    elements: int = 0
    undefined: int = 0
    reason: str = ""
    witness: Witness | None = None
    assumptions: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    certificate: str = field(default="", repr=False)
    seconds: float = 0.0

    @property
    def shape(self) -> str:
        """The shapes in words: ``query 1x2x4x4, key 1x2x4x4``; equal shapes stand together."""
        grouped: dict[tuple[int, ...], list[str]] = {}
        for name, shape in self.shapes:
            grouped.setdefault(shape, []).append(name)
        return ", ".join(
            f"{' '.join(names)} {'x'.join(map(str, shape)) or 'scalar'}"
            for shape, names in grouped.items()
        )

    @property
    def how(self) -> str:
        """One line that says how strong the evidence is."""
        if self.verdict is Verdict.PROVED:
            return f"{self.elements} elements equal in an exact normal form"
        if self.verdict is Verdict.IDENTITY_TESTED:
            return f"{self.trials} random points, chance of a false pass at most 2^{self.error:.0f}"
        if self.witness is not None:
            return f"{self.witness.output}{list(self.witness.place)} differs"
        return self.reason


@dataclass(frozen=True)
class Report:
    """What is known about ``program`` computing what ``reference`` computes.

    ``claims`` are about all real numbers, ``rounding`` about floating point: separate claims.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    program: str
    reference: str
    backward: bool
    claims: tuple[Claim, ...]
    trusted: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    not_tried: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    rounding: tuple[RoundingClaim, ...] = ()
    format: int = FORMAT

    @property
    def verdict(self) -> Verdict:
        """The weakest verdict of all shapes."""
        return min((claim.verdict for claim in self.claims), key=lambda v: v.strength)

    @property
    def passed(self) -> bool:
        """Whether every claim speaks for the program, those about rounding too."""
        return self.verdict.passed and all(claim.verdict.passed for claim in self.rounding)

    @property
    def witness(self) -> Witness | None:
        """The witness of the first refuted claim."""
        return next((c.witness for c in self.claims if c.witness is not None), None)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the claims rest on: how constants were read, what is used of exp."""
        return tuple(dict.fromkeys(s for claim in self.claims for s in claim.assumptions))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Where the claims hold: which denominators must not vanish."""
        return tuple(dict.fromkeys(s for claim in self.claims for s in claim.conditions))

    @property
    def certificate(self) -> str:
        """The certificate of the largest exact proof; "" where there is none, or a refutation."""
        if not self.verdict.passed:
            return ""
        return max((claim.certificate for claim in self.claims), key=len)

    def raise_unless(self, wanted: str) -> None:
        """Raise ``NotEstablished`` with the report unless the verdict is ``wanted`` or stronger.

        ``wanted`` is "proved" or "identity-tested". What was said of rounding must not be refuted
        or without certificate either.
        """
        rounding = all(claim.verdict.passed for claim in self.rounding)
        if self.verdict.strength < Verdict.wanted(wanted).strength or not rounding:
            raise NotEstablished(f"\n{self}")

    def to_json(self, indent: int | None = 1) -> str:
        """Return the report as JSON text; ``from_json`` reads it."""
        from pydantic import TypeAdapter

        return TypeAdapter(Report).dump_json(self, indent=indent).decode()

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read a report; unknown or missing parts are an error."""
        from pydantic import TypeAdapter

        return TypeAdapter(Report).validate_json(text)

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        """Show the report in a notebook."""
        rows = "".join(
            f"<tr><td>{escape(claim.shape)}</td><td><strong>{claim.verdict}</strong></td>"
            f"<td>{escape(claim.how)}</td></tr>"
            for claim in self.claims
        )
        rest = "\n".join(_after_claims(self))
        return (
            f"<p><strong>{self.verdict}</strong>: <code>{escape(visible(self.program))}</code> "
            f"against {escape(visible(self.reference))}, {_extent(self)}</p>"
            f"<table><tr><th>shapes</th><th>verdict</th><th>evidence</th></tr>{rows}</table>"
            f"<pre>{escape(rest)}</pre>"
        )


WIDTH = 80
_WHOLE: dict[str, Any] = {"break_on_hyphens": False, "break_long_words": False}
_INDENTED: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "  ", **_WHOLE}
_LISTED: dict[str, Any] = {"initial_indent": "  - ", "subsequent_indent": "    ", **_WHOLE}

ADVICE = {
    Verdict.PROVED: "the two are equal for all real inputs at the shapes listed",
    Verdict.IDENTITY_TESTED: "the two agree as formulas at these shapes, up to the chance given",
    Verdict.UNDECIDED: "neither shown equal nor shown different: what stopped it is named below",
    Verdict.REFUTED: "they are different functions: the numbers below show it",
}


def _extent(report: Report) -> str:
    return "forward and all gradients" if report.backward else "forward"


def _lines(report: Report) -> list[str]:
    lines = [
        f"{report.verdict}: {ADVICE[report.verdict]}",
        "",
        f"  program    {visible(report.program)}",
        f"  reference  {visible(report.reference)}",
        f"  compared   {_extent(report)}",
        "",
    ]
    width = max(len(claim.shape) for claim in report.claims)
    width = min(width, 44)
    for claim in report.claims:
        lines += [f"  {claim.verdict:<16} {claim.shape}", f"  {'':<16} {claim.how}"]
        if claim.undefined:
            lines.append(f"  {'':<16} {claim.undefined} elements are nan on both sides")
    return lines + _after_claims(report)


def _after_claims(report: Report) -> list[str]:
    lines: list[str] = []
    for claim in report.claims:
        if claim.witness is not None:
            lines += ["", *_witness_lines(claim.shape, claim.witness)]
            break
    parts = (
        ("assumptions", report.assumptions),
        ("side conditions", report.conditions),
        ("held fixed", report.fixed),
        ("taken on trust", report.trusted),
        ("not tried", report.not_tried),
    )
    for title, sentences in parts:
        if sentences:
            lines += ["", title]
            for sentence in sentences:
                lines += wrap(visible(sentence), WIDTH, **_LISTED)
    for rounding in report.rounding:
        lines += ["", *rounding_lines(rounding)]
    if report.versions:
        versions = ", ".join(f"{name} {version}" for name, version in report.versions)
        lines += ["", *wrap(versions, WIDTH, **_WHOLE)]
    return lines


def _witness_lines(shape: str, witness: Witness) -> list[str]:
    place = ", ".join(map(str, witness.place))
    lines = [
        f"witness, at {shape}",
        f"  {witness.output}[{place}] is",
        f"    {witness.left}  in the program",
        f"    {witness.right}  in the reference",
    ]
    if witness.difference:
        size = "" if witness.visible else ", lost in double precision: no float test can see it"
        lines.append(f"    they differ by about {witness.difference}{size}")
    lines.append("  for")
    zero = [name for name, values in witness.inputs if _all_zero(values)]
    lines += [
        f"    {name} = {written(values)}" for name, values in witness.inputs if name not in zero
    ]
    if zero:
        lines.append(f"    {', '.join(zero)} all zero")
    if witness.departure:
        lines += wrap(witness.departure, WIDTH, **_INDENTED)
    return lines


def _all_zero(values: Any) -> bool:
    if isinstance(values, str):
        return values == "0"
    return all(_all_zero(part) for part in values)


FEW = 6
"""Numbers other than zero that are listed one by one."""


def _input_line(name: str, values: Any) -> str:
    if isinstance(values, str):
        return f"{name} = {values}"
    numbers = [(place, value) for place, value in _entries(values) if value != "0"]
    if len(numbers) > FEW:
        return f"{name} = {written(values)}"
    entries = [f"{name}[{', '.join(map(str, place))}] = {value}" for place, value in numbers]
    return ", ".join(entries) + f"; all else of {name} zero"


def _entries(values: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], str]]:
    if isinstance(values, str):
        yield place, values
    else:
        for index, part in enumerate(values):
            yield from _entries(part, (*place, index))
