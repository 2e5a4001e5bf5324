"""The transcripts on "Verify yours" are what the commands print."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from derive.cli import main

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "verify-yours.md").read_text(encoding="utf-8")
TRANSCRIPTS = [
    transcript.replace("\\\n    ", "")
    for transcript in re.findall(
        r"^```console\n(\$ derive .*?)^```", PAGE, re.DOTALL | re.MULTILINE
    )
]
VERSIONS = re.compile(r"^python \d.*\Z", re.MULTILINE | re.DOTALL)


def printed(command: str, monkeypatch) -> str:
    monkeypatch.chdir(PROJECT / "docs" / "programs")
    arguments = shlex.split(command.removeprefix("$ derive "))
    return CliRunner().invoke(main, arguments).stdout


@pytest.mark.slow
@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda text: text.splitlines()[0])
def test_a_transcript_is_what_the_command_prints(transcript, monkeypatch):
    command, _, expected = transcript.partition("\n")
    assert VERSIONS.sub("", printed(command, monkeypatch)) == VERSIONS.sub("", expected)


def test_there_are_transcripts_of_a_success_and_of_several_bugs():
    outcomes = [transcript.splitlines()[1].split(":")[0] for transcript in TRANSCRIPTS]
    assert outcomes.count("proved") >= 2
    assert outcomes.count("refuted") >= 3
