"""The transcripts on "Found in the wild" are what the commands print, up to where they are cut."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from derive.cli import main

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "in-the-wild.md").read_text(encoding="utf-8")
TRANSCRIPTS = [
    transcript.replace("\\\n    ", "")
    for transcript in re.findall(
        r"^```console\n(\$ derive .*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
]
CUT = "..."
COMPILED = "permuted.py"
COMPILERS = ("c++", "g++", "clang++")
FIGURES = re.compile(r"(largest error|an error of) .*")
"""Which element errs most, and by how much, differs between processors."""


def parts(lines: list[str]) -> list[list[str]]:
    """Split what is shown where it is cut, without empty lines at the ends."""
    found = "\n".join(FIGURES.sub(r"\1", line) for line in lines).split(f"\n{CUT}")
    return [part.strip("\n").splitlines() for part in found]


def check(shown: list[str], printed: list[str]) -> None:
    """Hold a transcript against what is printed: it begins there, and goes on in its order."""
    assert shown[-1] == CUT, "versions and times are cut"
    (now,) = parts(printed)
    at = 0
    for number, part in enumerate(parts(shown)):
        starts = [start for start in range(at, len(now)) if now[start : start + len(part)] == part]
        assert starts, "\n".join(["this is not printed:", *part])
        assert number or starts[0] == 0
        at = starts[0] + len(part)


@pytest.mark.slow
@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda text: text.splitlines()[0])
def test_a_transcript_is_what_the_command_prints(
    transcript: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, *shown = transcript.splitlines()
    if COMPILED in command and not any(map(shutil.which, COMPILERS)):
        pytest.skip("no C++ compiler: torch.compile needs one")
    monkeypatch.chdir(PROJECT / "docs" / "programs")
    arguments = shlex.split(command.removeprefix("$ derive "))
    check(shown, CliRunner().invoke(main, arguments).stdout.splitlines())


def test_there_are_transcripts_of_what_is_refuted_and_of_what_is_within_its_bound() -> None:
    assert any(COMPILED in transcript for transcript in TRANSCRIPTS)
    said = re.findall(r"^(refuted|within bound) in \w+:", "\n".join(TRANSCRIPTS), re.MULTILINE)
    assert said.count("refuted") >= 3
    assert said.count("within bound") >= 3


@pytest.mark.parametrize(
    "shown",
    [
        ["two", CUT],
        ["one", "three", CUT],
        ["one", CUT, "four", CUT],
        ["one", CUT, "three", CUT, "two", CUT],
        ["one", "two", "three"],
    ],
)
def test_a_wrong_transcript_is_noticed(shown: list[str]) -> None:
    with pytest.raises(AssertionError):
        check(shown, ["one", "two", "three"])


def test_a_cut_transcript_is_accepted() -> None:
    check(["one", CUT, "three", CUT], ["one", "two", "three", "four"])
    check(["largest error 3 %", CUT], ["largest error 4 %", "two"])
