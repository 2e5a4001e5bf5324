"""Phrases of the catalogue as pieces of a document."""

from __future__ import annotations

from derive.publish.document.document import Inline, Line, Words
from derive.publish.words import language, pieces


def worded(key: str, /, **values: Inline) -> Line:
    """Return a phrase as a line, filled with ``values``."""
    return tuple(pieces(key, in_words, **values))


def in_words(text: str) -> str:
    """Return words of a catalogue: this package's hold no markup, a person's own are any text."""
    return text if language().own else Words(text)
