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

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markupsafe import Markup
from pymdownx.inlinehilite import InlineHiliteException
from pymdownx.superfences import SuperFencesException

from derive.atlas_evidence import AtlasEvidence
from derive.attention import MECHANISMS
from derive.errors import MOST_CHARACTERS as MOST_QUOTED
from derive.errors import InputError
from derive.evidence import Evidence, EvidenceError
from derive.examples import BUILT_IN, inside, load
from derive.formula import FormulaError, a, s, z
from derive.publish import (
    atlas_parts,
    comparison_parts,
    evidence_parts,
    maths,
    measured_parts,
    mechanism_parts,
    other_parts,
    rounding_parts,
    sentence_parts,
    step_through_parts,
    theorem_parts,
    variant_parts,
)
from derive.publish.atlas_data import atlas_as_json
from derive.publish.block import FENCE, Request, read_block
from derive.publish.context import Maths, current, setting_maths, speaking
from derive.publish.katex import KatexError
from derive.publish.kept import Kept
from derive.publish.lines import DIGITS, rounded
from derive.publish.placing import fence_line, inline_line, key_line
from derive.publish.script.executing import ScriptError
from derive.publish.words import BUILT_IN as LANGUAGES
from derive.publish.words import chosen, language, language_of
from derive.rounding_evidence import RoundingEvidence
from derive.visible import shortened, visible
from derive.worked import work_out

