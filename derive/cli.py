"""The ``derive`` command. Each command imports what it needs, so that all answer fast."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from derive.commands.assets import assets
from derive.commands.atlas import atlas
from derive.commands.attention_options import attention_options, composition
from derive.commands.completion import completion, either, sentences
from derive.commands.doctor import doctor
from derive.commands.explain import explain
from derive.commands.implementations import implementations
from derive.commands.measure import measure
from derive.commands.mechanisms import compare, gradient, properties, show_mechanism
from derive.commands.new import new
from derive.commands.page import page
from derive.commands.prove import prove
from derive.commands.recheck import recheck
from derive.commands.torch_side import torch_side
from derive.console import console
from derive.errors import MOST_CHARACTERS, InputError
from derive.visible import shortened, visible

if TYPE_CHECKING:
    from derive.composition import Composition
    from derive.evidence import Evidence
    from derive.examples import Example
    from derive.publish.telling import Telling

ANSWERED_IN_PART = 3
"""Exit status when the answer leaves out what was too long to write."""


class _OneLine(click.Group):
    """A group whose commands end in one line, not a traceback, when the input is wrong.

    What click itself says of wrong options keeps its form, but controls no terminal.
    """

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise _harmless(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _harmless(error) from None
        except InputError as error:
            click.echo(f"derive: {error}", err=True)
            ctx.exit(2)


def _harmless(error: click.UsageError) -> click.UsageError:
    return click.UsageError(visible(shortened(error.format_message(), MOST_CHARACTERS)), error.ctx)


@click.group(cls=_OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("attention-derived"), prog_name="derive")
def main() -> None:
    """Derive attention formulas, work them in numbers, and check them against torch.

    Example: derive show jim-john
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that has no letter for a sum sign shows its code instead of failing.
        sys.stdout.reconfigure(errors="backslashreplace")


@main.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the whole atlas as JSON.")
def list_(as_json: bool) -> None:
    """List the built-in sentences, the mechanisms of the two notes, and the atlas.

    \b
    Examples: derive list
              derive list --json > atlas.json
    """  # noqa: D301 - click reads the character that \b stands for
    from rich.table import Table

    from derive.attention import MECHANISMS
    from derive.examples import BUILT_IN, load
    from derive.publish.notation import Text
    from derive.publish.trimmed import Trimmed
    from derive.publish.writing import equation
    from derive.variants import ATLAS

    if as_json:
        from derive.proof_check import check_variant
        from derive.publish.atlas_data import atlas_as_json

        with console(stderr=True).status("deriving the atlas, and deciding every property"):
            text = atlas_as_json(check_variant)
        click.echo(text, nl=False)
        return
    screen = console()
    sentences = Table("sentence", "tokens", "dimensions", "text", box=None, pad_edge=False)
    for name in BUILT_IN:
        example = load(name)
        tokens, dimensions = example.shape
        sentences.add_row(name, str(tokens), str(dimensions), example.sentence)
    mechanisms = Table("of the notes", "formula", box=None, pad_edge=False)
    for key, mechanism in MECHANISMS.items():
        mechanisms.add_row(key, "\n".join(equation(stage, Text()) for stage in mechanism.stages))
    screen.print(Trimmed(sentences))
    screen.print()
    screen.print(Trimmed(mechanisms))
    screen.print()
    atlas = Table("of the atlas", "what it is", "family", "source", box=None, pad_edge=False)
    for key, variant in ATLAS.items():
        source = variant.sources[0]
        atlas.add_row(key, variant.title, variant.family, f"{source.authors} {source.year}")
    screen.print(Trimmed(atlas))


