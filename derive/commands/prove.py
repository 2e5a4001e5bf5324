"""``derive prove``: does a torch program compute a formula, or what another program computes?"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from derive.commands.lengths import input_shapes, sizes
from derive.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from derive.verdict import Report

REFUTED, UNDECIDED = 1, 3
"""Exit statuses; 0 is for proved and identity-tested alone, 2 for wrong input."""

FORMULA_OPTIONS = {
    "causal": "--causal",
    "window": "--window",
    "scale": "--scale",
    "soft_cap": "--soft-cap",
    "mask": "--mask",
    "bias": "--bias",
    "grouped": "--grouped",
    "empty_rows": "--empty-rows",
}


LONGEST_NUMBER = 60
"""Characters of the longest number; and of one with an exponent, the exponent has its bounds."""


def _number(ctx: Any, param: Any, value: str | None) -> Fraction | None:
    if value is None:
        return None
    from derive.decimals import read_decimal

    try:
        if len(value) > LONGEST_NUMBER or "e" in value.lower():
            return read_decimal(value, str(param.opts[0]), "")
        return Fraction(value)
    except (InputError, ValueError, ZeroDivisionError):
        raise InputError(
            str(param.opts[0]), value, "it is no exact number", "write 1/8, 0.125 or 50"
        ) from None


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--formula", help="The formula to compare with: scaled-dot-product, softmax ...")
@click.option("--against", help="Another program to compare with, as MODULE:CALLABLE.")
@click.option("--shape", metavar="SIZES", callback=sizes, help="batch=1,heads=2,tokens=4,dim=4.")
@click.option(
    "--input",
    "inputs",
    metavar="NAME=SHAPE",
    callback=input_shapes,
    multiple=True,
    help="An input of the program and its shape, as query=1x2x4x4; once for each, in order.",
)
@click.option("--backward", is_flag=True, help="Compare the gradients of all inputs too.")
@click.option(
    "--causal",
    is_flag=False,
    flag_value="top-left",
    type=click.Choice(["top-left", "bottom-right"]),
    help="Query i sees the keys up to i (top-left, the default of the flag).",
)
@click.option("--window", type=click.IntRange(1), help="Query i sees the last so many keys.")
@click.option("--scale", callback=_number, help="Factor of the scores; 1/sqrt(dim) without it.")
@click.option("--soft-cap", callback=_number, help="c: scores become c tanh(s/c).")
@click.option("--mask", is_flag=True, help="A boolean mask is the next input; True keeps a key.")
@click.option("--bias", is_flag=True, help="Numbers added to the scores are the next input.")
@click.option(
    "--grouped",
    is_flag=False,
    flag_value="consecutive",
    type=click.Choice(["consecutive", "interleaved"]),
    help="Query heads share the heads of keys and values (kv_heads in --shape).",
)
@click.option(
    "--empty-rows",
    type=click.Choice(["undefined", "zero", "uniform"]),
    help="What a query that may see no key gets.",
)
@click.option("--fixed", multiple=True, help="An input that keeps its example values.")
@click.option("--one-shape", is_flag=True, help="Try no other numbers of tokens.")
@click.option("--boundary", type=int, multiple=True, help="Try tokens around it: a block size.")
@click.option("--seed", type=int, default=0, show_default=True, help="Where random points start.")
@click.option(
    "--dtype",
    "dtypes",
    multiple=True,
    type=click.Choice(["float64", "float32", "bfloat16", "float16"]),
    help="Bound the rounding in this type too; may be given several times.",
)
@click.option("--contract", help="The precisions of --dtype, by name; watched without it.")
@click.option(
    "--hidden",
    type=click.Choice(["finite", "anything"]),
    default="finite",
    show_default=True,
    help="What keys and values that no query sees may hold: with 'anything' NaN, too.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the certificate of an exact proof here; 'derive recheck' replays it.",
)
@click.option("--force", is_flag=True, help="Replace the file of --certificate.")
@click.option("--json", "as_json", is_flag=True, help="Print reports as JSON, one on each line.")
def prove(
    targets: tuple[str, ...],
    formula: str | None,
    against: str | None,
    shape: dict[str, int],
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    backward: bool,
    fixed: tuple[str, ...],
    one_shape: bool,
    boundary: tuple[int, ...],
    seed: int,
    dtypes: tuple[str, ...],
    contract: str | None,
    hidden: str,
    jobs: int,
    certificate: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Prove that a torch program computes a formula, or show where it does not.

    TARGET is MODULE:CALLABLE, or FILE.py:CALLABLE: a function of tensors, or a function without
    arguments that returns a module or function and its example inputs. Exit status 0 only if all
    are proved or identity-tested, 1 if one is refuted, 3 if one is undecided. With --dtype the
    program is also run in that type, and each element compared with a certified rounding bound.

    \b
    Examples: derive prove mine.py:attention --formula scaled-dot-product --causal
                  --shape batch=1,heads=2,tokens=4,dim=4 --backward
              derive prove mine.py:fast --against mine.py:slow --shape tokens=4,dim=4
    """  # noqa: D301 - click reads the character that \b stands for
    if (formula is None) == (against is None):
        raise click.UsageError("say what to compare with: --formula NAME or --against MODULE:NAME")
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    if against is not None and given:
        wrong = FORMULA_OPTIONS[next(iter(given))]
        raise click.UsageError(f"{wrong} belongs to --formula")
    if not dtypes and (contract is not None or hidden != "finite"):
        raise click.UsageError("--contract and --hidden are about rounding: add --dtype")
    if certificate is not None:
        _refuse_overwriting(certificate, force, targets)
    tasks = _tasks(
        targets,
        formula=formula,
        options=tuple(given.items()),
        against=against,
        sizes=tuple(shape.items()),
        inputs=inputs,
        backward=backward,
        fixed=fixed,
        other_shapes=not one_shape,
        boundaries=boundary,
        seed=seed,
        dtypes=dtypes,
        contract=contract,
        hidden_anything=hidden == "anything",
    )
    worst = 0
    for target, report, problem in _reports(tasks, jobs):
        if report is None:
            click.echo(f"derive: {problem}", err=True)
            worst = max(worst, 2)
            continue
        if as_json:
            click.echo(report.to_json(indent=None))
        else:
            if len(targets) > 1:
                click.echo(f"== {target}")
            click.echo(str(report))
        if certificate is not None:
            _write_certificate(certificate, report)
        worst = max(worst, _status(report))
    sys.exit(worst)


