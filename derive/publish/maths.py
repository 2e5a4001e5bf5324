"""Typeset maths for a page: KaTeX for the eye, one spoken sentence for a screen reader."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from derive.publish import katex
from derive.publish.context import maths_mode
from derive.publish.katex_package import KatexError
from derive.visible import quoted, visible

LONGEST = 5000
"""Characters of the longest formula that a page's author writes by hand."""

FARTHEST = 500.0
"""The longest length, in em, that such a formula may have: more would cover what is around it."""

_LENGTH = re.compile(r":(-?[0-9.]+)em")

# The visual half alone: the spoken sentence stands in for KaTeX's second, MathML half, whose text
# would repeat every formula in searches and weigh as much as the rest.
_MARK = re.compile(r"\\html(?:Data|Class)\{[^{}]*\}\{")
_MATHML = re.compile(r'<span class="katex-mathml">.*?</math></span>', re.DOTALL)


def inline(latex: str, spoken: str | None = None) -> Markup:
    """Return maths that stands in a line of text; long sums wrap at their plus signs."""
    return _wrapped("var", latex, spoken, display=False)


def by_hand(latex: str) -> Markup:
    """Return maths that a page's author wrote, in a line of text.

    Raises ``KatexError`` for what KaTeX refuses, for definitions, and for what would reach out of
    its place: lengths beyond ``FARTHEST``, and characters that turn a line around or that no page
    can hold.
    """
    if len(latex) > LONGEST:
        raise KatexError(f"this formula has {len(latex):,} characters; write at most {LONGEST:,}")
    html = _wrapped("var", latex, None, display=False, definitions=False)
    # KaTeX's own drawings, such as that of a root, have line ends in them.
    drawn = html.replace("\n", "")
    if visible(drawn) != drawn:
        raise KatexError(f"{quoted(latex)} holds a control character; leave it out")
    if any(abs(float(length)) > FARTHEST for length in _LENGTH.findall(html)):
        raise KatexError(f"a length in {quoted(latex)} is too large; stay below {FARTHEST:.0f}em")
    return html


def display(latex: str, spoken: str | None = None) -> Markup:
    """Return maths that stands in a block of its own, scrolling sideways where it must."""
    return _wrapped("div", latex, spoken, display=True)


def _left_to_the_site(latex: str, spoken: str | None, *, display: bool) -> Markup:
    """Return maths as pymdownx.arithmatex has it, for the script that the site sets maths with."""
    plain = without_marks(latex)
    said = escape(plain if spoken is None else spoken)
    tag, before, after = ("div", r"\[", r"\]") if display else ("span", r"\(", r"\)")
    # A string that Markup formats is escaped: no formula can hold markup.
    return Markup(
        '<{0} class="attn-math" data-search-exclude><span class="attn-said">{1}</span>'
        '<{0} class="arithmatex" aria-hidden="true">{2}{3}{4}</{0}></{0}>'
    ).format(Markup(tag), said, before, plain, after)  # noqa: S704 - div or span


def without_marks(latex: str) -> str:
    """Return LaTeX without the marks on its terms, which only KaTeX understands."""
    while found := _MARK.search(latex):
        start = found.end()
        depth, end = 1, start
        while depth:
            if end == len(latex):
                raise KatexError(f"a brace in {quoted(latex)} is never closed; close it")
            depth += {"{": 1, "}": -1}.get(latex[end], 0) if latex[end - 1] != "\\" else 0
            end += 1
        latex = f"{latex[: found.start()]}{latex[start : end - 1]}{latex[end:]}"
    return latex


# The theme's search loses count of excluded elements inside their own kind; ``var`` holds no other.
def _wrapped(
    tag: str,
    latex: str,
    spoken: str | None,
    *,
    display: bool,
    definitions: bool = True,
) -> Markup:
    if maths_mode() == "arithmatex":
        return _left_to_the_site(latex, spoken, display=display)
    html = _MATHML.sub("", katex.render(latex, display=display, definitions=definitions))
    said = escape(latex if spoken is None else spoken)
    return Markup(  # noqa: S704 - KaTeX escapes the formula, and the rest is escaped here
        f'<{tag} class="attn-math" data-search-exclude><span class="attn-said">{said}</span>'
        f'<span aria-hidden="true">{html}</span></{tag}>'
    )
