"""Files: written whole or not at all, never over something that was not meant, read in bounds."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from derive.cli import main
from derive.errors import InputError
from derive.examples import load
from derive.files import read_bytes, refuse_replacing, write_aside, write_new
from derive.publish.block import read_block
from derive.publish.words import chosen
from tests.hostile.properties import check_line, check_refusal

GOOD = "tokens: [a, b]\nvectors: [[1, 2], [3, 4]]\n"

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
needs_bounds = pytest.mark.skipif(os.name != "posix", reason="this system has no /dev/zero")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _derive(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def _fill(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file take a few characters, and then be full."""
    real = Path.open

    def opened(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        stream = real(self, mode, *args, **options)
        if set(mode) & set("wxa"):
            written = stream.write

            def write(text: str) -> int:
                written(text[:5])
                stream.flush()
                raise OSError(errno.ENOSPC, "No space left on device")

            stream.write = write
        return stream

    monkeypatch.setattr(Path, "open", opened)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "page.md"
    target.write_bytes(b"before")
    _fill(monkeypatch)
    with pytest.raises(InputError, match="No space left on device; give another path"):
        write_new(target, "after" * 100, force=True)
    assert target.read_bytes() == b"before"
    assert _names(tmp_path) == ["page.md"]


def test_text_that_is_no_unicode_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_bytes(b"before")
    with pytest.raises(InputError, match="cannot be written as UTF-8"):
        write_new(target, "x" * 100_000 + "\ud800", force=True)
    assert target.read_bytes() == b"before"
    assert _names(tmp_path) == ["page.md"]


def test_a_process_that_is_killed_while_it_writes_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text("before")
    script = """
        import os, sys
        from pathlib import Path
        from derive.files import write_aside
        os.fsync = None
        real = Path.replace
        def replace(self, to):
            os.kill(os.getpid(), 9)
        Path.replace = replace
        write_aside(Path(sys.argv[1]), "after" * 1000)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(target)], check=False)
    assert done.returncode == -9
    assert target.read_text() == "before"


def test_what_exists_is_replaced_only_when_it_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text("before")
    with pytest.raises(InputError, match="it exists; give another name, or add --force"):
        write_new(target, "after", force=False)
    assert target.read_text() == "before"
    write_new(target, "after", force=True)
    assert target.read_text() == "after"


def test_a_link_that_leads_nowhere_exists_and_one_that_leads_somewhere_stays(
    tmp_path: Path,
) -> None:
    target, link = tmp_path / "real.md", tmp_path / "link.md"
    link.symlink_to(target)
    with pytest.raises(InputError, match="it exists"):
        write_new(link, "after", force=False)
    assert not target.exists()
    target.write_text("before")
    write_new(link, "after", force=True)
    assert link.is_symlink()
    assert target.read_text() == "after"


@pytest.mark.skipif(os.name != "posix", reason="this system has other permissions")
def test_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "page.md"
    target.write_text("before")
    target.chmod(0o600)
    write_new(target, "after", force=True)
    assert target.stat().st_mode & 0o777 == 0o600


def test_no_file_that_somebody_put_beside_it_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("before")
    monkeypatch.setattr("derive.files.secrets.token_hex", lambda _: "known")
    (tmp_path / ".known.part").symlink_to(theirs)
    with pytest.raises(InputError, match="File exists"):
        write_aside(tmp_path / "page.md", "after")
    assert theirs.read_text() == "before"
    assert _names(tmp_path) == [".known.part", "theirs"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "it is a folder"),
        ("folder", "it is a folder"),
        ("nowhere/page.md", "there is no folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "no file can have this name"),
        ("file/page.md", "there is no folder"),
        ("loop", "Too many levels of symbolic links|it exists"),
    ],
)
@pytest.mark.parametrize("force", [False, True])
def test_what_cannot_be_written_is_one_line(
    tmp_path: Path, name: str, said: str, force: bool
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = _names(tmp_path)
    if name == "loop" and force:
        return
    with pytest.raises(InputError, match=said) as caught:
        write_new(tmp_path / name, "after", force=force)
    check_refusal(caught.value)
    assert _names(tmp_path) == before


@needs_pipes
def test_a_pipe_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    start = time.perf_counter()
    with pytest.raises(InputError, match="it is no ordinary file"):
        write_new(pipe, "after", force=True)
    with pytest.raises(InputError, match="it is no ordinary file"):
        load(str(pipe))
    with pytest.raises(InputError, match="there is no file"):
        chosen(str(pipe), "fence")
    for command in (["show"], ["page"], ["check"], ["recheck"]):
        result = _derive(*command, pipe)
        assert result.exit_code == 2
        check_line(result.stderr.removesuffix("\n"))
    assert time.perf_counter() - start < 20
    assert pipe.is_fifo()


@needs_bounds
@pytest.mark.parametrize("command", ["show", "page", "check", "recheck"])
def test_what_never_ends_and_what_is_huge_is_not_read(tmp_path: Path, command: str) -> None:
    huge = tmp_path / "huge.yaml"
    with huge.open("wb") as file:
        file.truncate(2**30)
    for path in (Path("/dev/zero"), huge):
        result = _derive(command, path)
        assert result.exit_code == 2
        check_line(result.stderr.removesuffix("\n"))


def test_reading_stops_one_byte_behind_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    assert read_bytes(path, 3) == b"abcd"
    assert read_bytes(path, 6) == b"abcdef"


@pytest.mark.parametrize("name", ["page.md", "link.md", "./page.md"])
def test_a_page_is_not_written_over_what_it_is_made_from(tmp_path: Path, name: str) -> None:
    source = tmp_path / "page.md"
    source.write_text(GOOD)
    (tmp_path / "link.md").symlink_to(source)
    result = _derive("page", source, "-o", tmp_path / name, "--force")
    assert result.exit_code == 2
    assert "it is what the page is made from; give another name" in result.stderr
    assert source.read_text() == GOOD


@pytest.mark.parametrize(
    "content", [GOOD, "{", '{"nbformat": 4}', '"format"', "[" * 100_000, "\xff"]
)
def test_a_record_is_not_written_over_anything_else(tmp_path: Path, content: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(
        InputError, match="it holds something else; give another path to --evidence"
    ):
        refuse_replacing(path, "--evidence")
    for command in (["check", "journey", "--evidence", path], ["measure", "--output", path]):
        result = _derive(*command)
        assert result.exit_code == 2
        check_line(result.stderr.removesuffix("\n"))
    assert path.read_text(encoding="latin-1") == content


def test_a_record_is_written_over_one() -> None:
    record = Path(__file__).parents[2] / "build" / "evidence.json"
    if record.exists():
        refuse_replacing(record, "--evidence")
    refuse_replacing(Path("nowhere.json"), "--evidence")


@pytest.mark.parametrize(
    "name",
    ["../secret.yaml", "/etc/passwd", "link.yaml", "a/../../secret.yaml", "folder/secret.yaml"],
)
def test_a_fence_reads_nothing_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    site = tmp_path / "site"
    (site / "a").mkdir(parents=True)
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    (site / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (site / "folder").symlink_to(tmp_path)
    for text in (f"example: {name}", f"example: journey\nlanguage: {name}"):
        with pytest.raises(InputError) as caught:
            _read(text, site)
        check_refusal(caught.value)
        assert "password" not in str(caught.value)
        assert "hunter2" not in str(caught.value)


def _read(text: str, site: Path) -> None:
    request = read_block(text, folder=site)
    chosen(request.block.language or "en", "fence", site)


@pytest.mark.parametrize("name", ["x" * 300 + ".yaml", "a\udcff.yaml", "~/x.yaml", "nul\0.yaml"])
def test_a_name_that_no_file_can_have_is_one_line(tmp_path: Path, name: str) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(InputError) as caught:
            load(name, folder)
        check_refusal(caught.value)
        with pytest.raises(InputError) as caught:
            chosen(name, "fence", folder)
        check_refusal(caught.value)