def _status(report: Report) -> int:
    from derive.rounding_claim import RoundingVerdict
    from derive.verdict import Verdict

    if report.passed:
        return 0
    refuted = report.verdict is Verdict.REFUTED or any(
        claim.verdict is RoundingVerdict.REFUTED for claim in report.rounding
    )
    return REFUTED if refuted else UNDECIDED


def _tasks(targets: Iterable[str], **parts: Any) -> list[Any]:
    from derive.commands.torch_side import torch_side

    task = torch_side("derive prove", "numeric.tasks").Task
    return [task(target=target, **parts) for target in targets]


def _reports(tasks: list[Any], jobs: int) -> Iterable[tuple[str, Report | None, str]]:
    """Yield each target with its report, or with what was wrong, showing progress meanwhile."""
    from derive.commands.torch_side import torch_side
    from derive.console import console

    run = torch_side("derive prove", "numeric.tasks")
    with console(stderr=True).status("starting torch") as status:
        yield from run.reports(tasks, jobs=jobs, progress=status.update)


def _refuse_overwriting(path: Path, force: bool, targets: tuple[str, ...]) -> None:
    if len(targets) > 1:
        raise click.UsageError("--certificate takes one target at a time")
    if path.exists() and not force:
        raise InputError(
            str(path), "", "it exists", "give another path to --certificate, or add --force"
        )


def _write_certificate(path: Path, report: Report) -> None:
    if not report.certificate:
        click.echo(f"derive: {path}: not written, nothing was proved exactly", err=True)
        return
    from derive.files import write_aside

    write_aside(path, report.certificate)
    click.echo(f"certificate written to {path}", err=True)
