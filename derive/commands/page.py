"""``derive page``: a sentence's page as a file for any site, paper, notebook or slide."""

from __future__ import annotations

from pathlib import Path

import click

from derive.commands.attention_options import attention_options, composition
from derive.errors import InputError

FORMATS = ("markdown", "latex", "html", "notebook", "json", "svg")


@click.command()
@click.argument("sentence")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file to write; else it is printed."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="What to write, where the ending of the file's name does not say it.",
)
@click.option("--fragment", is_flag=True, help="LaTeX to be read into a document of your own.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.option("--query", help="The token that asks, or its position from 1.")
@attention_options
@click.option("--digits", type=click.IntRange(1, 12), default=4, show_default=True)
def page(
    sentence: str,
    output: Path | None,
    format_: str | None,
    fragment: bool,
    force: bool,
    query: str | None,
    mechanism: str | None,
    scale: str | None,
    mask: str | None,
    projections: str | None,
    digits: int,
) -> None:
    """Write the page of a sentence: Markdown, LaTeX, HTML, a notebook, JSON or its heatmap.

    SENTENCE is a built-in one or the path of a YAML file. The ending of the output's name says the
    format: .md, .tex, .html, .ipynb, .json or .svg. Nothing that exists is replaced unasked.

    \b
    Examples: derive page my-sentence.yaml -o page.md
              derive page my-sentence.yaml -o appendix.tex --fragment
              derive page journey --mask causal -o journey.html
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.examples import load
    from derive.files import write_new

    chosen = _format(output, format_)
    if fragment and chosen != "latex":
        raise InputError("derive page", "--fragment", "it is about LaTeX", "leave it out")
    example = load(sentence)
    position = example.query if query is None else example.position(query, key="--query")
    attention = composition(example, mechanism, scale, mask, projections)
    from derive.publish.katex_package import KatexError
    from derive.publish.sentence_page import SentencePage

    try:
        text = SentencePage(example, position, attention, digits).write(chosen, fragment=fragment)
    except KatexError as error:
        raise InputError("derive page", "", str(error), "or write another format") from None
    if output is None:
        click.echo(text, nl=False)
        return
    write_new(output, text, force=force)


def _format(output: Path | None, format_: str | None) -> str:
    """Return what is to be written: as it is said, or as the ending of the name says."""
    from derive.publish.sentence_page import ENDINGS

    if format_ is not None:
        return format_
    if output is None:
        return "markdown"
    if output.suffix.lower() not in ENDINGS:
        remedy = f"end it with one of {', '.join(ENDINGS)}, or say --format"
        raise InputError(str(output), "", "its ending names no format", remedy)
    return ENDINGS[output.suffix.lower()]
