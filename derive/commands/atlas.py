"""``derive atlas``: check every mechanism and every theorem of the atlas."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derive.errors import InputError

if TYPE_CHECKING:
    from derive.atlas_evidence import AtlasEvidence


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/atlas.json"),
    show_default=True,
    help="Keep what was found here, for the site and for the next run.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option("--again", is_flag=True, help="Check all again, also what has not changed.")
@click.option("--quiet", is_flag=True, help="Print the figures only if something is amiss.")
def atlas(output: Path, jobs: int, again: bool, quiet: bool) -> None:
    """Check every mechanism and every theorem of the atlas.

    Properties and theorems are decided and checked a second way, the torch code of each mechanism
    is proved forward and backward, and its numbers for both sentences are bounded. What has not
    changed since the last run is not checked again. Exit status 0 only if all is as stated.

    Example: derive atlas --jobs 2
    """
    from derive.commands.torch_side import torch_side
    from derive.console import console

    with console(stderr=True).status("reading the atlas") as status:
        earlier = None if again else _earlier(output)
        if earlier is not None and _is_current(earlier):
            found = earlier
        else:
            checking = torch_side("derive atlas", "numeric.atlas")
            found = checking.check_atlas(earlier, jobs=jobs, progress=status.update)
            found.write(output)
    if not (quiet and found.passed):
        _print(found)
    if not found.passed:
        sys.exit(1)


def _earlier(output: Path) -> AtlasEvidence | None:
    """Return what an earlier run kept; a file of another program is left alone."""
    from derive.atlas_evidence import AtlasEvidence
    from derive.evidence import EvidenceError

    if not output.exists():
        return None
    try:
        return AtlasEvidence.read(output)
    except EvidenceError as error:
        raise InputError(
            str(output), "", str(error), "give another --output, or remove the file"
        ) from None


def _is_current(found: AtlasEvidence) -> bool:
    from derive.evidence import EvidenceError

    try:
        found.check_current()
    except EvidenceError:
        return False
    return found.passed


def _print(found: AtlasEvidence) -> None:
    decided = [row for checks in found.mechanisms for row in checks.properties]
    words = {word: sum(row.verdict == word for row in decided) for word in ("proved", "refuted")}
    click.echo(f"{len(found.mechanisms)} mechanisms, {len(found.theorems)} theorems")
    click.echo(f"{words['proved']} properties proved, {words['refuted']} refuted")
    for checks in found.mechanisms:
        for row in checks.properties:
            if row.verdict != row.stated:
                click.echo(
                    f"derive: {checks.key}: {row.name} is {row.verdict}, stated {row.stated}",
                    err=True,
                )
        if not checks.code.passed:
            said = f"{checks.code.verdict} {checks.code.reason}".strip()
            click.echo(f"derive: {checks.key}: its torch code is {said}", err=True)
        for numbers in checks.numbers:
            if numbers.verdict != "within bound":
                said = f"{numbers.verdict} {numbers.reason}".strip()
                click.echo(f"derive: {checks.key}: {numbers.example}: {said}", err=True)
    for theorem in found.theorems:
        for program in theorem.programs:
            if not program.passed:
                click.echo(
                    f"derive: {theorem.name}: {program.program}: {program.verdict}", err=True
                )
    click.echo(f"{found.seconds:.0f} s on {found.date}")
