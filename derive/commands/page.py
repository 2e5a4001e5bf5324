"""``derive page``: a sentence's page as a file for any site, paper, notebook or slide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from click.core import ParameterSource

from derive.commands.attention_options import attention_options, composition
from derive.commands.completion import sentences
from derive.commands.lengths import input_shapes, sizes
from derive.errors import InputError

if TYPE_CHECKING:
    from derive.composition import Composition
    from derive.examples import Example
    from derive.publish.sentence_page import Format

FORMATS = ("markdown", "latex", "html", "notebook", "json", "svg")


@click.command()
@click.argument("target", metavar="SENTENCE|MODULE:CALLABLE", shell_complete=sentences)
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
@click.option(
    "--language", help="Of the page's words: en, de, es, fr, zh, or a YAML file of words."
)
@click.option(
    "--shape", metavar="SIZES", callback=sizes, help="Of a program: batch=1,heads=2,tokens=4,dim=4."
)
@click.option(
    "--input",
    "inputs",
    metavar="NAME=SHAPE",
    callback=input_shapes,
    multiple=True,
    help="Of a program: an input and its shape, once for each, in order.",
)
@click.option("--formula", help="Of a program: prove that it computes this formula.")
@click.option("--causal", is_flag=True, help="Of a program: the formula is causal.")
@click.option("--backward", is_flag=True, help="Of a program: its gradients, too.")
@click.pass_context
def page(
    context: click.Context,
    target: str,
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
    language: str | None,
    shape: dict[str, int],
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    formula: str | None,
    causal: bool,
    backward: bool,
) -> None:
    """Write the page of a sentence, or of a torch program, as a file for any site or paper.

    SENTENCE is a built-in one or the path of a YAML file, MODULE:CALLABLE or FILE.py:CALLABLE a
    program as for 'derive prove'. The ending of the output's name says the
    format: .md, .tex, .html, .ipynb, .json or .svg. Nothing that exists is replaced unasked.

    \b
    Examples: derive page my-sentence.yaml -o page.md
              derive page my-sentence.yaml -o appendix.tex --fragment
              derive page journey --mask causal -o journey.html
              derive page mine.py:attention --shape tokens=3,dim=2 -o mine.md
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.examples import load
    from derive.files import exists, write_new
    from derive.publish.words import written_in

    chosen = _format(output, format_)
    if fragment and chosen != "latex":
        raise InputError("derive page", "--fragment", "it is about LaTeX", "leave it out")
    of_program = _is_program(target)
    _refuse_others(context, target, of_program=of_program)
    if of_program:
        task = {
            "target": target,
            "sizes": tuple(shape.items()),
            "inputs": inputs,
            "formula": formula,
            "options": (("causal", "top-left"),) if causal else (),
            "backward": backward,
        }
        text = _of_program(task, chosen, fragment=fragment, digits=digits)
    else:
        if language is not None and chosen == "json":
            raise InputError(target, "--language", "JSON has no words", "leave it out")
        example = load(target)
        position = example.query if query is None else example.position(query, key="--query")
        attention = composition(example, mechanism, scale, mask, projections)
        with written_in(language or "en", target):
            text = _of_sentence(example, position, attention, digits, chosen, fragment=fragment)
    if output is None:
        click.echo(text, nl=False)
        return
    source = target.rpartition(":")[0] if of_program else target
    if exists(source) and exists(output) and output.samefile(source):
        raise InputError(str(output), "", "it is what the page is made from", "give another name")
    write_new(output, text, force=force)


OF_A_PROGRAM = {"shape", "inputs", "formula", "causal", "backward"}
OF_A_SENTENCE = {"query", "mechanism", "scale", "mask", "projections", "language"}


def _is_program(target: str) -> bool:
    """Tell whether a target names a callable of a module, and no file."""
    from derive.files import exists

    place, colon, name = target.rpartition(":")
    return bool(colon and place) and name.replace(".", "").isidentifier() and not exists(target)


def _refuse_others(context: click.Context, target: str, *, of_program: bool) -> None:
    """Refuse options that say nothing about what was named."""
    for name in sorted(OF_A_SENTENCE if of_program else OF_A_PROGRAM):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "--input" if name == "inputs" else f"--{name}"
            what = "a sentence" if of_program else "a program"
            raise InputError(target, "", f"{option} is about {what}", f"leave out {option}")


def _of_sentence(
    example: Example,
    query: int,
    attention: Composition,
    digits: int,
    format_: Format,
    *,
    fragment: bool,
) -> str:
    from derive.publish.katex_package import KatexError
    from derive.publish.sentence_page import SentencePage

    try:
        return SentencePage(example, query, attention, digits).write(format_, fragment=fragment)
    except ModuleNotFoundError as error:
        remedy = "pip install 'attention-derived[mkdocs]', or write another format"
        raise InputError("derive page", "", f"{error.name} is not installed", remedy) from None
    except KatexError as error:
        raise InputError("derive page", "", str(error), "or write another format") from None


def _of_program(task: dict[str, Any], format_: str, *, fragment: bool, digits: int) -> str:
    from derive.arrays import Unsupported
    from derive.commands.torch_side import torch_side
    from derive.console import console
    from derive.explaining import TooLarge
    from derive.publish.document.writers import write
    from derive.publish.katex_package import KatexError
    from derive.publish.module_page import module_document

    with console(stderr=True).status("starting torch") as status:
        accounts = torch_side("derive page", "numeric.module_account")
        task_of = torch_side("derive page", "numeric.tasks").Task
        try:
            account = accounts.account(task_of(**task), status.update)
        except (TooLarge, Unsupported) as error:
            raise InputError(task["target"], "", str(error), "give a smaller --shape") from None
    try:
        return write(module_document(account, digits), format_, fragment=fragment)
    except KatexError as error:
        raise InputError("derive page", "", str(error), "or write another format") from None


def _format(output: Path | None, format_: str | None) -> Format:
    """Return what is to be written: as it is said, or as the ending of the name says."""
    from derive.publish.sentence_page import ENDINGS

    if format_ is not None:
        return cast("Format", format_)
    if output is None:
        return "markdown"
    if output.suffix.lower() not in ENDINGS:
        remedy = f"end it with one of {', '.join(ENDINGS)}, or say --format"
        raise InputError(str(output), "", "its ending names no format", remedy)
    return ENDINGS[output.suffix.lower()]
