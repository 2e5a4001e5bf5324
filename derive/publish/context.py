"""What holds for a whole page while it is made: who sets its maths, and its language."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

Maths = Literal["katex", "arithmatex"]
"""Who sets maths: KaTeX while the page is made, or the script that the site has."""


@dataclass(frozen=True)
class Context:
    """What every part of a page goes by.

    ``language`` is a built-in language, or the path of a file of words, as
    ``derive.publish.words.chosen`` returns it.
    """

    maths: Maths = "katex"
    language: str = "en"


_USUAL = Context()
_CURRENT: ContextVar[Context] = ContextVar("context", default=_USUAL)


def current() -> Context:
    """Return the context of the page that is being made."""
    return _CURRENT.get()


def maths_mode() -> Maths:
    """Return who sets the maths of the page that is being made."""
    return current().maths


@contextmanager
def using(context: Context) -> Generator[None, None, None]:
    """Make by ``context`` what is made inside of this block."""
    token = _CURRENT.set(context)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def setting_maths(maths: Maths) -> Generator[None, None, None]:
    """Set maths in this way inside of this block; the rest of the context stays."""
    with using(replace(current(), maths=maths)):
        yield


@contextmanager
def speaking(language: str) -> Generator[None, None, None]:
    """Write fixed words in this language inside of this block; the rest of the context stays."""
    with using(replace(current(), language=language)):
        yield
