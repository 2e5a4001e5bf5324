"""The fence: what it shows, what it refuses, and that what a stranger writes stays text."""

import dataclasses
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown import Markdown
from pymdownx.inlinehilite import InlineHiliteException
from pymdownx.superfences import SuperFencesException

from derive.errors import InputError
from derive.evidence import Evidence, EvidenceError
from derive.publish.fence import EVIDENCE_PARTS, PARTS, Fences, number
from numeric.verification import check_all

HOSTILE = (
    "<script>alert(1)</script>",
    "</section><img src=x onerror=alert(1)>",
    r"\input{/etc/passwd}",
    r"\href{javascript:alert(1)}{x}",
    "$x$ `code` **bold** | pipe",
    "{{ 7 * 7 }} {% raw %}",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{GIRL}",
    "\N{HEBREW LETTER ALEF}\N{RIGHT-TO-LEFT OVERRIDE}x",
    "&amp; &lt;",
    "a'b\"c",
)


def _markdown() -> Markdown:
    fences = Fences()
    return Markdown(
        extensions=["pymdownx.superfences", "pymdownx.inlinehilite"],
        extension_configs={
            "pymdownx.superfences": {"custom_fences": fences.custom_fences()},
            "pymdownx.inlinehilite": {"custom_inline": fences.custom_inline()},
        },
    )


def _fence(body: str) -> str:
    return _markdown().convert(f"```attention\n{body}\n```\n")


OF_THE_ATLAS = ("changes", "cost", "implementations", "inputs", "sources", "torch-code")


# The browser tests build the comparison of all mechanisms, which takes long.
@pytest.mark.parametrize("part", sorted(PARTS.keys() - {"compare"}))
def test_every_part_gives_one_closed_piece_of_html(part: str) -> None:
    body = {
        "two-shapes": "queries: {a: [1]}\nkeys: {b: [1], c: [2]}\nvalues: {b: [1], c: [0]}",
        "torch": "functions: [self_attention]",
        "weights": "mechanism: causal\nexample: journey",
        **dict.fromkeys(("matrices", "projection"), "example: journey\nprojections: small"),
        **dict.fromkeys(OF_THE_ATLAS, "mechanism: causal"),
    }.get(part, "example: journey")
    html = _fence(f"{body}\nshow: [{part}]")
    assert _Balance.of(html).open_tags == []
    assert "<pre><code>" not in html or part in {
        "torch",
        "yaml",
        "code",
        "formula",
        "matrix",
        "written-out",
        "changes",
        "torch-code",
    }


def test_numbers_in_running_text() -> None:
    html = _markdown().convert("It is `#!attention journey weight journey starts` here.")
    assert ">0.2333</span> here" in html
    assert number("journey context journey") == "[0.4419, 0.6515, 0.5683]"
    assert number("journey/scaled weight journey journey") == "0.2070"
    assert number("jim-john words") == "12"
    assert number("jim-john tokens") == "8"
    assert number("jim-john/sum context jim 1") == "0.5400"


def test_maths_in_running_text() -> None:
    html = _markdown().convert(r"Let `#!math a_{ij} \neq 0` hold.")
    assert 'class="katex"' in html
    assert "a_{ij}" in html


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("example: nobody", ["nobody", "derive list"]),
        ("example: journey\nquery: nowhere", ["query", "nowhere", "Your, journey"]),
        ("example: journey\nshow: [scores]", ["show", "scores", "'score'"]),
        ("exmaple: journey", ["exmaple", "unknown", "example"]),
        ("tokens: [a, b]\nvectors: [[1, 2]]", ["tokens[2]", "'b'", "no vector"]),
        ("tokens: [a, b]\nvectors: [[1, 2], [1]]", ["vectors[2]", "1 number,"]),
        ("tokens: [a]\nvectors: [[x]]", ["vectors[1][1]", "'x' is not a number"]),
        ("example: journey\ntokens: [a]", ["tokens", "named and written"]),
        ("show: [score]", ["example", "need a sentence"]),
        ("- 1", ["not a mapping"]),
        ("a: [", ["not YAML"]),
        ("example: journey\ndigits: 99", ["digits", "12"]),
        ("example: journey\nshow: [torch]\nfunctions: [nothing]", ["nothing", "self_attention"]),
        ("example: journey\nshow: [summary]", ["evidence"]),
        ("example: journey\nshow: [two-shapes]", ["queries"]),
    ],
)
def test_a_mistake_stops_the_build_with_one_line(body: str, words: list[str]) -> None:
    with pytest.raises(SuperFencesException) as caught:
        _fence(body)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "asked", ["", "journey weight", "journey colour a b", "nobody weight a b", "journey weight a b"]
)
def test_a_wrong_inline_request_is_refused(asked: str) -> None:
    with pytest.raises(InputError):
        number(asked)


