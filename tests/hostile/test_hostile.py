"""Whatever strangers write gives a right page or one clear line, in time, and runs nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derive.cli import main
from derive.errors import InputError
from derive.files import write_new
from derive.publish.fence import Fences
from derive.sentence_file import SentenceFile
from tests.hostile.properties import Page, check_fence, check_line, fence_of
from tests.hostile.strategies import ANY, BROKEN, NUMBERS, RIGHT, WORDS

IN_TIME = 10.0
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@FEW
@given(RIGHT)
def test_what_is_right_but_hostile_is_text(data: dict[str, object]) -> None:
    check_fence(fence_of(data))


@FEW
@given(ANY)
def test_any_keys_give_a_page_or_a_line(data: dict[str, object]) -> None:
    check_fence(fence_of(data))


@settings(FEW, max_examples=150)
@given(BROKEN)
def test_broken_yaml_gives_a_line(source: str) -> None:
    check_fence(source)


@FEW
@given(st.binary(max_size=60))
def test_any_bytes_in_a_file_give_a_page_or_a_line(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "my.yaml"
    path.write_bytes(b"tokens: [a]\nvectors: [[" + raw)
    result = CliRunner().invoke(main, ["show", str(path)])
    assert result.exit_code in (0, 2)
    if result.exit_code == 2:
        check_line(result.stderr.removesuffix("\n"))


@FEW
@given(st.lists(NUMBERS, min_size=1, max_size=3), WORDS)
def test_numbers_are_read_exactly_or_refused(numbers: list[str], token: str) -> None:
    data = {"tokens": [token], "vectors": [numbers]}
    try:
        SentenceFile.from_data(data, where="my.yaml")
    except InputError as error:
        check_line(str(error))


SLOW = {
    "ten thousand tokens": fence_of(
        {"tokens": [f"t{p}" for p in range(10_000)], "vectors": [["1"]] * 10_000}
    ),
    "one token many times": fence_of(
        {"tokens": ["a"] * 10_000, "vectors": {"a": ["1"]}, "query": "a"}
    ),
    "ten thousand dimensions": fence_of({"tokens": ["a"], "vectors": [["1"] * 10_000]}),
    "two hundred tokens": fence_of(
        {"tokens": [f"t{p}" for p in range(200)], "vectors": [["0.1", "2"]] * 200}
    ),
    "deep nesting": "[" * 50_000,
    "deep mappings": "{a: " * 50_000,
    "many anchors": "".join(f"a{p}: &a{p} 1\n" for p in range(5000)),
    "a token without end": fence_of({"tokens": ["x" * 200_000], "vectors": [["1"]]}),
    "a key without end": "x" * 200_000 + ": 1",
    "a billion laughs": "a: &a [1]\n" + "".join(f"b{p}: &b{p} [*a, *a, *a]\n" for p in range(1, 9)),
}


@pytest.mark.parametrize("name", SLOW)
def test_it_answers_in_time(name: str) -> None:
    start = time.perf_counter()
    check_fence(SLOW[name])
    assert time.perf_counter() - start < IN_TIME


@pytest.mark.parametrize(
    "raw",
    [
        "tokens: [é]\nvectors: [[1]]".encode("latin-1"),
        "tokens: [a]\nvectors: [[1]]".encode("utf-16"),
        b"\x00" * 1000,
        b"\xff\xfe\x00\x00",
        b"tokens: [a]\nvectors: [[1]]\n" + b"#" * 600_000,
    ],
    ids=["latin-1", "utf-16", "zeros", "another mark", "too large"],
)
def test_another_encoding_is_one_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(raw)
    result = CliRunner().invoke(main, ["show", str(path)])
    assert result.exit_code == 2
    check_line(result.stderr.removesuffix("\n"))


def test_nothing_is_opened_run_or_sent_for_what_a_stranger_writes() -> None:
    check_fence(fence_of({"example": "journey", "show": ["numbers", "heatmap", "code"]}))
    events: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        harmful = event.split(".")[0] in ("subprocess", "socket", "shutil", "ftplib", "urllib")
        opened = event == "open" and "w" in str(arguments[1] or "")
        if watching and (harmful or opened or event in ("os.system", "os.exec", "os.remove")):
            events.append(f"{event} {arguments}")

    sys.addaudithook(watch)
    for word in (
        r"\input{/etc/passwd}",
        r"\write18{id}",
        "!!python/object/apply:os.system",
        "`id`",
    ):
        data = {"tokens": [word], "vectors": [["1"]], "title": word, "show": ["numbers", "vectors"]}
        assert check_fence(fence_of(data))
    watching = False
    assert events == []


def test_one_fence_leaves_nothing_to_the_next() -> None:
    fences = Fences()
    leak = "zwischenruf"
    fences.render(fence_of({"tokens": [leak], "vectors": [["0.123"]], "show": ["numbers"]}))
    with pytest.raises(InputError):
        fences.render(fence_of({"tokens": [leak], "vectors": [["x"]]}))
    page = Page()
    page.feed(str(fences.render("example: journey\nshow: [numbers, vectors, heatmap]")))
    assert leak not in page.text
    with pytest.raises(InputError) as caught:
        fences.render(fence_of({"tokens": ["a"], "vectors": [["y"]]}))
    assert leak not in str(caught.value)


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "page.md"
    target.write_text("before")

    def full(self: Path, text: str, **_: object) -> int:
        self.write_bytes(text[: len(text) // 2].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        write_new(target, "after" * 100, force=True)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "\x1b[31mred"],
        ["show", "a\nb"],
        ["show", "x" * 5000],
        ["show", "journey", "--query", "\u202e"],
        ["page", "nowhere\r\n.yaml"],
        ["check", "\udcff"],
        ["gradient", "<b>"],
        ["show", "/dev/zero"],
        ["show", "/"],
    ],
    ids=repr,
)
def test_hostile_arguments_are_one_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    check_line(result.stderr.removesuffix("\n"))
