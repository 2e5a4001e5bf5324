"""What was found out about a program's rounding, as data: beside what is proved over the reals.

The words, best first: *within bound*, every element's error lies inside a certified bound;
*suspicious*, within it, but beyond what independent roundings explain: evidence, no proof;
*no certificate*, some element has no finite bound; *refuted*, some element lies beyond its bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from textwrap import wrap
from typing import ClassVar

from derive.records import STRICT, Nested, written
from derive.visible import visible

WIDTH = 80


class RoundingVerdict(StrEnum):
    """The evidence about rounding."""

    WITHIN_BOUND = "within bound"
    SUSPICIOUS = "suspicious"
    NO_CERTIFICATE = "no certificate"
    REFUTED = "refuted"

    @property
    def strength(self) -> int:
        """Higher is better; a claim is as good as its weakest element."""
        return tuple(RoundingVerdict)[::-1].index(self)

    @property
    def passed(self) -> bool:
        """Whether every element's error lies inside its bound, by this evidence."""
        return self in (RoundingVerdict.WITHIN_BOUND, RoundingVerdict.SUSPICIOUS)


SAID = {
    RoundingVerdict.WITHIN_BOUND: "each error lies inside a bound that follows from the arithmetic",
    RoundingVerdict.SUSPICIOUS: (
        "within the bound, but some errors are larger than independent roundings explain: "
        "evidence that something is off, no proof"
    ),
    RoundingVerdict.NO_CERTIFICATE: "some elements have no finite bound here: nothing is claimed",
    RoundingVerdict.REFUTED: "an error is larger than any rounding that the contract allows",
}


FAR = 100.0
"""Errors beyond so many bounds are not told in per cent."""


@dataclass(frozen=True)
class OutputFigures:
    """One output, over all inputs that were tried.

    ``ratio`` is the largest error in proportion to its bound, and ``error`` and ``bound`` are those
    of that element; ``None`` where an error is not finite. ``inputs`` names where it was met.
    ``largest_error`` and ``largest_bound`` are those of all elements, where both are finite.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    name: str
    elements: int
    within: int
    suspicious: int
    beyond: int
    without: int
    undefined: int
    ratio: float | None
    error: float | None
    bound: float | None
    place: tuple[int, ...]
    inputs: str
    largest_error: float | None = None
    largest_bound: float | None = None


@dataclass(frozen=True)
class RoundingWitness:
    """The simplest inputs found at which an element lies beyond its bound.

    ``actual`` is what the program gives, ``exact`` a certified enclosure, ``bound`` the largest
    error that rounding explains.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    inputs: tuple[tuple[str, Nested], ...]
    family: str
    output: str
    place: tuple[int, ...]
    actual: str
    exact: str
    bound: str


@dataclass(frozen=True)
class RoundingClaim:
    """One verdict about one type of numbers, with everything that it rests on.

    ``contract`` says in words in which precision each part runs; ``inferred`` whether that was
    watched or declared. ``resolution`` says which errors this run would surely have caught.
    ``diagnosis`` names what the program computes instead, if one known mistake explains it.
    ``seconds`` is the time of the whole check, of which ``reference_seconds`` for exact values.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT

    dtype: str
    verdict: RoundingVerdict
    contract_name: str
    contract: tuple[str, ...]
    inferred: bool
    remarks: tuple[str, ...]
    outputs: tuple[OutputFigures, ...]
    tried: tuple[str, ...]
    not_tried: tuple[str, ...]
    causes: tuple[str, ...]
    resolution: tuple[str, ...]
    reference: str
    witness: RoundingWitness | None = None
    diagnosis: tuple[str, ...] = ()
    seconds: float = 0.0
    reference_seconds: float = 0.0

    @property
    def ratio(self) -> float | None:
        """The largest error in proportion to its bound, over all outputs."""
        found = [figures.ratio for figures in self.outputs]
        numbers = [ratio for ratio in found if ratio is not None]
        return None if len(numbers) < len(found) or not numbers else max(numbers)

    def __str__(self) -> str:
        return "\n".join(lines(self))

    def _repr_html_(self) -> str:
        """Show the claim in a notebook."""
        return f"<pre>{escape(str(self))}</pre>"


def lines(claim: RoundingClaim) -> list[str]:
    """Return the claim as text."""
    said = [f"{claim.verdict} in {claim.dtype}: {SAID[claim.verdict]}", ""]
    for figures in claim.outputs:
        said.append(f"  {figures.name:<20} {_figures(figures)}")
        if figures.elements > figures.within:
            said.append(f"  {'':<20} {_counts(figures)}")
    if claim.witness is not None:
        said += ["", *_witness_lines(claim.witness)]
    parts = (
        ("likely cause", claim.diagnosis),
        ("no certificate", claim.causes),
        (f"contract ({'watched' if claim.inferred else 'declared'})", claim.contract),
        ("said of it", claim.remarks),
        ("would have been caught", claim.resolution),
        ("inputs", (", ".join(claim.tried),) if claim.tried else ()),
        ("not tried", claim.not_tried),
        ("reference", (f"{claim.reference}; {claim.reference_seconds:.2g} s of "
                       f"{claim.seconds:.2g} s",)),
    )  # fmt: skip
    for title, sentences in parts:
        if sentences:
            said += ["", title]
            for sentence in sentences:
                said += wrap(
                    visible(sentence),
                    WIDTH,
                    initial_indent="  - ",
                    subsequent_indent="    ",
                    break_on_hyphens=False,
                    break_long_words=False,
                )
    return said


def _figures(figures: OutputFigures) -> str:
    if figures.ratio is None:
        return f"not a number at {list(figures.place)} ({figures.inputs})"
    if figures.ratio < 0 or figures.error is None or figures.bound is None:
        return "no element has a finite bound"
    if figures.ratio > FAR:
        found = f"an error of {figures.error:.2g}, bound {figures.bound:.2g}"
    else:
        found = (
            f"largest error {100 * figures.ratio:.3g} % of its bound: {figures.error:.2g} of "
            f"{figures.bound:.2g}"
        )
    return f"{found} ({figures.inputs})"


def _counts(figures: OutputFigures) -> str:
    counted = (
        (figures.within, "within"),
        (figures.suspicious, "suspicious"),
        (figures.beyond, "beyond"),
        (figures.without, "without certificate"),
        (figures.undefined, "nan on both sides"),
    )
    listed = ", ".join(f"{count} {word}" for count, word in counted if count)
    return f"of {figures.elements} elements {listed}"


def _witness_lines(witness: RoundingWitness) -> list[str]:
    place = ", ".join(map(str, witness.place))
    found = [
        f"witness ({witness.family})",
        f"  {witness.output}[{place}] is",
        f"    {witness.actual}  in the program",
        f"    {witness.exact}  exactly",
        f"    rounding explains an error of {witness.bound} at most",
    ]
    if witness.inputs:
        found.append("  for")
        found += [f"    {name} = {written(values)}" for name, values in witness.inputs]
    return found
