"""Worked sentences: tokens with their vectors, as exact rational numbers.

The decimals that a source writes are the numbers meant: 0.1 is one tenth, here and on the torch
side, and only a floating-point evaluation rounds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derive.decimals import Number, Rows, values_of
from derive.displayed import Displayed
from derive.errors import InputError
from derive.sentence_file import SentenceFile, read_sentence
from derive.settings import Settings
from derive.visible import quoted, shortened

if TYPE_CHECKING:
    from derive.composition import Composition

BUILT_IN = ("jim-john", "journey")


@dataclass(frozen=True)
class Example(Displayed):
    """A sentence of tokens, one vector each, and the query that is worked in detail.

    ``query`` is the 0-based position of the query's token. ``sentence`` is the running text that
    the tokens come from, where it says more than the tokens do; ``source`` says who wrote it.
    ``origin`` is the file it was read from, as a person named it, for error messages. ``settings``
    are what the file says about the attention that it is to be worked with.
    """

    name: str
    title: str
    tokens: tuple[str, ...]
    vectors: Rows
    query: int
    sentence: str
    source: str = ""
    origin: str = ""
    settings: Settings = field(default_factory=Settings)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tokens n and of dimensions d."""
        return len(self.tokens), len(self.vectors[0])

    @property
    def where(self) -> str:
        """What an error message calls this sentence: its file, or its name."""
        return self.origin or self.name

    def composition(self) -> Composition:
        """Return the attention that the sentence's file describes; softmax where it says nothing.

        Raises ``InputError`` for settings that contradict each other or do not fit the vectors.
        """
        return self.settings.composition(self.shape[1], self.where)

    def array(self, convert: Any = lambda value: value) -> Any:
        """Return the vectors as an (n, d) object array, each value put through ``convert``."""
        return values_of(self.vectors, convert)

    def position(self, query: str, *, where: str = "", key: str = "query") -> int:
        """Find the 0-based position of a query given as a token, or as a position from 1."""
        places = [p for p, token in enumerate(self.tokens) if token == query]
        if len(places) == 1:
            return places[0]
        where = where or self.where
        if places:
            choices = " or ".join(f"#{p + 1}" for p in places)
            raise InputError(
                where,
                key,
                f"{quoted(query)} occurs {len(places)} times",
                f"say which position is meant: {choices}",
            )
        number = query.removeprefix("#")
        if re.fullmatch("[0-9]{1,9}", number) and 1 <= int(number) <= len(self.tokens):
            return int(number) - 1
        known = ", ".join(shortened(token, 12) for token in self.tokens[:12])
        known += ", ..." * (len(self.tokens) > 12)
        raise InputError(
            where,
            key,
            f"{quoted(query)} is not a token",
            f"write one of {known}, or a position from 1 to {len(self.tokens)}",
        )


def example_from(content: SentenceFile, name: str, where: str) -> Example:
    """Build an ``Example`` from a checked sentence file."""
    numbers = tuple(
        tuple(Number(value, text) for value, text in row) for row in content.rows(where)
    )
    example = Example(
        name=name,
        title=content.title or " ".join(content.tokens),
        tokens=tuple(content.tokens),
        vectors=numbers,
        query=0,
        sentence=content.sentence or " ".join(content.tokens),
        source=content.source or "",
        origin=where,
        settings=content.settings(where),
    )
    if content.query is None:
        return example
    return replace(example, query=example.position(content.query, where=where))


def load(name: str, folder: Path | None = None) -> Example:
    """Load a built-in sentence by name, or a YAML file by its path.

    With ``folder`` the path is one from there, and must stay inside. Raises ``InputError`` with one
    line that says what to change.
    """
    if name in BUILT_IN:
        return _built_in(name)
    if folder is None:
        return example_from(*read_sentence(name))
    content, short, _ = read_sentence(str(inside(name, folder)), where=name)
    return example_from(content, short, name)


def inside(name: str, folder: Path) -> Path:
    """Return the file that a path from ``folder`` names; one outside of it is refused."""
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError):
        raise InputError(name, "", "no file can have this name", "correct the path") from None
    if not path.is_relative_to(folder.resolve()):
        raise InputError(
            name, "", "it lies outside of the site's folder", "give the path of a file inside of it"
        )
    return path


@cache
def _built_in(name: str) -> Example:
    resource = files("derive") / "sentences" / f"{name}.yaml"
    content = SentenceFile.parse(resource.read_text(encoding="utf-8"), where=name)
    return example_from(content, name, name)
