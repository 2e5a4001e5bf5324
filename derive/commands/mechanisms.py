"""``derive gradient``, ``derive properties`` and ``derive compare``: the atlas in a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from derive.commands.completion import mechanisms
from derive.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as Line

    from derive.formula import Mechanism
    from derive.properties import Property
    from derive.publish.trimmed import Trimmed
    from derive.variants.variant import Variant

FORMATS = ("text", "latex", "markdown", "json")
format_option: Callable[[Any], Any] = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
)


def named(key: str, where: str) -> Variant:
    """Return a mechanism of the atlas; an unknown key is one line that names the nearest."""
    from difflib import get_close_matches

    from derive.variants import ATLAS
    from derive.visible import quoted

    if key in ATLAS:
        return ATLAS[key]
    near = get_close_matches(key, ATLAS, n=3, cutoff=0.4)
    remedy = f"did you mean {', '.join(near)}?" if near else "run 'derive list' for those there are"
    raise InputError(where, "", f"{quoted(key)} is no mechanism of the atlas", remedy)


def show_mechanism(key: str, tokens: int, dimensions: int | None, format_: str) -> None:
    """Show a mechanism: its formula, and every entry written out for a few tokens."""
    from derive.publish.entries import entries
    from derive.publish.markdown import aligned, displayed, markdown_text
    from derive.publish.notation import Latex, Text
    from derive.publish.writing import equation
    from derive.small_sizes import small_sizes

    variant = named(key, "derive show")
    mechanism = variant.mechanism
    if format_ == "json":
        from derive.publish.atlas_data import entries_as_data, formula_as_data

        data = entries_as_data(mechanism, tokens, dimensions)
        _print_json({**formula_as_data(variant), "written_out": data})
        return
    sizes = small_sizes(mechanism, tokens, dimensions)
    notation = Text() if format_ == "text" else Latex()
    written = entries(mechanism, sizes, notation)
    shown = {
        symbol
        for base in mechanism.inputs
        for s in mechanism.shapes[base]
        for symbol in s.free_symbols
    }
    where = ", ".join(f"{size} = {sizes[size]}" for size in sorted(shown, key=str) if size in sizes)
    if format_ == "text":
        _print_mechanism(variant, where, written)
        return
    groups = [
        [equation(stage), *(f"{row.name} = {row.value}" for row in rows)] for stage, rows in written
    ]
    if format_ == "latex":
        click.echo(f"% {variant.title}: {where}")
        for lines in groups:
            click.echo(aligned(lines))
        return
    click.echo(f"# {markdown_text(variant.title)}\n\n{markdown_text(variant.summary)}\n")
    click.echo("\n\n".join(displayed(line) for lines in groups for line in lines))


def _print_mechanism(variant: Variant, where: str, written: Any) -> None:
    from rich.text import Text as Line

    from derive.console import console
    from derive.publish.notation import Text
    from derive.publish.writing import equation

    screen = console()
    _print_heading(screen, variant)
    roles = {s.array: choice for choice in variant.mechanism.choices for s in choice.stages}
    last = None
    for stage, rows in written:
        choice = roles[stage.array]
        if choice is not last:
            screen.print()
            title = choice.role if choice.role == choice.title else f"{choice.role}: {choice.title}"
            screen.print(Line(title, style="bold"))
            last = choice
        screen.print(_indented(Line(equation(stage, Text())), 2))
        for row in rows:
            screen.print(_indented(Line(f"{row.name} = {row.value}", style="dim"), 6))
    screen.print()
    screen.print(Line(f"written out for {where}"))


def _print_heading(screen: Console, variant: Variant) -> None:
    from rich.text import Text as Line

    screen.print(Line(variant.title, style="bold"))
    screen.print(Line(variant.summary))
    for found in variant.sources:
        place = f", {found.place}" if found.place else ""
        screen.print(Line(f"{found.authors} {found.year}, {found.title}{place}; {found.address}"))


@click.command()
@click.argument("mechanism", shell_complete=mechanisms)
@format_option
def gradient(mechanism: str, format_: str) -> None:
    """Derive the gradients of a mechanism, from the result back to every input.

    MECHANISM is a key of the atlas (see 'derive list').

    Example: derive gradient causal --format latex
    """
    from derive.gradients import vector_jacobian_product
    from derive.publish.markdown import aligned, displayed
    from derive.publish.notation import Text
    from derive.publish.writing import equation

    variant = named(mechanism, "derive gradient")
    backward = vector_jacobian_product(variant.mechanism)
    stages = backward.stages
    if format_ == "latex":
        click.echo(aligned(equation(stage) for stage in stages))
    elif format_ == "markdown":
        click.echo("\n\n".join(displayed(equation(stage)) for stage in stages))
    elif format_ == "json":
        rows = [
            {"array": str(s.array), "latex": equation(s), "text": equation(s, Text())}
            for s in stages
        ]
        _print_json({"key": variant.key, "upstream": str(backward.upstream), "gradient": rows})
    else:
        _print_gradient(variant, backward.mechanism)


def _print_gradient(variant: Variant, backward: Mechanism) -> None:
    from rich.text import Text as Line

    from derive.console import console
    from derive.publish.notation import Text
    from derive.publish.writing import equation

    screen = console()
    screen.print(Line(f"{variant.title}: gradients", style="bold"))
    for choice in backward.choices[len(variant.mechanism.choices) :]:
        for stage in choice.stages:
            screen.print(_indented(Line(equation(stage, Text())), 2))
            screen.print(_indented(Line(choice.title, style="dim"), 6))


@click.command()
@click.argument("mechanism", shell_complete=mechanisms)
@click.option("--proofs", is_flag=True, help="Show every step of each proof.")
@click.option("--json", "as_json", is_flag=True, help="Print the properties as JSON.")
def properties(mechanism: str, proofs: bool, as_json: bool) -> None:
    """Decide the named properties of a mechanism: proved, or refuted by a counterexample.

    MECHANISM is a key of the atlas (see 'derive list').

    Example: derive properties softmax-plus-one --proofs
    """
    from derive.console import console
    from derive.variant_properties import variant_properties

    variant = named(mechanism, "derive properties")
    with console(stderr=True).status(f"deciding the properties of {variant.title}"):
        if as_json:
            from derive.proof_check import check_variant
            from derive.publish.atlas_data import property_as_data

            found = [property_as_data(row) for row in check_variant(variant)]
            _print_json({"key": variant.key, "properties": found})
            return
        decided = variant_properties(variant)
    from rich.text import Text as Line

    screen = console()
    screen.print(Line(variant.title, style="bold"))
    for row in decided:
        _print_property(screen, row, proofs=proofs)
    if any(row.verdict != row.stated for row in decided):
        _print_statements(screen, decided)


def _print_property(screen: Console, found: Property, *, proofs: bool) -> None:
    from rich.table import Table
    from rich.text import Text as Line

    from derive.publish.proof_text import condition_text, proof_lines
    from derive.publish.trimmed import Trimmed
    from derive.witness import Witness

    style = {"proved": "green", "refuted": "red"}.get(found.verdict, "yellow")
    conditions = " and ".join(map(condition_text, found.conditions))
    where = f" (where {conditions})" if conditions else ""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Line(f"  {found.verdict:<9}", style=style), Line(f"{found.claim.title}{where}"))
    if isinstance(found.evidence, Witness):
        grid.add_row("", Line(f"counterexample: {found.evidence}", style="dim"))
    elif proofs and found.evidence is not None:
        for text in proof_lines(found.evidence):
            grid.add_row("", Line(text, style="dim"))
    screen.print(Trimmed(grid))


def _print_statements(screen: Console, decided: Sequence[Property]) -> None:
    """Print the lines that state in a mechanism's own file what was decided of it."""
    from rich.text import Text as Line

    screen.print(Line("\nIts file does not state this. Once you have understood each, it may say:"))
    for field, verdict in (("holds", "proved"), ("fails", "refuted")):
        names = "".join(f'"{row.claim.name}", ' for row in decided if row.verdict == verdict)
        screen.print(Line(f"    {field}=({names.rstrip()}),"))


