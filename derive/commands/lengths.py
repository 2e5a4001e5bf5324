"""What a person writes for shapes: ``batch=1,heads=2,tokens=4,dim=4``, or ``query=1x2x4x4``."""

from __future__ import annotations

from typing import Any

import click

from derive.errors import InputError

NAMES = ("batch", "heads", "kv_heads", "queries", "tokens", "dim", "value_dim", "embedding")
"""The sizes that have a name, as options of formulas and shapes of inputs use them."""

LARGEST = 65536


class Sizes(click.ParamType[dict[str, int]]):
    """``name=number``, several of them with commas between."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> dict[str, int]:
        """Return the sizes by name; an unknown name or a wrong number is one line."""
        if isinstance(value, dict):
            return value
        found: dict[str, int] = {}
        for part in str(value).split(","):
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


class InputShape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """``query=1x2x4x4``: an input by name and its shape."""

    name = "name=shape"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, tuple[int, ...]]:
        """Return the name and the lengths of the axes."""
        if isinstance(value, tuple):
            return value
        name, equals, lengths = str(value).partition("=")
        if not equals or not name.isidentifier():
            raise InputError(
                "--input", value, "it is not a name and a shape", "write query=1x2x4x4"
            )
        shape = tuple(_length(part, "--input", value) for part in lengths.split("x"))
        return name, shape


def _length(text: str, where: str, key: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= LARGEST:
        raise InputError(where, key, f"{text!r} is no length", f"write a number up to {LARGEST}")
    return int(text)
