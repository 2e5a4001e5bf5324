"""``derive recheck``: replay the certificate of an exact proof, without the prover."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derive.errors import InputError

if TYPE_CHECKING:
    from derive.rechecking import Recheck

REFUSED = 1
LOWERING = "that the instructions are what the two programs compute, element by element"
LARGEST = 256 * 2**20
"""Bytes of a certificate that are read at most."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--quiet", is_flag=True, help="Print nothing if it is accepted.")
def recheck(file: Path, quiet: bool) -> None:
    """Replay a certificate that 'derive prove --certificate' wrote.

    The checker searches for nothing and shares no code with the prover. Exit status 0 only if
    every step holds, 1 if the certificate is refused.

    Example: derive recheck certificate.json
    """
    from derive.files import read_bytes
    from derive.rechecking import Refused
    from derive.rechecking import recheck as replay
    from derive.visible import visible

    try:
        raw = read_bytes(file, LARGEST)
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise InputError(str(file), "", reason, "give a certificate") from None
    if len(raw) > LARGEST:
        raise InputError(str(file), "", "it is larger than any certificate", "give another file")
    try:
        found = replay(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError(str(file), "", "it is not UTF-8 text", "give a certificate") from None
    except Refused as refused:
        click.echo(f"refused: {visible(str(refused))}", err=True)
        sys.exit(REFUSED)
    if not quiet:
        click.echo("\n".join(_lines(found)))


def _lines(found: Recheck) -> list[str]:
    first, last = found.labels[0], found.labels[-1]
    lines = [
        f"accepted: {found.statement}",
        "",
        f"  pairs         {first} to {last}",
        f"  instructions  {found.instructions}",
        f"  definitions   {found.definitions}, each fixed by what stands before it",
    ]
    for title, sentences in (
        ("side conditions", found.assumptions),
        ("conditions that hold for all inputs", found.always),
        ("functions of which only congruence is used", found.opaque),
        ("taken on trust", (LOWERING,)),
    ):
        if sentences:
            lines += ["", title, *(f"  - {sentence}" for sentence in sentences)]
    return lines
