"""``derive measure``: how tight the rounding bound is, and what it catches that others miss."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/rounding.json"),
    show_default=True,
    help="Write the figures here, for the site.",
)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@click.option("--shrink", is_flag=True, help="Look for the simplest inputs that show each bug.")
def measure(output: Path, jobs: int, shrink: bool) -> None:
    """Run the catalogue of bugs and correct programs through the bound and through other rules.

    Exit status 0 only if every bug is caught and nothing correct is refuted.

    Example: derive measure --jobs 2
    """
    from derive.commands.torch_side import torch_side
    from derive.console import console
    from derive.files import refuse_replacing
    from derive.rounding_evidence import OURS

    refuse_replacing(output, "--output")
    measuring = torch_side("derive measure", "numeric.rounding.measuring")
    with console(stderr=True).status("starting torch") as status:
        found = measuring.measure(jobs=jobs, shrink=shrink, progress=status.update)
    found.write(output)
    for title, trials in (("wrong programs", found.wrong), ("correct programs", found.correct)):
        for rule in dict.fromkeys(name for trial in trials for name, _ in trial.verdicts):
            said = [dict(trial.verdicts).get(rule, "cannot") for trial in trials]
            judged = [word for word in said if word != "cannot"]
            if judged:
                good = sum(word in ("caught", "passed") for word in judged)
                click.echo(f"{title:<18} {rule:<28} {good} of {len(judged)} right")
    click.echo(f"{found.seconds:.0f} s; written to {output}")
    if not found.passed:
        wrong = [t for t in found.trials if dict(t.verdicts)[OURS] not in ("caught", "passed")]
        for trial in wrong:
            word = dict(trial.verdicts)[OURS]
            click.echo(f"derive: {trial.name} in {trial.dtype}: {word}", err=True)
        sys.exit(1)
