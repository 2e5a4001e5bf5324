"""Typeset maths for a page: KaTeX for the eye, one spoken sentence for a screen reader."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from derive.publish import katex

# The visual half alone: the spoken sentence stands in for KaTeX's second, MathML half, whose text
# would repeat every formula in searches and weigh as much as the rest.
_MATHML = re.compile(r'<span class="katex-mathml">.*?</math></span>', re.DOTALL)


def inline(latex: str, spoken: str | None = None) -> Markup:
    """Return maths that stands in a line of text; long sums wrap at their plus signs."""
    return _wrapped("var", latex, spoken, display=False)


def display(latex: str, spoken: str | None = None) -> Markup:
    """Return maths that stands in a block of its own, scrolling sideways where it must."""
    return _wrapped("div", latex, spoken, display=True)


# The theme's search loses count of excluded elements inside their own kind; ``var`` holds no other.
def _wrapped(tag: str, latex: str, spoken: str | None, *, display: bool) -> Markup:
    html = _MATHML.sub("", katex.render(latex, display=display))
    said = escape(latex if spoken is None else spoken)
    return Markup(  # noqa: S704 - KaTeX escapes the formula, and the rest is escaped here
        f'<{tag} class="attn-math" data-search-exclude><span class="attn-said">{said}</span>'
        f'<span aria-hidden="true">{html}</span></{tag}>'
    )
