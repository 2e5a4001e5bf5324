"""The README's transcripts are what the commands print, and its paths and targets exist."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from derive.cli import main

PROJECT = Path(__file__).resolve().parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
TRANSCRIPTS = re.findall(r"^```console\n(\$ derive .*?)^```", README, re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d+(\.\d+)?")


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda text: text.splitlines()[0])
def test_a_transcript_is_what_the_command_prints(transcript: str) -> None:
    command, *expected = transcript.splitlines()
    arguments = shlex.split(command.removeprefix("$ derive "))
    if "my-sentence.yaml" in arguments:
        assert expected in ([], ["$ derive check my-sentence.yaml"])
        return
    printed = CliRunner().invoke(main, arguments, env={"COLUMNS": "80"}).stdout.splitlines()
    remaining = iter(printed)
    for line in expected:
        if line != "...":
            assert any(_alike(line, found, arguments) for found in remaining), line


def _alike(line: str, found: str, arguments: list[str]) -> bool:
    """Tell whether two lines are the same; the figures of a check differ between processors."""
    if arguments[0] != "check":
        return line == found
    return NUMBER.sub("#", line).split() == NUMBER.sub("#", found).split()


def test_a_wrong_transcript_is_noticed() -> None:
    with pytest.raises(AssertionError):
        test_a_transcript_is_what_the_command_prints(
            "$ derive show journey --stage score\n    s_21 = 0.9545\n"
        )


def test_every_path_and_target_that_is_named_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"`((?:derive|numeric|docs)/[\w/.-]*)`", README):
        assert (PROJECT / path).exists(), path
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (PROJECT / picture).exists(), picture
