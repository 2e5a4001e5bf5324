"""A sentence's page in every format that ``derive page`` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from derive.composition import Composition
from derive.errors import InputError
from derive.examples import Example
from derive.publish.block import Block, Request
from derive.publish.document.of_sentence import sentence_document
from derive.publish.document.to_html import asset, standalone
from derive.publish.document.to_latex import to_latex
from derive.publish.document.to_markdown import to_markdown
from derive.publish.document.to_notebook import sentence_code, to_notebook
from derive.publish.heatmap_svg import heatmap_svg
from derive.publish.notation import Latex
from derive.publish.script.executing import page_script, works_in_floats
from derive.publish.telling import as_data, is_written_out, tell
from derive.settings import Settings

Format = Literal["markdown", "latex", "html", "notebook", "json", "svg"]

ENDINGS: dict[str, Format] = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".tex": "latex",
    ".html": "html",
    ".htm": "html",
    ".ipynb": "notebook",
    ".json": "json",
    ".svg": "svg",
}
"""The format that each ending of a file's name asks for."""


@dataclass(frozen=True)
class SentencePage:
    """What a page is made from: a sentence, the query (from 0), the attention, and digits."""

    example: Example
    query: int
    attention: Composition
    digits: int = 4

    def write(self, format_: Format, *, fragment: bool = False) -> str:
        """Return the page in one format; ``fragment`` leaves out what makes a whole document."""
        if format_ == "html":
            return self._html(fragment=fragment)
        telling = tell(
            self.example, self.attention, query=self.query, notation=Latex(), digits=self.digits
        )
        if format_ == "json":
            data = as_data(telling)
            return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        if format_ == "svg":
            return heatmap_svg(telling)
        document = sentence_document(telling)
        if format_ == "latex":
            return to_latex(document, fragment=fragment)
        if format_ == "notebook":
            return to_notebook(document, sentence_code(telling))
        return to_markdown(document)

    def _html(self, *, fragment: bool) -> str:
        """Return the parts of a fence, which answer when touched."""
        if fragment:
            raise InputError(
                self.example.where,
                "--fragment",
                "a piece of HTML without its styles shows nothing right",
                "leave it out, or write the fence into your site",
            )
        from derive.publish.fence import PARTS

        parts = ["vectors", "numbers", "heatmap"]
        if self.attention.projections is not None:
            parts.insert(1, "matrices")
        if is_written_out(self.example) and works_in_floats(self.example, self.attention):
            parts.append("step-through")
        block = Block(digits=self.digits)
        request = Request(block, self.example, self.query, self._settings())
        body = Markup("\n").join(PARTS[name](request) for name in parts)
        return standalone(self.example.title, body, (asset("attention.js"), page_script()))

    def _settings(self) -> Settings:
        chosen = self.attention.projections
        return Settings(
            self.attention.normaliser,
            self.attention.scale or "none",
            self.attention.causal,
            "none" if chosen is None else (chosen.query, chosen.key, chosen.value),
        )