@click.command()
@click.argument("left", shell_complete=mechanisms)
@click.argument("right", shell_complete=mechanisms)
@click.option(
    "--sentence",
    help="Put the weights of this sentence's query side by side, too: jim-john, journey or a file.",
)
@click.option("--query", help="The token that asks, or its position from 1.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def compare(left: str, right: str, sentence: str | None, query: str | None, as_json: bool) -> None:
    """Put two mechanisms side by side, with what differs in their formulas marked.

    LEFT and RIGHT are keys of the atlas (see 'derive list').

    Example: derive compare causal alibi --sentence journey
    """
    from derive.publish import side_by_side

    both = named(left, "derive compare"), named(right, "derive compare")
    example = None
    position = 0
    if sentence is not None:
        from derive.examples import load

        example = load(sentence)
        position = example.query if query is None else example.position(query, key="--query")
    elif query is not None:
        raise click.UsageError("--query asks a sentence: say which with --sentence")
    if as_json:
        _print_json(side_by_side.as_data(*both, example, position))
    else:
        from derive.console import console

        side_by_side.show(*both, example, position, console())


def _indented(line: Line, by: int) -> Trimmed:
    from rich.padding import Padding

    from derive.publish.trimmed import Trimmed

    return Trimmed(Padding(line, (0, 0, 0, by)))


def _print_json(data: Any) -> None:
    click.echo(json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False))
