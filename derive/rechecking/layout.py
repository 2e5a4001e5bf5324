"""The layout of a certificate, read strictly: each thing has one spelling, or is refused."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, NoReturn

FORMAT = "attention-derived exact proof, version 1"
KEYS = ("format", "instructions", "pairs", "expanded", "definitions", "vectors")


class Refused(ValueError):
    """The text does not prove what it states."""


def refuse(reason: str) -> NoReturn:
    """Raise ``Refused``."""
    raise Refused(reason)


def read_sections(certificate_text: str) -> dict[str, Any]:
    """Return the lists of a certificate by their keys."""
    try:
        data = json.loads(certificate_text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is not JSON: {error}") from error
    if type(data) is not dict or tuple(data) != KEYS:
        refuse(f"the keys must be {', '.join(KEYS)}")
    if data["format"] != FORMAT:
        refuse(f"the format must be {FORMAT!r}")
    for key in KEYS[1:]:
        if type(data[key]) is not list:
            refuse(f"{key} must be a list")
    return data


def _once(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(items)) != len(items):
        refuse("a key stands twice")
    return dict(items)


def list_of(row: Any, length: int, what: str) -> list[Any]:
    """Return a list, after the check that it has this length."""
    if type(row) is not list or len(row) != length:
        refuse(f"{what} must be a list of {length}")
    return row


def integer(value: Any, low: int, high: int, what: str) -> int:
    """Return a whole number, after the check that low <= value < high."""
    # A bool would pass for an int by isinstance.
    if type(value) is not int or not low <= value < high:
        refuse(f"{what} must be a whole number from {low} to {high - 1}, not {value!r:.40}")
    return value


def fraction(value: Any, what: str) -> Fraction:
    """Read 3, "3/4" or "-3/4": one spelling for one number."""
    if type(value) is int:
        return Fraction(value)
    if type(value) is str and len(value) < 4000:
        above, bar, below = value.partition("/")
        if above.removeprefix("-").isdecimal() and bar and below.isdecimal() and int(below) > 1:
            number = Fraction(int(above), int(below))
            if str(number) == value:
                return number
    refuse(f"{what} is not a number: {value!r:.40}")
