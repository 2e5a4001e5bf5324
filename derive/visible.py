"""Text that stays on its line: what would break or turn a line around is shown by its code."""

from __future__ import annotations

import unicodedata

_BREAKING = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def breaks_line(character: str) -> bool:
    """Tell whether a character controls a terminal, ends a line or is no character at all."""
    # The last two of each plane, and 32 more, never stand for anything; XML has no place for them.
    code = ord(character)
    never = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return never or unicodedata.category(character) in _BREAKING


def visible(text: str) -> str:
    """Return ``text`` with characters that would break its line or turn it around as codes.

    Words written from right to left are left alone; the invisible marks that force a direction
    are not.
    """
    return "".join(
        _code(character) if breaks_line(character) or _turns(character) else character
        for character in text
    )


def straight(text: str) -> str:
    """Return ``text`` with the marks that force a direction as codes, and all else as it is.

    Nothing around the text is turned around by it, where a format cannot set it apart.
    """
    return "".join(_code(character) if _turns(character) else character for character in text)


def _turns(character: str) -> bool:
    return unicodedata.bidirectional(character) in _TURNING


def _code(character: str) -> str:
    return f"\\u{ord(character):04x}"


def shortened(text: str, most: int) -> str:
    """Return ``text``, cut to ``most`` characters where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    """Return ``text`` in quotes, as an error message names it: short, and on one line."""
    return repr(shortened(text, 40))
