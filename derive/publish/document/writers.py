"""Write a document in whichever format is asked for."""

from __future__ import annotations

from derive.errors import InputError
from derive.publish.document.document import Document
from derive.publish.document.to_html import to_html
from derive.publish.document.to_latex import to_latex
from derive.publish.document.to_markdown import to_markdown
from derive.publish.document.to_notebook import to_notebook


def write(document: Document, format_: str, *, fragment: bool = False) -> str:
    """Return a document in a format; those that only a sentence has are an ``InputError``."""
    if format_ == "latex":
        return to_latex(document, fragment=fragment)
    if format_ == "html":
        return to_html(document)
    if format_ == "notebook":
        return to_notebook(document)
    if format_ == "markdown":
        return to_markdown(document)
    raise InputError(
        "derive page",
        "--format",
        f"the page of a program is not written as {format_}",
        "write markdown, latex, html or notebook; 'derive prove --json' has the report as JSON",
    )
