"""What was measured about rounding, on pages: whole, escaped, refused when it is not current."""

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pymdownx.superfences import SuperFencesException

from derive.evidence import fingerprint
from derive.publish.block import MEASURED_PARTS as WORDS
from derive.publish.fence import MEASURED_PARTS, Fences
from derive.publish.plot import Mark, log_plot
from derive.rounding_evidence import RoundingEvidence, Tightness, Trial

HOSTILE = "<script>alert(1)</script>\"'{{ 7 * 7 }}"
RULES = ("bound", "torch.allclose", "torch.autograd.gradcheck")
LOOSER = "it keeps the looser contract 'weights in bfloat16': output in float32; and more"


def _trial(name: str, dtype: str, verdicts: tuple[str, str, str], **others: object) -> Trial:
    parts: dict[str, object] = {
        "source": "",
        "address": "",
        "backward": False,
        "contract": f"{dtype}, as watched",
        "ratio": None,
        "smallest": "",
        "likely": "",
        **others,
    }
    return Trial(name=name, dtype=dtype, verdicts=tuple(zip(RULES, verdicts, strict=True)), **parts)  # type: ignore[arg-type]


def _tight(program: str, dtype: str, shape: str, bound: float, error: float) -> Tightness:
    return Tightness(program, dtype, shape, "output", bound, error, "Arb balls", 0.1)


def _found(name: str = "a bug", address: str = "https://example.org/1") -> RoundingEvidence:
    wrong = {"source": "someone/something 1", "address": address}
    return RoundingEvidence(
        tightness=(
            _tight("eager", "float32", "6x3", 3e-6, 1e-7),
            _tight("fused", "float32", "6x3", 8e-6, 1e-9),
            _tight("eager", "bfloat16", "64x64", 0.0625, 0.0125),
        ),
        trials=(
            _trial(name, "float32", ("caught", "missed", "cannot"), likely=LOOSER, **wrong),
            _trial(name, "bfloat16", ("caught", "caught", "cannot"), **wrong),
            _trial("another", "bfloat16", ("caught", "missed", "cannot"), backward=True, **wrong),
            _trial("fine", "float32", ("passed", "passed", "cannot"), ratio=0.0625),
            _trial("fine", "bfloat16", ("passed", "alarm", "cannot"), ratio=0.875),
        ),
        device="CPU, one thread",
        fingerprint=fingerprint(),
        versions=(("torch", "2.13.0"),),
        command="derive measure",
        date="2026-01-02T03:04:05+00:00",
        seconds=12.0,
    )


def _html(part: str, found: RoundingEvidence | None = None) -> str:
    return str(MEASURED_PARTS[part](found or _found()))


def test_every_word_has_its_part() -> None:
    assert set(WORDS) == set(MEASURED_PARTS)


@pytest.mark.parametrize("part", WORDS)
def test_a_part_is_one_closed_piece_without_script(part: str) -> None:
    found = _Read.of(_html(part))
    assert found.open_tags == []
    assert "script" not in found.tags


def test_the_summary_counts_what_each_rule_says_of_what_it_can_judge() -> None:
    read = _Read.of(_html("rounding-summary"))
    assert read.rows[2:] == [
        ["this bound", "1 of 1", "0 of 1", "2 of 2", "0 of 1"],
        ["torch.allclose", "0 of 1", "0 of 1", "1 of 2", "1 of 1"],
        ["torch.autograd.gradcheck", *["–cannot judge"] * 4],
    ]
    for said in ("3 of 3", "2 of 2", "88 %", "CPU, one thread", "2.13.0", "derive measure", "12 s"):
        assert said in read.text


def test_the_catalogue_says_in_words_what_its_marks_say() -> None:
    first, second = _Read.of(_html("rounding-bugs")).rows[1:]
    assert first[0] == "a bugsomeone/something 1, forward"
    assert first[1:4] == [
        "✓float32: caught. ✓bfloat16: caught. ",
        "✗float32: missed. ✓bfloat16: caught. ",
        "–float32: cannot judge. –bfloat16: cannot judge. ",
    ]
    assert first[4] == "it computes with weights in bfloat16 (float32)"
    assert second[0].endswith(", backward")
    assert second[1] == "·float32: not wrong in this type. ✓bfloat16: caught. "


def test_correct_programs_have_their_share_and_their_false_alarms() -> None:
    assert _Read.of(_html("rounding-alarms")).rows[1:] == [
        ["fine", "6.2 %", "88 %", "torch.allclose (bfloat16)"]
    ]


def test_tightness_shows_the_same_rows_as_tables_and_as_marks() -> None:
    html = _html("rounding-tightness")
    rows = [row for row in _Read.of(html).rows if row[0] != "of"]
    assert rows == [
        ["outputeager", "303.0e-06 / 1.0e-07", ""],
        ["outputfused", "80008.0e-06 / 1.0e-09", ""],
        ["outputeager", "", "5.00.062 / 0.013"],
    ]
    assert re.findall(r"<title>(.*?)</title>", html) == [
        "eager, float32, 6x3, output: 30",
        "fused, float32, 6x3, output: 8000",
        "eager, bfloat16, 64x64, output: 5.0",
    ]


