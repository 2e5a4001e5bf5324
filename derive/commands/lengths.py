"""What a person writes for shapes: ``batch=1,heads=2,tokens=4,dim=4``, or ``query=1x2x4x4``."""

from __future__ import annotations

from typing import Any

from derive.errors import InputError

NAMES = ("batch", "heads", "kv_heads", "queries", "tokens", "dim", "value_dim", "embedding")
"""The sizes that have a name, as options of formulas and shapes of inputs use them."""

LARGEST = 65536

Shape = tuple[int, ...]


def sizes(ctx: Any, param: Any, value: str | None) -> dict[str, int]:
    """Read ``name=number``, several with commas between; what is wrong is one line."""
    found: dict[str, int] = {}
    for part in value.split(",") if value else ():
        name, equals, number = part.strip().partition("=")
        if name not in NAMES or not equals:
            raise InputError(
                "--shape",
                part,
                "it is not a size",
                f"write one of {', '.join(NAMES)}, as in batch=1,heads=2,tokens=4,dim=4",
            )
        found[name] = _length(number, "--shape", part)
    return found


def input_shapes(ctx: Any, param: Any, values: tuple[str, ...]) -> tuple[tuple[str, Shape], ...]:
    """Read ``query=1x2x4x4``, once for each input."""
    found: dict[str, Shape] = {}
    for value in values:
        name, equals, lengths = value.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(
                "--input", value, "it is not a name and a shape", "write query=1x2x4x4"
            )
        if name in found:
            raise InputError("--input", value, "this input has a shape already", "leave out one")
        found[name] = tuple(_length(part, "--input", value) for part in lengths.split("x"))
    return tuple(found.items())


def _length(text: str, where: str, key: str) -> int:
    is_short = text.isascii() and text.isdigit() and len(text) < 10
    if not is_short or not 0 < int(text) <= LARGEST:
        raise InputError(where, key, f"{text!r} is no length", f"write a number up to {LARGEST}")
    return int(text)
