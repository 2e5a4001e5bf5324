"""Follow a page as its reader does: write the files that stand on it, run its commands, compare.

A fence with a title is a file (``{.python title="kernel.py"}``). A ``console`` fence holds commands
after ``$`` and what they print, where ``...`` stands for anything: for lines where it is a line,
for words where it is in one.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?P<ticks>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=ticks)$", re.DOTALL | re.MULTILINE
)
TITLE = re.compile(r'title="(?P<name>[^"]+)"')
SECONDS = 300


@dataclass(frozen=True)
class Written:
    """A file that the page says to write."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that the page says to run, and what it says that the command prints."""

    line: str
    printed: str


def steps(page: str) -> Iterator[Written | Command]:
    """Read what a page says to do, in order."""
    for fence in FENCE.finditer(page):
        title = TITLE.search(fence["info"])
        if title:
            yield Written(title["name"], fence["body"])
        elif fence["info"].strip() == "console":
            yield from _commands(fence["body"])


def follow(page: str, folder: Path) -> list[Command]:
    """Do all that a page says in ``folder``; a difference is an ``AssertionError``.

    ``pip install`` is not run, as what it installs is being tested: its extras must be there.
    """
    done = []
    for step in steps(page):
        if isinstance(step, Written):
            path = folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            continue
        if step.line.startswith("pip install"):
            _check_extras(step.line)
            continue
        found = _run(step.line, folder)
        assert agrees(step.printed, found), (
            f"$ {step.line}\nthe page says\n{step.printed}\nit prints\n{found}"
        )
        done.append(step)
    return done


def agrees(said: str, found: str) -> bool:
    """Tell whether a command printed what a page says of it."""
    parts = []
    for line in said.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.rstrip().split("..."))) + r"[ ]*\n")
    ended = found if found.endswith("\n") or not found else f"{found}\n"
    return re.fullmatch("".join(parts), ended) is not None


def _commands(transcript: str) -> Iterator[Command]:
    joined = transcript.replace("\\\n    ", "")
    for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]:
        line, _, printed = part.partition("\n")
        yield Command(line, printed)


def _check_extras(line: str) -> None:
    known = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for argument in shlex.split(line)[2:]:
        name, _, extras = argument.rstrip("]").partition("[")
        if name == known["name"]:
            assert set(filter(None, extras.split(","))) <= known["optional-dependencies"].keys()


def _run(line: str, folder: Path) -> str:
    programs = Path(sys.executable).parent
    result = subprocess.run(
        ["/bin/bash", "-c", line],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "NO_MKDOCS_2_WARNING": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
        text=True,
    )
    return result.stdout