@pytest.mark.parametrize("part", WORDS)
def test_what_a_file_says_stays_text(part: str) -> None:
    trials = tuple(
        dataclasses.replace(trial, likely=HOSTILE, name=HOSTILE if trial.source else trial.name)
        for trial in _found().trials
    )
    tight = tuple(dataclasses.replace(row, output=HOSTILE) for row in _found().tightness)
    found = dataclasses.replace(
        _found(), trials=trials, tightness=tight, device=HOSTILE, command=HOSTILE
    )
    read = _Read.of(_html(part, found))
    assert read.open_tags == []
    assert "script" not in read.tags
    assert not [name for name in read.attributes if name.startswith("on")]
    assert part == "rounding-alarms" or HOSTILE in read.text


def test_only_a_web_address_becomes_a_link() -> None:
    assert 'href="https://example.org/1"' in _html("rounding-bugs")
    assert "href" not in _html("rounding-bugs", _found(address="javascript:alert(1)"))


def test_a_plot_has_a_mark_for_each_value_in_its_place() -> None:
    marks = [Mark(0, 0, 0, 1.0, "low"), Mark(1, 1, 1, 100.0, "high"), Mark(1, 1, 1, 10.0, "mid")]
    html = str(
        log_plot(
            "key",
            title="a title",
            description="a text",
            groups=["left", "right"],
            series=["first", "second"],
            styles=["hollow", "filled"],
            marks=marks,
        )
    )
    placed = re.findall(
        r'<path class="attn-plot-mark attn-plot-(\d)( attn-plot-filled)?" d="(.*?)" '
        r'transform="translate\(([\d.]+) ([\d.]+)\).*?><title>(\w+)</title>',
        html,
    )
    assert [(series, bool(filled), label) for series, filled, *_, label in placed] == [
        ("0", False, "low"),
        ("1", True, "high"),
        ("1", True, "mid"),
    ]
    assert placed[0][2] != placed[1][2], "series differ in shape too"
    (low, high, mid) = (float(place[4]) for place in placed)
    assert mid == pytest.approx((low + high) / 2)
    assert high < low
    assert float(placed[0][3]) < float(placed[1][3]) == float(placed[2][3])
    texts = re.findall(r"<text.*?>(.*?)</text>", html)
    assert texts == ["1", "10", "100", "left", "right", "first", "second", "hollow", "filled"]
    assert 'aria-labelledby="attn-key-title attn-key-text"' in html
    for name, text in (("title", "a title"), ("text", "a text")):
        assert f'id="attn-key-{name}">{text}<' in html


def test_a_plot_refuses_more_than_it_can_tell_apart() -> None:
    with pytest.raises(ValueError, match="5 series"):
        log_plot("k", title="", description="", groups=[], series="abcde", styles=[], marks=[])


@pytest.mark.parametrize("part", WORDS)
def test_without_figures_a_part_says_what_to_tell_the_plugin(part: str) -> None:
    with pytest.raises(SuperFencesException, match="rounding:"):
        Fences().format(f"show: [{part}]", "attention", "", {}, None)


def _missed(found: RoundingEvidence) -> RoundingEvidence:
    first = found.trials[0]
    judged = (("bound", "missed"), *first.verdicts[1:])
    return dataclasses.replace(
        found, trials=(dataclasses.replace(first, verdicts=judged), *found.trials[1:])
    )


def _without_a_rule(found: RoundingEvidence) -> RoundingEvidence:
    first = dataclasses.replace(found.trials[0], verdicts=found.trials[0].verdicts[1:])
    return dataclasses.replace(found, trials=(first, *found.trials[1:]))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (None, "there is no"),
        (lambda found: dataclasses.replace(found, fingerprint="0"), "the code has changed since"),
        (lambda found: dataclasses.replace(found, trials=found.wrong), "correct programs: missing"),
        (lambda found: dataclasses.replace(found, trials=found.correct), "wrong programs: missing"),
        (lambda found: dataclasses.replace(found, tightness=()), "tightness: missing"),
        (_without_a_rule, "the verdict of a rule: missing"),
        (_missed, "a program is misjudged"),
    ],
    ids=["missing", "stale", "no correct", "no wrong", "no tightness", "no verdict", "missed"],
)
def test_a_file_that_does_not_stand_ends_the_build_with_one_line(
    tmp_path: Path, spoil: Callable[[RoundingEvidence], RoundingEvidence] | None, words: str
) -> None:
    if spoil is not None:
        spoil(_found()).write(tmp_path / "rounding.json")
    result = _build(tmp_path)
    assert result.returncode != 0
    errors = [line for line in result.stdout.splitlines() if "index.md:" in line]
    assert len(errors) == 1
    assert words in errors[0]
    assert "derive measure" in errors[0]
    assert "Traceback" not in result.stdout


def test_a_file_that_stands_is_shown(tmp_path: Path) -> None:
    _found().write(tmp_path / "rounding.json")
    result = _build(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "someone/something 1" in (tmp_path / "site" / "index.html").read_text("utf-8")


def _build(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(
        f"```attention\nshow: [{', '.join(WORDS)}]\n```\n", encoding="utf-8"
    )
    (folder / "mkdocs.yml").write_text(
        "site_name: Mine\ntheme: mkdocs\nplugins:\n  - attention:\n      rounding: rounding.json\n",
        encoding="utf-8",
    )
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


class _Read(HTMLParser):
    """Tags and attributes of a piece of HTML, its text, and the cells of its tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open_tags: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.text = ""

    @classmethod
    def of(cls, html: str) -> "_Read":
        found = cls()
        found.feed(html)
        found.close()
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.open_tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open_tags):
            self.rows[-1][-1] += data
