"""Maths rendered to HTML at build time, so that readers need neither JavaScript nor a network.

KaTeX runs in one Node.js process that stays alive between formulas; hundreds of them cost little
more than one. ``python -m derive.publish.katex`` fetches KaTeX into the environment, once.

The HTML has two halves: MathML for screen readers, and a visual half hidden from them. It needs
``katex.min.css`` and the fonts beside it, from :func:`assets`.
"""

import sys
from functools import lru_cache
from pathlib import Path

from derive.errors import MOST_CHARACTERS
from derive.publish.katex_package import (
    KATEX_VERSION,
    SCRIPT,
    KatexError,
    KatexMissing,
    assets,
    install,
)
from derive.publish.node_child import NodeChild, NodeEnded
from derive.visible import shortened

__all__ = ["KATEX_VERSION", "KatexError", "KatexMissing", "assets", "install", "main", "render"]

_CHILD_SCRIPT = Path(__file__).with_name("katex_child.js")


def render(latex: str, *, display: bool = False, definitions: bool = True) -> str:
    r"""Render one formula.

    The only HTML extensions understood are ``\htmlData{key=value}{...}`` (attributes
    ``data-key="value"``) and ``\htmlClass{name}{...}``. Links, images, ids and inline styles are
    refused, and so are commands that print to a terminal or grow without end. Everything that LaTeX
    itself would not accept is an error, except that ``\text{...}`` may hold any Unicode.

    Args:
        latex: LaTeX as in maths mode, without dollar signs.
        display: Whether the formula stands in a block of its own (limits above and below a sum).
        definitions: Whether it may define macros; a few that call each other cost minutes.

    Returns:
        One HTML element, ``<span class="katex">`` or ``<span class="katex-display">``.

    Raises:
        KatexError: If KaTeX refuses the formula, or its process ends twice while rendering it.
        KatexMissing: If KaTeX or Node.js is not installed.
    """
    return _render(latex, display, definitions)


@lru_cache(maxsize=8192)
def _render(latex: str, display: bool, definitions: bool) -> str:
    try:
        answer = _child.ask({"latex": latex, "display": display, "definitions": definitions})
    except NodeEnded as error:
        raise KatexError(
            f"KaTeX gave no answer about {shortened(latex, MOST_CHARACTERS)}\n{error}"
        ) from None
    if "error" in answer:
        raise KatexError(
            f"KaTeX cannot render {shortened(latex, MOST_CHARACTERS)}\n{answer['error']}"
        )
    html: str = answer["html"]
    return html


_child = NodeChild(lambda: (_CHILD_SCRIPT, assets() / SCRIPT))


def main() -> None:
    """Fetch KaTeX into this environment and say where it is."""
    try:
        print(f"KaTeX {KATEX_VERSION} is in {install()}")
    except KatexError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
