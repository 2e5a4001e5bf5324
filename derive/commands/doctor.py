"""``derive doctor``: what is installed, what is missing, and what mends it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass

import click

MISSING, FITS, UNFIT = "missing", "installed", "outside its range"


@dataclass(frozen=True)
class Finding:
    """One thing that the package needs for something: what was found, and what to do."""

    name: str
    needed_for: str
    found: str
    state: str
    remedy: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing, and what to do about it.

    Exit status 1 only if something that is installed does not fit; what is missing is needed for
    some commands alone, and each line says for which.

    Example: derive doctor
    """
    found = findings()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        _show(found)
    if any(finding.state == UNFIT for finding in found):
        sys.exit(1)


def findings() -> list[Finding]:
    """Look for every package of the extras, for KaTeX, and for LaTeX; nothing of it is imported."""
    import platform
    from importlib.metadata import requires
    from shutil import which

    from packaging.requirements import Requirement

    needed_for = {
        "": "everything",
        "torch": "torch programs, derive check",
        "mkdocs": "sites, pages as HTML",
    }
    found = [Finding("Python", "everything", platform.python_version(), FITS, "")]
    for text in requires("attention-derived") or ():
        requirement = Requirement(text)
        extra = _extra(requirement)
        if extra in needed_for:
            found.append(_package(requirement, extra, needed_for[extra]))
    found.append(_katex())
    latex = which("pdflatex")
    found.append(
        Finding(
            "pdflatex",
            "a PDF of a page as LaTeX",
            latex or "",
            FITS if latex else MISSING,
            "" if latex else "install TeX Live (Debian: texlive-latex-recommended)",
        )
    )
    return found


def _extra(requirement: object) -> str:
    """Return the extra that a requirement belongs to; empty where everybody needs it."""
    marker = getattr(requirement, "marker", None)
    if marker is None:
        return ""
    for extra in ("torch", "mkdocs", "test", "lint"):
        if marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            return extra
    return ""


def _package(requirement: object, extra: str, needed_for: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    name, allowed = str(getattr(requirement, "name", "")), getattr(requirement, "specifier", None)
    wanted = f"attention-derived[{extra}]" if extra else "attention-derived"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, needed_for, "", MISSING, f'pip install "{wanted}"')
    if allowed is not None and not allowed.contains(found, prereleases=True):
        return Finding(name, needed_for, found, UNFIT, f'pip install "{name}{allowed}"')
    return Finding(name, needed_for, found, FITS, "")


def _katex() -> Finding:
    from derive.publish.katex_package import KATEX_VERSION, KatexMissing, assets

    try:
        assets()
    except KatexMissing:
        remedy = "python -m derive.publish.katex"
        return Finding("KaTeX", "maths on pages", "", MISSING, remedy)
    return Finding("KaTeX", "maths on pages", KATEX_VERSION, FITS, "")


def _show(found: list[Finding]) -> None:
    from importlib.metadata import version

    from rich.table import Table

    from derive.console import console
    from derive.publish.trimmed import Trimmed

    screen = console()
    screen.print(f"attention-derived {version('attention-derived')}")
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in found:
        table.add_row(finding.name, finding.found or finding.state, finding.needed_for)
    screen.print(Trimmed(table))
    remedies = dict.fromkeys(finding.remedy for finding in found if finding.remedy)
    for remedy in remedies:
        names = ", ".join(finding.name for finding in found if finding.remedy == remedy)
        screen.print(Trimmed(f"\n{names}: {remedy}"))
    if not remedies:
        screen.print("\nNothing is missing.")
