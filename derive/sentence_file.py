"""Read a sentence from YAML: every scalar stays the text that was written, nothing is evaluated.

::

    title: My sentence            # optional
    tokens: [the, cat, sat]
    vectors:                      # one row for each token, or a mapping from token to row
      - [0.1, 0.20, -3]
      - [1e-1, 0, 2.5]
      - [0.3, 0.4, 0.5]
    query: cat                    # optional: a token, or a position from 1

It may also say what attention the sentence is worked with: the keys of ``derive.settings``.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from derive.decimals import read_decimal
from derive.errors import InputError
from derive.files import read_bytes
from derive.settings import SettingsKeys
from derive.text_yaml import load_yaml
from derive.visible import breaks_line, quoted, visible

MOST_BYTES = 500_000
"""The largest file that is read; ten times what the longest sentence that is worked needs."""

LONGEST_TOKEN = 1000
"""Characters of the longest token: a page of many tokens names each many times."""


class SentenceFile(SettingsKeys):
    """What a sentence file may hold. Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: list[str]
    vectors: list[list[str]] | dict[str, list[str]]
    title: str | None = None
    query: str | None = None
    sentence: str | None = None
    source: str | None = None

    @classmethod
    def parse(cls, text: str, *, where: str) -> SentenceFile:
        """Parse YAML text; ``where`` names its origin in error messages."""
        return cls.from_data(load_yaml(text, where=where), where=where)

    @classmethod
    def from_data(cls, data: Any, *, where: str) -> SentenceFile:
        """Check data whose scalars are text."""
        if not isinstance(data, dict):
            raise InputError(where, "", "this is not a sentence file", "write tokens: and vectors:")
        try:
            content = cls.model_validate(data)
        except ValidationError as error:
            raise in_one_line(error, where) from None
        content.check(where)
        return content

    def check(self, where: str) -> None:
        """Refuse what the types alone allow."""
        if not self.tokens:
            raise InputError(where, "tokens", "there are no tokens", "write at least one")
        for place, token in enumerate(self.tokens, start=1):
            check_text(token, where, f"tokens[{place}]")
            if len(token) > LONGEST_TOKEN:
                raise InputError(
                    where,
                    f"tokens[{place}]",
                    f"the token has {len(token):,} characters",
                    f"give at most {LONGEST_TOKEN:,}",
                )
            if not token.strip():
                raise InputError(where, f"tokens[{place}]", "the token is empty", "write a word")
        for key in ("title", "sentence", "source"):
            check_text(getattr(self, key) or "", where, key)
        dimensions = len(self.rows(where)[0])
        self.settings(where).composition(dimensions, where)

    def rows(self, where: str) -> list[list[tuple[Fraction, str]]]:
        """Return one row of (value, text) for each token, all of one length."""
        named = self._named_rows(where)
        rows = [
            [
                (read_decimal(text, where, f"{key}[{p}]"), text.strip().removeprefix("+"))
                for p, text in enumerate(row, start=1)
            ]
            for key, row in named
        ]
        first = len(rows[0])
        for (key, _), row, token in zip(named, rows, self.tokens, strict=True):
            if not row:
                raise InputError(
                    where, key, f"the vector of {quoted(token)} is empty", "write its numbers"
                )
            if len(row) != first:
                raise InputError(
                    where,
                    key,
                    f"the vector of {quoted(token)} has {len(row)} number{'s' * (len(row) != 1)}, "
                    f"that of {quoted(self.tokens[0])} has {first}",
                    "give every token the same number of dimensions",
                )
        return rows

    def _named_rows(self, where: str) -> list[tuple[str, list[str]]]:
        if isinstance(self.vectors, dict):
            known = set(self.tokens)
            for token in self.vectors:
                if token not in known:
                    raise InputError(
                        where, f"vectors.{token}", "this is not one of the tokens", "remove it"
                    )
            for place, token in enumerate(self.tokens, start=1):
                if token not in self.vectors:
                    raise InputError(
                        where,
                        f"tokens[{place}]",
                        f"{quoted(token)} has no vector",
                        "add it under vectors, or take it out of tokens",
                    )
            return [(f"vectors.{token}", self.vectors[token]) for token in self.tokens]
        if len(self.vectors) < len(self.tokens):
            lacking = self.tokens[len(self.vectors)]
            raise InputError(
                where,
                f"tokens[{len(self.vectors) + 1}]",
                f"{quoted(lacking)} has no vector",
                f"write {len(self.tokens)} rows under vectors, one for each token",
            )
        if len(self.vectors) > len(self.tokens):
            raise InputError(
                where,
                f"vectors[{len(self.tokens) + 1}]",
                "this vector has no token",
                "write one row for each token",
            )
        return [(f"vectors[{place}]", row) for place, row in enumerate(self.vectors, start=1)]