@main.command()
@click.argument("what", metavar="SENTENCE|MECHANISM", shell_complete=either)
@click.option(
    "--query", help="The token that asks, or its position from 1 (#2 if it looks like a token)."
)
@click.option(
    "--stage",
    type=click.Choice(["projection", "score", "normalise", "weighted-sum"]),
    help="Show this part alone.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "latex", "markdown", "json"]),
    default="text",
    show_default=True,
)
@attention_options
@click.option("--digits", type=click.IntRange(1, 30), default=4, show_default=True)
@click.option(
    "--language", help="Of Markdown and LaTeX: en, de, es, fr, zh, or a YAML file of words."
)
@click.option(
    "--general", is_flag=True, help="The general formulas and the numbers, nothing written out."
)
@click.option(
    "--substituted", is_flag=True, help="The context vector in the inputs alone, no piece named."
)
@click.option("--tokens", type=click.IntRange(1, 6), help="Of a mechanism: for how many tokens.")
@click.option("--dim", type=click.IntRange(1, 6), help="Of a mechanism: for how many dimensions.")
@click.pass_context
def show(
    context: click.Context,
    what: str,
    query: str | None,
    stage: str | None,
    format_: str,
    mechanism: str | None,
    scale: str | None,
    mask: str | None,
    projections: str | None,
    digits: int,
    language: str | None,
    general: bool,
    substituted: bool,
    tokens: int | None,
    dim: int | None,
) -> None:
    """Show a sentence worked step by step for one query, or a mechanism written out.

    SENTENCE is a built-in one (see 'derive list') or the path of a YAML file, MECHANISM a key of
    the atlas, which is written out for a few tokens.

    \b
    Examples: derive show journey --query starts
              derive show my-sentence.yaml --format latex
              derive show causal --tokens 3 --dim 2 --format latex
    """  # noqa: D301 - click reads the character that \b stands for
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if _is_mechanism(what):
        _refuse(given - {"what", "tokens", "dim", "format_"}, "is about a sentence", what)
        show_mechanism(what, tokens or 2, dim, format_)
        return
    _refuse(given & {"tokens", "dim"}, "is about a mechanism of the atlas", what)
    from derive.examples import load
    from derive.publish.notation import Latex, Text
    from derive.publish.telling import ROLES, is_written_out, tell
    from derive.publish.words import written_in

    if language is not None and (format_ not in ("markdown", "latex") or substituted):
        remedy = "add --format markdown, or leave it out"
        raise InputError(what, "--language", "it is about a page's words", remedy)
    loaded = load(what)
    position = loaded.query if query is None else loaded.position(query, key="--query")
    attention = composition(loaded, mechanism, scale, mask, projections)
    if stage == "projection" and attention.projections is None:
        remedy = "add --projections small, or projections: to the file"
        raise InputError(loaded.where, "--stage", "there are no projections here", remedy)
    if substituted:
        _show_substituted(loaded, attention, position, format_)
        return
    telling = tell(
        loaded,
        attention,
        query=position,
        roles=(stage,) if stage else ROLES,
        notation=Text() if format_ == "text" else Latex(),
        digits=digits,
        write_out=not general,
    )
    with written_in(language or "en", what):
        _print_telling(telling, format_)
    if not general and not is_written_out(loaded):
        from derive.publish.terminal import too_long

        click.echo(
            f"derive: {visible(what)}: tokens: {too_long(telling)}; the general formulas and the "
            "numbers are shown instead; add --general to ask for just these",
            err=True,
        )
        sys.exit(ANSWERED_IN_PART)


def _is_mechanism(name: str) -> bool:
    """Tell whether a name is a key of the atlas, which takes time to read."""
    from derive.examples import BUILT_IN
    from derive.files import exists

    if name in BUILT_IN or not name.replace("-", "").isalnum() or exists(name):
        return False
    from derive.variants import ATLAS

    return name in ATLAS


def _refuse(options: set[str], why: str, what: str) -> None:
    for name in sorted(options):
        option = f"--{name.removesuffix('_').replace('_', '-')}"
        raise InputError(what, "", f"{option} {why}", f"leave out {option}")