def test_a_wrong_inline_request_stops_the_build() -> None:
    with pytest.raises(InlineHiliteException, match="'a' is not a token"):
        _markdown().convert("`#!attention journey weight a b`")


def test_wrong_latex_stops_the_build() -> None:
    with pytest.raises(InlineHiliteException, match="frac"):
        _markdown().convert(r"`#!math \frac{1}`")


@pytest.mark.parametrize("token", HOSTILE)
def test_what_a_stranger_writes_stays_text(token: str) -> None:
    quoted = token.replace("\\", "\\\\").replace('"', '\\"')
    show = "[vectors, score, normalise, weighted-sum, heatmap, lengths]"
    html = _fence(
        f'title: "{quoted}"\ntokens: ["{quoted}", b]\nvectors: [[1, 2], [0, 1]]\nshow: {show}'
    )
    found = _Balance.of(html)
    assert found.open_tags == []
    assert not found.tags & {"script", "img", "a", "iframe", "object", "style"}
    assert not [name for name in found.attributes if name.startswith("on")]
    assert token in found.text


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip))
def test_any_unicode_token_is_shown_as_it_is(token: str) -> None:
    quoted = token.replace("\\", "\\\\").replace('"', '\\"')
    fences = Fences()
    html = fences.render(f'tokens: ["{quoted}", "other"]\nvectors: [[1], [2]]\nshow: [heatmap]')
    found = _Balance.of(str(html))
    assert found.open_tags == []
    assert token in found.text


def test_a_defect_of_our_own_stops_the_build_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_request: object) -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setitem(PARTS, "score", broken)
    with pytest.raises(SuperFencesException, match="ZeroDivisionError: a defect"):
        _fence("example: journey\nshow: [score]")


def test_stale_or_failed_evidence_is_refused() -> None:
    def stale() -> None:
        raise EvidenceError("the formulas have changed; run 'derive check --all' again")

    fences = Fences(stale)  # type: ignore[arg-type]
    for part in EVIDENCE_PARTS:
        with pytest.raises(SuperFencesException, match="derive check --all"):
            fences.format(f"example: journey\nshow: [{part}]", "attention", "", {}, None)


def test_a_broken_fence_fails_a_strict_build_in_one_line(tmp_path: Path) -> None:
    result = _build(tmp_path, "```attention\nexample: nobody\n```\n")
    assert result.returncode != 0
    assert "nobody: there is no built-in sentence" in result.stdout
    assert "Traceback" not in result.stdout


@pytest.mark.parametrize("lacking", ["properties", "comparisons", "reproductions"])
def test_evidence_that_lacks_something_is_refused(
    tmp_path: Path, evidence: Evidence, lacking: str
) -> None:
    kept = getattr(evidence, lacking)[:3]
    dataclasses.replace(evidence, **{lacking: kept}).write(tmp_path / "evidence.json")
    result = _build(tmp_path, "```attention\nshow: [versions]\n```\n", "evidence.json")
    assert result.returncode != 0
    assert "is missing from it; run 'derive check --all' again" in result.stdout


def test_whole_evidence_is_shown(tmp_path: Path, evidence: Evidence) -> None:
    evidence.write(tmp_path / "evidence.json")
    result = _build(tmp_path, "```attention\nshow: [versions]\n```\n", "evidence.json")
    assert result.returncode == 0, result.stdout
    assert evidence.fingerprint[:16] in (tmp_path / "site" / "index.html").read_text("utf-8")


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """Return what the checks find."""
    return check_all()


def test_a_site_of_ones_own_builds_without_evidence(tmp_path: Path) -> None:
    body = "tokens: [a, <b>]\nvectors: [[0.10, 2], [3, -4]]"
    result = _build(tmp_path, f"# Mine\n\n```attention\n{body}\n```\n")
    assert result.returncode == 0, result.stdout
    html = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in html
    assert "0.10" in html
    assert (tmp_path / "site" / "assets" / "attention" / "attention.js").is_file()
    assert list((tmp_path / "site" / "assets" / "attention" / "katex" / "fonts").glob("*.woff2"))
    assert "http" not in (tmp_path / "site" / "assets" / "attention" / "attention.css").read_text()


def _build(folder: Path, page: str, evidence: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(page, encoding="utf-8")
    (folder / "mkdocs.yml").write_text(
        "site_name: Mine\ntheme: mkdocs\n"
        f"plugins:\n  - attention:\n      evidence: {evidence or 'null'}\n",
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


class _Balance(HTMLParser):
    """Which tags a piece of HTML leaves open, which it uses, and the text that it shows."""

    VOID = frozenset({"br", "img", "hr", "input", "meta", "link", "path"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open_tags: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    @classmethod
    def of(cls, html: str) -> "_Balance":
        found = cls()
        found.feed(html)
        found.close()
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open_tags, f"</{tag}> closes nothing"
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
