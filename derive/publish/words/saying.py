"""Look a phrase up in the language of the page that is being made, and fill it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from functools import cache
from string import Formatter
from typing import Any

from markupsafe import Markup

from derive.publish.context import current
from derive.publish.words.language import Language, language_of

TITLES = "titles."
"""The group that holds the titles of mechanisms and of their parts, by what they are in English."""


def language() -> Language:
    """Return the language of the page that is being made."""
    return language_of(current().language)


def said(key: str, /, **values: object) -> str:
    """Return a phrase as plain text, filled with ``values``; an unknown key is a ``KeyError``."""
    return language()[key].format_map(values)


def say(key: str, /, **values: object) -> Markup:
    """Return a phrase as HTML; it is escaped, and so is each value that is not markup already."""
    return _escaped(language()[key]).format(**values)


def pieces(key: str, words: Callable[[str], Any], /, **values: Any) -> list[Any]:
    """Return a phrase in pieces: its own text, put through ``words``, and the values between."""
    found: list[Any] = []
    for text, name in _parsed(language()[key]):
        found += [words(text)] if text else []
        found += [values[name]] if name else []
    return found


def title(english: str) -> str:
    """Return the title of a mechanism or of a part of one, which is named by its English words.

    What stands in no catalogue, such as the atlas's own titles, stays English.
    """
    return _title(english, language()) or english


def title_said(english: str) -> Markup:
    """Return a title as HTML; one that stays English says so, to be pronounced as such."""
    translated = _title(english, language())
    return in_english(english) if translated is None else Markup("{}").format(translated)


def in_english(text: str) -> Markup:
    """Return English words as HTML that says what they are, unless the page is English too."""
    around = "{}" if language().is_of("en") else '<span lang="en">{}</span>'
    return Markup(around).format(text)  # noqa: S704 - one of the two above


@cache
def _escaped(phrase: str) -> Markup:
    # Attributes stand in double quotes: an apostrophe may stay as it is.
    return Markup(html.escape(phrase, quote=False).replace('"', "&quot;"))  # noqa: S704 - escaped


def _parsed(phrase: str) -> Iterator[tuple[str, str | None]]:
    """Yield the pieces of text of a phrase, each with the placeholder that follows it."""
    for text, name, _, _ in Formatter().parse(phrase):
        yield text, name


def _title(english: str, words: Language) -> str | None:
    """Translate a title: whole, or piece by piece, or with something put in."""
    key = TITLES + english
    if key in words.phrases:
        return words[key]
    parts = english.split(", ")
    for place in range(1, len(parts)):
        first, more = ", ".join(parts[:place]), ", ".join(parts[place:])
        before, after = _title(first, words), _title(more, words)
        if before is not None and after is not None:
            return words["page.more"].format(title=before, more=after)
    for pattern, known in _with_placeholders(tuple(words.phrases)):
        found = pattern.fullmatch(english)
        if found:
            inside = {name: _title(t, words) or t for name, t in found.groupdict().items()}
            return words[known].format_map(inside)
    return None


@cache
def _with_placeholders(keys: tuple[str, ...]) -> list[tuple[re.Pattern[str], str]]:
    """Return how the titles look that something is put in, and their keys."""
    found = []
    for key in keys:
        if key.startswith(TITLES) and "{" in key:
            written = "".join(
                re.escape(text) + (f"(?P<{name}>.+)" if name else "")
                for text, name in _parsed(key.removeprefix(TITLES))
            )
            found.append((re.compile(written), key))
    return found
