"""The ``attention`` fence and its inline form, for any Markdown that has pymdownx.

    ```attention
    example: journey
    show: [score, heatmap]
    ```

becomes formulas, numbers and pictures; `` `#!attention journey weight journey starts` `` becomes
one number; `` `#!math a_{ij}` `` becomes typeset maths. pymdownx shows a fence whose formatter
fails as plain code and lets the build pass, so every error here is raised as the exception that it
does let through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from markupsafe import Markup
from pymdownx.inlinehilite import InlineHiliteException
from pymdownx.superfences import SuperFencesException

from derive.attention import MECHANISMS
from derive.errors import InputError
from derive.evidence import Evidence, EvidenceError
from derive.examples import load
from derive.formula import FormulaError, a, s, z
from derive.publish import (
    evidence_parts,
    maths,
    mechanism_parts,
    other_parts,
    sentence_parts,
)
from derive.publish.block import Request, read_block
from derive.publish.katex import KatexError
from derive.publish.lines import DIGITS, rounded
from derive.worked import work_out

PARTS: dict[str, Callable[[Request], Markup]] = {
    "vectors": sentence_parts.vectors,
    "score": sentence_parts.score,
    "normalise": sentence_parts.normalise,
    "weighted-sum": sentence_parts.weighted_sum,
    "heatmap": sentence_parts.heatmap,
    "lengths": sentence_parts.lengths,
    "formula": mechanism_parts.formula,
    "matrix": mechanism_parts.matrix,
    "written-out": mechanism_parts.written_out,
    "properties": mechanism_parts.properties,
    "code": mechanism_parts.array_code,
    "two-shapes": other_parts.two_shapes,
    "torch": other_parts.torch_source,
    "yaml": other_parts.yaml_source,
}
"""What each word under ``show:`` puts on the page."""

EVIDENCE_PARTS: dict[str, Callable[[Evidence, Request], Markup]] = {
    "summary": evidence_parts.summary,
    "comparisons": evidence_parts.comparisons,
    "reproductions": evidence_parts.reproductions,
    "printed": evidence_parts.printed,
    "property-table": evidence_parts.property_table,
    "versions": evidence_parts.versions,
    "weight": other_parts.weight,
}
"""Parts that show what the checks found."""

MISTAKES = (InputError, FormulaError, EvidenceError, KatexError)
"""What can be wrong with a fence; anything else is a defect of ours and keeps its traceback."""

INLINE_FORM = "write EXAMPLE[/MECHANISM] QUANTITY TOKEN [TOKEN or DIMENSION], as in journey weight one step"

QUANTITIES = ("score", "weight", "context", "length", "cosine", "tokens", "words")


class Fences:
    """Formats fences and inline numbers.

    ``evidence`` reads the evidence when a part needs it. ``block_error`` and ``inline_error`` are
    raised, with one line, for a mistake in a fence or in a line of text.
    """

    def __init__(
        self,
        evidence: Callable[[], Evidence] | None = None,
        block_error: type[Exception] = SuperFencesException,
        inline_error: type[Exception] = InlineHiliteException,
    ) -> None:
        self._evidence = evidence
        self._block_error, self._inline_error = block_error, inline_error
        self.page = ""

    def custom_fences(self) -> list[dict[str, Any]]:
        """Return the entry for pymdownx.superfences' ``custom_fences``."""
        return [{"name": "attention", "class": "attention", "format": self.format}]

    def custom_inline(self) -> list[dict[str, Any]]:
        """Return the entries for pymdownx.inlinehilite's ``custom_inline``."""
        return [
            {"name": "attention", "class": "attention", "format": self.format_number},
            {"name": "math", "class": "attention", "format": self.format_maths},
        ]

    def format(
        self, source: str, language: str, css_class: str, options: Any, md: Any, **kwargs: Any
    ) -> str:
        """Turn the YAML of one fence into HTML."""
        try:
            return str(self.render(source))
        except MISTAKES as error:
            raise self._block_error(self._said(error)) from error

    def render(self, source: str) -> Markup:
        """Turn the YAML of one fence into HTML; mistakes are the exceptions in ``MISTAKES``."""
        request = read_block(source)
        return Markup("\n").join(self._part(name, request) for name in request.block.show)

    def format_number(self, source: str, language: str, css_class: str, md: Any) -> Element:
        """Turn one inline request into a number."""
        try:
            text = number(source)
        except MISTAKES as error:
            raise self._inline_error(self._said(error)) from error
        element = Element("span", {"class": "attn-number"})
        element.text = text
        return element

    def format_maths(self, source: str, language: str, css_class: str, md: Any) -> str:
        """Turn inline LaTeX into typeset maths."""
        try:
            html = maths.inline(source)
        except MISTAKES as error:
            raise self._inline_error(self._said(error)) from error
        stashed: str = md.htmlStash.store(str(html))
        return stashed

    def _part(self, name: str, request: Request) -> Markup:
        if name in PARTS:
            return PARTS[name](request)
        if self._evidence is None:
            raise EvidenceError(f"{name} needs evidence: tell the plugin where it is (evidence:)")
        return EVIDENCE_PARTS[name](self._evidence(), request)

    def _said(self, error: Exception) -> str:
        message = " ".join(str(error).split())
        return f"{self.page}: {message}" if self.page else message


def number(request: str) -> str:
    """Return one number of a sentence, such as ``journey/scaled weight journey starts``.

    Raises ``InputError`` saying how such a request is written.
    """
    name, *words = request.split() or [""]
    example_name, _, key = name.partition("/")
    example = load(example_name)
    where = f"`#!attention {request}`"
    if words in (["tokens"], ["words"]):
        return str(len(example.tokens if words == ["tokens"] else example.sentence.split()))
    if len(words) not in (2, 3) or words[0] not in QUANTITIES or (key or "softmax") not in MECHANISMS:
        raise InputError(where, "", "this asks for nothing known", INLINE_FORM)
    quantity, *tokens = words
    places = [example.position(token, where=where) for token in tokens[: 1 if quantity == "context" else 2]]
    if quantity == "length":
        return rounded(sentence_parts.norm(example, places[0]), DIGITS)
    if quantity == "cosine" and len(places) == 2:
        return rounded(sentence_parts.cosine(example, *places), DIGITS)
    worked = work_out(example, MECHANISMS[key or "softmax"])
    if quantity == "context":
        column = int(tokens[1]) - 1 if len(tokens) == 2 and tokens[1].isdigit() else None
        row = worked[z][places[0]]
        if column is None:
            return "[" + ", ".join(rounded(value, DIGITS) for value in row) + "]"
        return rounded(row[column], DIGITS)
    if len(places) != 2:
        raise InputError(where, quantity, "it needs two tokens", INLINE_FORM)
    return rounded(worked[{"score": s, "weight": a}[quantity]][places[0], places[1]], DIGITS)