PARTS: dict[str, Callable[[Request], Markup]] = {
    "numbers": sentence_parts.numbers,
    "vectors": sentence_parts.vectors,
    "matrices": sentence_parts.matrices,
    "projection": sentence_parts.projection,
    "score": sentence_parts.score,
    "normalise": sentence_parts.normalise,
    "weighted-sum": sentence_parts.weighted_sum,
    "heatmap": sentence_parts.heatmap,
    "step-through": step_through_parts.step_through,
    "lengths": sentence_parts.lengths,
    "formula": mechanism_parts.formula,
    "matrix": mechanism_parts.matrix,
    "changes": variant_parts.changes,
    "compare": comparison_parts.compare,
    "cost": variant_parts.cost,
    "implementations": atlas_parts.implementations,
    "shapes": variant_parts.shapes,
    "inputs": variant_parts.inputs,
    "weights": variant_parts.weights,
    "gradient": variant_parts.gradient,
    "sources": variant_parts.sources,
    "torch-code": variant_parts.torch_code,
    "written-out": mechanism_parts.written_out,
    "properties": mechanism_parts.properties,
    "code": mechanism_parts.array_code,
    "two-shapes": other_parts.two_shapes,
    "torch": other_parts.torch_source,
    "yaml": other_parts.yaml_source,
    "rounding-output": rounding_parts.output,
    "rounding-gradients": rounding_parts.gradients,
    "rounding-proof": rounding_parts.proof,
    "rounding-constants": rounding_parts.constants,
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

MEASURED_PARTS: dict[str, Callable[[RoundingEvidence], Markup]] = {
    "rounding-summary": measured_parts.summary,
    "rounding-bugs": measured_parts.bugs,
    "rounding-alarms": measured_parts.alarms,
    "rounding-tightness": measured_parts.tightness,
}
"""Parts that show what was measured about rounding."""

ATLAS_PARTS: dict[str, Callable[[AtlasEvidence, Request], Markup]] = {
    "atlas": atlas_parts.atlas,
    "atlas-summary": atlas_parts.summary,
    "checked": atlas_parts.checked,
    "theorem": theorem_parts.theorem,
}
"""Parts that show what was checked of the atlas."""

IN_ENGLISH = frozenset(
    {"compare", "implementations", "properties"}
    | {part for part in PARTS if part.startswith("rounding-")}
    | {*EVIDENCE_PARTS, *MEASURED_PARTS, *ATLAS_PARTS}
)
"""Parts about proofs, checks and the atlas as a whole: they are in English on any page."""

_SECTION = re.compile(r'(<section class="attn[^"]*")')

MISTAKES = (InputError, FormulaError, EvidenceError, KatexError, ScriptError)
"""What can be wrong with a fence; anything else is a defect of ours, and the build says so."""

MOST_CHARACTERS = 600
"""The longest that a message gets, whatever it quotes."""

INLINE_FORM = (
    "write EXAMPLE[/MECHANISM] QUANTITY TOKEN [TOKEN or DIMENSION], as in journey weight one step"
)

QUANTITIES = {
    "score": (2,),
    "weight": (2,),
    "context": (1, 2),
    "length": (1,),
    "cosine": (2,),
    "tokens": (0,),
    "words": (0,),
}
"""What an inline request may ask for, and how many words may follow."""


class Fences:
    """Formats fences and inline numbers.

    ``evidence``, ``measured`` and ``atlas`` read what the checks found, what was measured about
    rounding, and what was checked of the atlas, when a part needs it. ``kept`` holds pieces of
    earlier builds. In ``folder`` lie the files that a fence may name, and ``typeset`` says how
    maths is set. ``language`` is that of fences which say none, as ``words.chosen`` returns it, and
    ``site_language`` what the pages say that they are in: what is not, says so. ``page`` and
    ``page_source`` are the path and the Markdown of the page that is being made; ``files_read`` are
    the files that fences have named. ``block_error`` and ``inline_error`` are raised, with one
    line, for a mistake in a fence or in a line of text.
    """

    def __init__(
        self,
        evidence: Callable[[], Evidence] | None = None,
        block_error: type[Exception] = SuperFencesException,
        inline_error: type[Exception] = InlineHiliteException,
        measured: Callable[[], RoundingEvidence] | None = None,
        atlas: Callable[[], AtlasEvidence] | None = None,
        kept: Kept | None = None,
        folder: Path | None = None,
        typeset: Maths = "katex",
        language: str = "en",
        site_language: str | None = None,
    ) -> None:
        self._evidence, self._measured, self._atlas = evidence, measured, atlas
        self._kept = kept
        self._block_error, self._inline_error = block_error, inline_error
        self.folder, self.typeset = folder, typeset
        self.page, self.page_source = "", ""
        self.files_read: set[Path] = set()
        self.language = self._read(language)
        self._site_language = site_language or language_of(language).tag

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
        with self._ending_the_build(self._block_error, source):
            return str(self.render(source))

    def render(self, source: str) -> Markup:
        """Turn the YAML of one fence into HTML; mistakes are the exceptions in ``MISTAKES``."""
        request = read_block(source, folder=self.folder)
        named = request.block.language
        spoken = self._read(chosen(named, FENCE, self.folder)) if named else self.language
        with setting_maths(self.typeset), speaking(spoken):
            return Markup("\n").join(
                self._kept_part(name, request, source) for name in request.block.show
            )

    def atlas_json(self) -> str:
        """Return the whole atlas as JSON text, with the properties as they were checked."""
        if self._atlas is None:
            raise EvidenceError("the atlas as JSON needs evidence: tell the plugin where (atlas:)")
        evidence = self._atlas()

        def make() -> str:
            return atlas_as_json(lambda variant: evidence.mechanism(variant.key).properties)

        return self._kept.piece(("atlas.json", evidence.to_json()), make) if self._kept else make()

    def format_number(self, source: str, language: str, css_class: str, md: Any) -> Element:
        """Turn one inline request into a number."""
        element = Element("span", {"class": "attn-number"})
        with self._ending_the_build(self._inline_error, source, inline=True):
            element.text = number(source, self.folder)
        return element

    def format_maths(self, source: str, language: str, css_class: str, md: Any) -> str:
        """Turn inline LaTeX into typeset maths."""
        ending = self._ending_the_build(self._inline_error, source, inline=True)
        with ending, setting_maths(self.typeset):
            html = str(maths.by_hand(source))
        stashed: str = md.htmlStash.store(html)
        return stashed

    @contextmanager
    def _ending_the_build(
        self, as_error: type[Exception], source: str, *, inline: bool = False
    ) -> Generator[None, None, None]:
        """Raise whatever goes wrong as ``as_error``, in one line.

        pymdownx would print a fence with any other exception as code, and let the build pass.
        """
        try:
            yield
        except Exception as error:
            raise as_error(self._said(error, source, inline=inline)) from error

    def _kept_part(self, name: str, request: Request, source: str) -> Markup:
        """Return a part, made now unless it was made before from the same."""
        made_from = self._made_from(name, request)
        with speaking("en" if name in IN_ENGLISH else current().language):
            words = language()
            if self._kept is None or made_from is None:
                html: str = self._part(name, request)
            else:
                html = self._kept.piece(
                    (name, source, words.digest, *made_from), lambda: self._part(name, request)
                )
        if not words.is_of(self._site_language):
            # Plain text goes in: of Markup, each piece would be escaped.
            html = _SECTION.sub(rf'\1 lang="{words.tag}"', str(html))
        return Markup(html)  # noqa: S704 - made by our own parts, now or before

    def _read(self, spoken: str) -> str:
        """Return a language, and remember its file if it is a person's own."""
        if spoken not in LANGUAGES:
            self.files_read.add(Path(spoken))
        return spoken

    def _made_from(self, name: str, request: Request) -> tuple[str, ...] | None:
        """Return what a part is made from besides its fence; None where that is not known."""
        named = request.block.example
        made_from: tuple[str, ...] = (self.typeset,)
        if named is not None and named not in BUILT_IN:
            path = Path(named) if self.folder is None else inside(named, self.folder)
            self.files_read.add(path)
            made_from = (self.typeset, path.read_text(encoding="utf-8-sig"))
        if name in PARTS:
            return made_from
        if name in ATLAS_PARTS and self._atlas is not None:
            return (*made_from, self._atlas().to_json())
        return None

    def _part(self, name: str, request: Request) -> Markup:
        if name in PARTS:
            return PARTS[name](request)
        if name in ATLAS_PARTS:
            if self._atlas is None:
                raise EvidenceError(f"{name} needs evidence: tell the plugin where (atlas:)")
            return ATLAS_PARTS[name](self._atlas(), request)
        if name in MEASURED_PARTS:
            if self._measured is None:
                raise EvidenceError(f"{name} needs figures: tell the plugin where (rounding:)")
            return MEASURED_PARTS[name](self._measured())
        if self._evidence is None:
            raise EvidenceError(f"{name} needs evidence: tell the plugin where it is (evidence:)")
        return EVIDENCE_PARTS[name](self._evidence(), request)

    def _said(self, error: Exception, source: str, *, inline: bool) -> str:
        message = visible(shortened(" ".join(str(error).split()), MOST_CHARACTERS))
        if not isinstance(error, MISTAKES):
            message = f"a defect of attention-derived, {type(error).__name__}: {message}"
        if not self.page:
            return message
        find = inline_line if inline else fence_line
        line = find(self.page_source, source)
        if line is not None and isinstance(error, InputError) and error.where == FENCE:
            # The line of the key says more than that of the fence, whose first line is its opening.
            below = key_line(source, error.key)
            line += below or 0
            is_line = error.problem.startswith("not YAML")
            told = [] if is_line or not error.key else [visible(shortened(error.key, MOST_QUOTED))]
            message = " ".join(": ".join([*told, error.said]).split())
        return f"{self.page}:{line}: {message}" if line is not None else f"{self.page}: {message}"


def number(request: str, folder: Path | None = None) -> str:
    """Return one number of a sentence, such as ``journey/scaled weight journey starts``.

    Raises ``InputError`` saying how such a request is written.
    """
    where = f"`#!attention {request}`"
    name, *words = request.split() or [""]
    name, _, key = name.partition("/")
    example = load(name, folder)
    quantity, *rest = words or [""]
    if (key or "softmax") not in MECHANISMS or len(rest) not in QUANTITIES.get(quantity, ()):
        raise InputError(where, "", "this asks for nothing known", INLINE_FORM)
    if quantity in ("tokens", "words"):
        return str(len(example.tokens if quantity == "tokens" else example.sentence.split()))
    row = example.position(rest[0], where=where)
    if quantity == "length":
        return rounded(sentence_parts.measured(example)[0][row], DIGITS)
    worked = work_out(example, MECHANISMS[key or "softmax"])
    if quantity == "context":
        return _context([rounded(value, DIGITS) for value in worked[z][row]], rest[1:], where)
    column = example.position(rest[1], where=where)
    if quantity == "cosine":
        return rounded(sentence_parts.measured(example)[1][row, column], DIGITS)
    return rounded(worked[s if quantity == "score" else a][row, column], DIGITS)


def _context(vector: list[str], dimension: list[str], where: str) -> str:
    if not dimension:
        return f"[{', '.join(vector)}]"
    places = [str(place) for place in range(1, len(vector) + 1)]
    if dimension[0] not in places:
        remedy = f"write one from 1 to {len(vector)}"
        raise InputError(where, "context", f"there is no dimension {dimension[0]!r}", remedy)
    return vector[places.index(dimension[0])]