def _show_substituted(example: Example, attention: Composition, query: int, format_: str) -> None:
    from derive.publish import markdown
    from derive.publish.notation import Latex, Text
    from derive.publish.telling import is_written_out, substituted

    if not is_written_out(example):
        tokens, dimensions = example.shape
        raise InputError(
            example.where,
            "tokens",
            f"{tokens} tokens of {dimensions} dimensions are too many to substitute",
            "show it without --substituted",
        )
    lines = substituted(example, attention, query, Text() if format_ == "text" else Latex())
    if format_ == "text":
        _print_lines(lines)
    elif format_ == "json":
        click.echo(_json({"tokens": list(example.tokens), "substituted": lines}))
    elif format_ == "latex":
        click.echo(markdown.aligned(lines))
    else:
        click.echo("\n\n".join(markdown.displayed(line) for line in lines))


def _print_lines(lines: Iterable[str]) -> None:
    from rich.text import Text

    from derive.publish.trimmed import Trimmed

    screen = console()
    for line in lines:
        screen.print(Trimmed(Text(line)))


def _print_telling(telling: Telling, format_: str) -> None:
    if format_ == "text":
        from derive.publish import terminal

        terminal.show(telling, console())
    elif format_ == "json":
        from derive.publish.telling import as_data

        click.echo(_json(as_data(telling)))
    else:
        from derive.publish import markdown

        write = markdown.show_latex if format_ == "latex" else markdown.show_markdown
        click.echo(write(telling), nl=False)


@main.command()
@click.argument("examples", nargs=-1, shell_complete=sentences)
@click.option("--all", "all_", is_flag=True, help="Check both built-in sentences.")
@click.option("--json", "as_json", is_flag=True, help="Print the evidence as JSON.")
@click.option("--quiet", is_flag=True, help="Print the figures only if something is amiss.")
@click.option(
    "--evidence",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the evidence to this file too, for the site.",
)
def check(
    examples: tuple[str, ...], all_: bool, as_json: bool, quiet: bool, evidence: Path | None
) -> None:
    """Check the derived formulas against torch, stage by stage.

    Each EXAMPLE is a built-in sentence or the path of a YAML file. Beside the mechanisms of the
    notes, the attention that a file describes is checked: its scale, its mask, its normaliser and
    its projections. Exit status 0 only if every
    element lies within its rounding bound and every property is as stated.

    \b
    Examples: derive check jim-john
              derive check --all --json
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.examples import BUILT_IN, load
    from derive.files import refuse_replacing

    if not examples and not all_:
        raise click.UsageError("name a sentence, or say --all for both built-in ones")
    if evidence is not None:
        refuse_replacing(evidence, "--evidence")
    names = (*BUILT_IN, *(name for name in examples if name not in BUILT_IN)) if all_ else examples
    found = _checked(tuple(load(name) for name in dict.fromkeys(names)))
    if evidence is not None:
        try:
            found.write(evidence)
        except OSError as error:
            reason = error.strerror or "it cannot be written"
            raise InputError(str(evidence), "", reason, "give another path to --evidence") from None
    if as_json:
        click.echo(found.to_json(), nl=False)
    elif not (quiet and found.passed):
        from derive.publish import report

        report.show(found, console())
    if not found.passed:
        sys.exit(1)


def _checked(examples: tuple[Any, ...]) -> Evidence:
    """Run the checks with a progress line on the terminal's error stream."""
    with console(stderr=True).status("starting torch") as status:
        verification = torch_side("derive check", "numeric.verification")
        evidence: Evidence = verification.check_all(examples, progress=status.update)
        return evidence


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)


main.add_command(assets)
main.add_command(atlas)
main.add_command(compare)
main.add_command(completion)
main.add_command(doctor)
main.add_command(explain)
main.add_command(gradient)
main.add_command(implementations)
main.add_command(measure)
main.add_command(new)
main.add_command(page)
main.add_command(properties)
main.add_command(prove)
main.add_command(recheck)

if __name__ == "__main__":
    main()
