"""``derive explain``: what a torch program computes, as a derivation that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from derive.commands.lengths import input_shapes, sizes
from derive.commands.torch_side import torch_side
from derive.errors import InputError

if TYPE_CHECKING:
    from derive.explaining import Entries


@click.command()
@click.argument("target")
@click.option("--shape", metavar="SIZES", callback=sizes, help="batch=1,heads=2,tokens=4,dim=4.")
@click.option(
    "--input",
    "inputs",
    metavar="NAME=SHAPE",
    callback=input_shapes,
    multiple=True,
    help="An input of the program and its shape, as query=1x2x4x4; once for each, in order.",
)
@click.option("--backward", is_flag=True, help="The gradients of all inputs too.")
@click.option("--fixed", multiple=True, help="An input that keeps its example values.")
@click.option("--entries", is_flag=True, help="Write out every element, at a tiny shape.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "latex"]),
    default="text",
    show_default=True,
)
def explain(
    target: str,
    shape: dict[str, int],
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    backward: bool,
    fixed: tuple[str, ...],
    entries: bool,
    format_: str,
) -> None:
    """Print what a torch program computes: named tensors, one line for each step.

    TARGET is MODULE:CALLABLE, or FILE.py:CALLABLE, as for 'derive prove'. Each line is checked: at
    a random point the formula that it shows has the values that the program has.

    \b
    Examples: derive explain mine.py:attention --shape batch=1,heads=2,tokens=3,dim=2
              derive explain mine.py:attention --shape tokens=2,dim=1 --entries
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.arrays import Unsupported
    from derive.explaining import TooLarge, to_latex, to_text
    from derive.explaining import entries as written_out
    from derive.explaining import explain as explained

    tasks: Any = torch_side("derive explain", "numeric.tasks")
    task = tasks.Task(
        target=target,
        sizes=tuple(shape.items()),
        inputs=inputs,
        backward=backward,
        fixed=fixed,
    )
    captured = tasks.captured(task)
    try:
        if entries:
            click.echo(_entries(written_out(captured.graph), format_))
            return
        found = explained(captured.graph, target)
    except (TooLarge, Unsupported) as error:
        raise InputError(target, "", str(error), "give a smaller --shape") from None
    click.echo(to_latex(found) if format_ == "latex" else to_text(found))


def _entries(found: Entries, format_: str) -> str:
    """Write every element as an equation; exponentials come first, as many share them."""
    from sympy import latex

    pairs = [*found.exponentials, *((entry.name, entry.value) for entry in found.entries)]
    if format_ == "text":
        return "\n".join(f"{name} = {value}" for name, value in pairs)
    rows = [
        f"  {latex(name)} &= {value if isinstance(value, str) else latex(value)}"
        for name, value in pairs
    ]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"