def check_text(text: str, where: str, key: str) -> None:
    """Refuse control characters: they would break a terminal's lines and a page's text."""
    for character in text:
        if breaks_line(character):
            raise InputError(
                where, key, f"it holds the control character U+{ord(character):04X}", "remove it"
            )


def check_texts(data: Any, where: str) -> None:
    """Refuse control characters in any text of a file or a fence, its keys included."""
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        key, value = waiting.pop()
        below: list[tuple[str, Any]] = []
        if isinstance(value, str):
            check_text(value, where, key)
        elif isinstance(value, dict):
            for name in value:
                check_text(name, where, f"{key}.{name}" if key else name)
            below = [(f"{key}.{name}" if key else name, part) for name, part in value.items()]
        elif isinstance(value, list):
            below = [(f"{key}[{place}]", part) for place, part in enumerate(value, start=1)]
        waiting += reversed(below)


def read_sentence(name: str, where: str = "") -> tuple[SentenceFile, str, str]:
    """Read a sentence file; return its content, a short name and the path as given.

    ``where`` is what messages call it, where that is not the path.
    """
    path, name = Path(name), where or name or "''"
    try:
        raw = read_bytes(path, MOST_BYTES)
    except FileNotFoundError:
        raise InputError(
            name,
            "",
            "there is no built-in sentence and no file of that name",
            "run 'derive list' for the built-in ones, or give the path of a YAML file",
        ) from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise InputError(name, "", reason, "give the path of a YAML file") from None
    except ValueError:
        raise InputError(name, "", "no file can have this name", "correct the path") from None
    if len(raw) > MOST_BYTES:
        raise InputError(
            name, "", f"it holds more than {MOST_BYTES:,} bytes", "give a shorter sentence"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(name, "", "it is not UTF-8 text", "save it as UTF-8") from None
    return SentenceFile.parse(text, where=name), visible(path.stem), name


def in_one_line(error: ValidationError, where: str) -> InputError:
    """Turn pydantic's report into one line about its first complaint."""
    # A misspelt key is both unknown and missing; the first of the two says what to correct.
    found = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    steps = [
        step for step in found["loc"] if str(step).split("[")[0] not in ("list", "dict", "str")
    ]
    key = ""
    for step in steps:
        key += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if key else str(step)
    if found["type"] == "extra_forbidden":
        settings = SettingsKeys.model_fields
        own = [name for name in SentenceFile.model_fields if name not in settings]
        known = ", ".join([*own, *settings])
        return InputError(where, key, "this key is unknown", f"the keys are {known}")
    if found["type"] == "missing":
        return InputError(where, key, "it is missing", f"add '{key}:'")
    if steps[0] == "vectors":
        return InputError(
            where, key, "this is not a row of numbers", "write rows such as [0.1, 0.2, 0.3]"
        )
    if steps[0] == "tokens":
        return InputError(
            where, key, "this is not a word", "write tokens as [first, second, third]"
        )
    if steps[0] == "projections":
        return InputError(
            where,
            "projections",
            "these are not matrices of numbers",
            "write small, none, or rows of numbers under query:, key: and value:",
        )
    return InputError(where, key, "this is not text", "write a single line of text")
