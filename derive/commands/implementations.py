"""``derive implementations``: which modules of other packages compute the atlas's formulas."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from derive.errors import InputError

if TYPE_CHECKING:
    from derive.implementations import Implementations, Joined, Row


@click.command()
@click.option("--mechanism", "mechanisms", metavar="KEY", multiple=True, help="Only this one.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the record here, in place of the one that ships with the package.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
def implementations(mechanisms: tuple[str, ...], output: Path | None, jobs: int) -> None:
    """Compare functions of installed packages with the formulas of the atlas; write the record.

    Rows of packages that are not installed, and of mechanisms that are not named, are kept where
    their formula is the same. Exit status 0 only if every verdict is as stated: a pass, or no pass
    with a remark that says why.

    \b
    Examples: derive implementations
              derive implementations --mechanism causal --mechanism alibi
    """  # noqa: D301 - click reads the character that \b stands for
    from derive.commands.torch_side import torch_side
    from derive.console import console
    from derive.implementations import COMMAND, PATH, joined

    path = output or PATH
    chosen = _known(mechanisms)
    with console(stderr=True).status("starting torch") as status:
        proving = torch_side(COMMAND, "numeric.implementations.proving")
        listed = proving.IMPLEMENTATIONS
        wanted = [place for place, one in enumerate(listed) if one.mechanism in chosen]
        packages = dict.fromkeys(listed[place].package for place in wanted)
        absent = {package for package in packages if not proving.installed(package)}
        for package in absent:
            click.echo(f"{package} is not installed: left out", err=True)
        tried = [place for place in wanted if listed[place].package not in absent]
        found = proving.rows(tried, jobs=jobs, progress=status.update)
        versions = proving.versions()
    together = joined(
        _old(path),
        found,
        (one.key for one in listed),
        {listed[place].key for place in tried},
    )
    record = _record(together, mechanisms, versions)
    record.write(path)
    _tell(found, together)
    click.echo(f"written to {path}")
    if not all(row.as_stated for row in found):
        sys.exit(1)


def _known(mechanisms: tuple[str, ...]) -> set[str]:
    from derive.variants import ATLAS

    for key in mechanisms:
        if key not in ATLAS:
            raise InputError(
                "--mechanism", key, "there is no such mechanism", f"write one of {', '.join(ATLAS)}"
            )
    return set(mechanisms or ATLAS)


def _old(path: Path) -> tuple[Row, ...]:
    """Return the rows of an earlier run, if there was one that can be read."""
    from derive.evidence import EvidenceError
    from derive.implementations import Implementations

    if not path.exists():
        return ()
    try:
        return Implementations.read(path).rows
    except EvidenceError as error:
        raise InputError(str(path), "", str(error), "remove it, or name another --output") from None


def _record(together: Joined, mechanisms: tuple[str, ...], versions: Any) -> Implementations:
    from datetime import UTC, datetime

    from derive.implementations import COMMAND, Implementations

    return Implementations(
        rows=together.rows,
        command=" ".join([COMMAND, *(f"--mechanism {key}" for key in mechanisms)]),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions,
    )


def _tell(found: tuple[Row, ...], together: Joined) -> None:
    for row in found:
        said = f": {row.remark or row.reason}" if row.remark or row.reason else ""
        click.echo(f"{row.verdict:<16} {row}{said}")
        if not row.as_stated:
            expected = "a pass, where it was said to differ" if row.remark else "no pass"
            click.echo(f"derive: {row}: {expected}", err=True)
    for package in dict.fromkeys(row.package for row in together.kept):
        count = sum(row.package == package for row in together.kept)
        click.echo(f"{package}: rows kept as they were: {count}", err=True)
    for row in together.dropped:
        click.echo(f"dropped, as its formula or its call is another now: {row}", err=True)
