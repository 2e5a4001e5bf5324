"""What strangers install: the wheel holds the two packages, and works where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = METADATA["version"]
LARGEST = 1_500_000
"""Bytes of the wheel: more would mean that something strange is in it."""

Derive = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the sdist, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PROJECT]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def _sources() -> set[str]:
    """Return the files of the two packages that git would know."""
    return {
        path.relative_to(PROJECT).as_posix()
        for package in ("derive", "numeric")
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_the_wheel_holds_exactly_the_two_packages(built: tuple[Path, Path]) -> None:
    _, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    information = {name for name in names if name.startswith("attention_derived-")}
    assert names - information == _sources()
    assert {"derive/py.typed", "numeric/py.typed"} <= names
    assert wheel.stat().st_size < LARGEST


@pytest.mark.slow
def test_the_source_archive_can_be_built_and_tested(built: tuple[Path, Path]) -> None:
    sdist, _ = built
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile"}
    assert wanted <= names
    assert _sources() <= names
    assert "tests/packaging/test_wheel.py" in names


@pytest.fixture(scope="module")
def derive(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Derive:
    """Return the command as it is after ``pip install`` of the wheel where nothing else is."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / "bin"
    install = [programs / "python", "-m", "pip", "install", "--quiet", "--constraint"]
    subprocess.run([*install, PROJECT / "constraints.txt", built[1]], check=True)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [programs / "derive", *arguments],
            cwd=folder,
            env={**clean, "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_it_works_where_nothing_else_is(derive: Derive) -> None:
    assert derive("--version").stdout == f"derive, version {VERSION}\n"
    assert "0.2379" in derive("show", "journey").stdout
    assert "causal" in derive("list").stdout
    assert derive("new", "my.yaml").returncode == 0
    for ending in ("md", "tex", "ipynb", "json", "svg"):
        written = derive("page", "my.yaml", "-o", f"page.{ending}")
        assert written.returncode == 0, written.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["check", "journey"], "torch"),
        (["prove", "x.py:f", "--formula", "softmax"], "torch"),
        (["explain", "x.py:f"], "torch"),
        (["page", "x.py:f"], "torch"),
        (["measure"], "torch"),
        (["page", "journey", "--format", "html"], "mkdocs"),
    ],
)
def test_what_needs_more_says_what_to_install(
    derive: Derive, arguments: list[str], extra: str
) -> None:
    result = derive(*arguments)
    assert result.returncode == 2
    assert f"attention-derived[{extra}]" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_doctor_says_what_is_missing(derive: Derive) -> None:
    result = derive("doctor", "--json")
    assert result.returncode == 0, result.stderr
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    assert found["sympy"]["state"] == "installed"
    assert found["torch"]["state"] == "missing"
    assert found["torch"]["remedy"] == 'pip install "attention-derived[torch]"'
    assert found["mkdocs"]["remedy"] == 'pip install "attention-derived[mkdocs]"'
    assert 'pip install "attention-derived[torch]"' in derive("doctor").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("derive show jou", "plain,journey"),
        ("derive gradient cau", "plain,causal"),
        ("derive pa", "plain,page"),
        ("derive page jim", "plain,jim-john"),
    ],
)
def test_a_shell_completes_names(words: str, expected: str) -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("derive")],
        env={
            **os.environ,
            "_DERIVE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in result.stdout.splitlines(), result.stderr


def test_bash_takes_the_script() -> None:
    script = subprocess.run(
        [sys.executable, "-m", "derive.cli", "completion", "bash"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    command = f"{script}\ncomplete -p derive"
    told = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=True)
    assert "_derive_completion derive" in told.stdout


def test_every_file_says_the_same_version() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (VERSION, METADATA["license"])
    assert {author["name"] for author in citation["authors"]} == {
        author["name"] for author in METADATA["authors"]
    }
    changes = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {VERSION}" in changes
    parts = VERSION.split(".")
    assert len(parts) == 3
    assert all(part.isdigit() for part in parts)
