"""``derive page`` and ``derive new``: every format, checked by something that reads it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import markdown
import pytest
from click.testing import CliRunner, Result

from derive.cli import main
from derive.composition import Composition, Projections
from derive.examples import Example, example_from, load
from derive.publish.document.document import Code, Document, Items, Listing, Paragraph, Strong
from derive.publish.document.to_html import to_html
from derive.publish.document.to_latex import WIDEST, broken, text, to_latex
from derive.publish.document.to_markdown import to_markdown
from derive.publish.sentence_page import ENDINGS, SentencePage
from derive.sentence_file import SentenceFile
from derive.visible import straight

HOSTILE = (
    "<script>alert(1)</script>",
    r"\input{/etc/passwd}",
    r"\write18{touch pwned}",
    r"}\end{document}{{{",
    "$x$ `code` **bold** | pipe",
    "]]>--><!--",
    '"; import os #',
    "\u05d0\u05d1\u05d2",
    "\u202eturned",
    "\N{FAMILY}\N{ZERO WIDTH JOINER}",
    "%&_#^~\\",
    "漢字 кириллица",
)
WEIGHTS = ("0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581")
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hostile() -> Example:
    data = {
        "title": r"\input{x} <b>title</b> $",
        "tokens": list(HOSTILE),
        "vectors": [[f"0.{place + 1}", f"-1.{place}"] for place in range(len(HOSTILE))],
        "source": "<i>me</i>\\",
    }
    return example_from(SentenceFile.from_data(data, where="my.yaml"), "my", "my.yaml")


def _page(example: Example, attention: Composition | None = None) -> SentencePage:
    return SentencePage(example, example.query, attention or Composition())


def _derive(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize("format_", sorted(set(ENDINGS.values())))
def test_every_format_has_the_notes_numbers(format_: str) -> None:
    written = _page(load("journey")).write(format_)
    if format_ == "json":
        weights = json.loads(written)["weights"][1]
        assert [f"{weight:.4f}" for weight in weights] == list(WEIGHTS)
        return
    for weight in WEIGHTS:
        # A float of Python has no zeros at its end.
        assert weight in written or (format_ == "notebook" and weight.rstrip("0") in written)


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_the_ending_of_a_name_says_the_format(tmp_path: Path, ending: str) -> None:
    result = _derive("page", "journey", "-o", tmp_path / f"page{ending}")
    assert result.exit_code == 0, result.output
    assert (tmp_path / f"page{ending}").read_text(encoding="utf-8") == _page(load("journey")).write(
        ENDINGS[ending]
    )


def test_nothing_that_exists_is_replaced_unasked(tmp_path: Path) -> None:
    kept = tmp_path / "page.md"
    kept.write_text("mine")
    result = _derive("page", "journey", "-o", kept)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert kept.read_text() == "mine"
    assert _derive("page", "journey", "-o", kept, "--force").exit_code == 0
    assert kept.read_text().startswith("# Your journey")
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["journey", "-o", "page.doc"], ["page.doc", "no format", ".ipynb"]),
        (["journey", "-o", "nowhere/page.md"], ["nowhere", "make it first"]),
        (["journey", "-o", ".."], ["..", "no format"]),
        (["journey", "-o", "..", "--format", "json"], ["folder"]),
        (["journey", "--fragment"], ["--fragment", "LaTeX"]),
        (["nobody.yaml"], ["nobody.yaml", "no file"]),
        (["journey", "--query", "nowhere"], ["--query", "nowhere"]),
        (["journey", "--scale", "big"], ["scale", "'big'"]),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _derive("page", *arguments)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    for word in words:
        assert word in result.output
    assert not list(tmp_path.iterdir())


def test_a_new_file_is_valid_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    result = _derive("new", path, "--tokens", "no it's <b> the the", "--dim", "2")
    assert result.exit_code == 0, result.output
    example = load(str(path))
    assert example.tokens == ("no", "it's", "<b>", "the", "the")
    assert (example.shape, example.query) == ((5, 2), 4)
    again = _derive("new", path)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert load(str(path)) == example


def test_every_setting_that_a_new_file_names_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    _derive("new", path)
    content = path.read_text()
    keys = r"^# ((?:mechanism|scale|mask|sentence|source):)"
    uncommented = re.sub(keys, r"\1", content, flags=re.MULTILINE)
    head, _, matrices = uncommented.partition("# projections:")
    matrices = re.sub("^# ", "", "# projections:" + matrices, flags=re.MULTILINE)
    path.write_text(head + matrices)
    settings = load(str(path)).settings
    assert (settings.mechanism, settings.scale, settings.causal) == ("softmax", "1/sqrt(d)", True)
    assert isinstance(settings.projections, tuple)


def test_too_many_words_are_refused(tmp_path: Path) -> None:
    result = _derive("new", tmp_path / "my.yaml", "--tokens", "w " * 17)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])


# What strangers write


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_tokens_are_text_in_markdown(hostile: Example) -> None:
    html = markdown.markdown(_page(hostile).write("markdown"), extensions=["tables"])
    seen = _Seen()
    seen.feed(html)
    assert set(seen.tags) <= {
        "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "strong",
    } | {"em"}  # fmt: skip
    for token in HOSTILE:
        assert straight(token) in seen.text


@pytest.mark.parametrize(
    "attention", [Composition(), Composition(projections=Projections.small(2))]
)
def test_hostile_tokens_are_text_in_html(hostile: Example, attention: Composition) -> None:
    seen = _Seen()
    written = _page(hostile, attention).write("html")
    seen.feed(written)
    assert seen.tags.count("script") == 2
    assert not {"img", "link", "iframe", "a"} & set(seen.tags)
    for token in HOSTILE:
        assert token in seen.text
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", written).replace("http://www.w3.org", "")


def test_hostile_tokens_are_text_in_a_drawing(hostile: Example) -> None:
    root = ElementTree.fromstring(_page(hostile).write("svg"))  # noqa: S314 - our own drawing
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names == {"svg", "title", "desc", "style", "text", "rect"}
    titles = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert set(HOSTILE) <= set(titles)


def test_the_code_of_a_notebook_is_code_of_ours_alone(hostile: Example, tmp_path: Path) -> None:
    notebook = json.loads(_page(hostile).write("notebook"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities)
    code = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    imported = [
        alias.name
        for cell in code
        for node in ast.walk(ast.parse(cell))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    assert imported == ["numpy"]
    _run("\n".join(code), tmp_path)


@pytest.mark.parametrize("name", ["journey", "jim-john"])
@pytest.mark.parametrize(
    "attention",
    [
        Composition(),
        Composition("sum", causal=True),
        Composition("shifted", "1/sqrt(d)", True, Projections.small(3)),
    ],
)
def test_a_notebook_runs_from_top_to_bottom(
    name: str, attention: Composition, tmp_path: Path
) -> None:
    notebook = json.loads(_page(load(name), attention).write("notebook"))
    code = "\n".join(c["source"] for c in notebook["cells"] if c["cell_type"] == "code")
    printed = _run(code, tmp_path)
    assert len(printed.splitlines()) == len(load(name).tokens)
    wrong = re.sub(r"(assert_allclose\(a\[\d\], \[)0?\.?\d*", r"\g<1>7.5", code, count=1)
    assert wrong != code
    with pytest.raises(subprocess.CalledProcessError):
        _run(wrong, tmp_path)


def _run(code: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="NO PDFLATEX: on Debian, apt-get install texlive-latex-base texlive-latex-recommended",
)


def _compiled(source: str, folder: Path) -> str:
    (folder / "page.tex").write_text(source, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "page.tex"]
    result = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = result.stdout.decode("utf-8", "replace")
    assert result.returncode == 0, log[-2000:]
    return log


@needs_latex
@pytest.mark.parametrize("name", ["journey", "jim-john"])
def test_latex_compiles_and_nothing_runs_over_the_margin(name: str, tmp_path: Path) -> None:
    attention = Composition("shifted", "1/sqrt(d)", True, Projections.small(3))
    log = _compiled(_page(load(name), attention).write("latex"), tmp_path)
    assert "Overfull" not in log


@needs_latex
def test_hostile_tokens_compile_and_run_nothing(hostile: Example, tmp_path: Path) -> None:
    log = _compiled(_page(hostile).write("latex"), tmp_path)
    assert "/etc/passwd" not in log
    assert {path.suffix for path in tmp_path.iterdir()} == {".tex", ".aux", ".log", ".pdf"}


@needs_latex
def test_a_fragment_is_read_into_a_document(hostile: Example, tmp_path: Path) -> None:
    fragment = _page(hostile).write("latex", fragment=True)
    assert "documentclass" not in fragment
    (tmp_path / "fragment.tex").write_text(fragment, encoding="utf-8")
    _compiled(
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{amsmath,booktabs}"
        r"\usepackage[table]{xcolor}\begin{document}\input{fragment}\input{fragment}\end{document}",
        tmp_path,
    )


def test_letters_that_pdflatex_lacks_are_there_for_other_engines() -> None:
    assert text("a\u05d0b") == "a\\othertext{[U+05D0]}{\u05d0}b"
    assert text("café") == "café"
    assert text("\u202e") == r"\textbackslash{}u202e"


def test_a_long_formula_is_broken_at_its_signs() -> None:
    latex = "s = " + " + ".join(rf"x_{{{p}}} \, \left(y_{{{p}}} + 1\right)" for p in range(30))
    lines = broken(latex)
    assert len(lines) > 3
    assert " ".join(lines) == latex
    assert all(line.startswith("+ ") for line in lines[1:])
    assert all(line.count(r"\left") == line.count(r"\right") for line in lines)
    assert all(len(re.sub(r"\\\w+|[{}_^ ]", ".", line)) < 4 * WIDEST for line in lines)


DOCUMENT = Document(
    "Title & <b>",
    (
        Paragraph(("plain *", Strong("strong_"), Code("a|b`"))),
        Items((("first",), ("second",))),
        Listing("def f():\n    return '```' # <b>\n", "python"),
    ),
)


def test_other_pieces_are_written_in_every_format() -> None:
    seen = _Seen()
    seen.feed(markdown.markdown(to_markdown(DOCUMENT), extensions=["fenced_code"]))
    assert "plain *strong_a|b`" in seen.text
    assert "return '```' # <b>" in seen.text
    page = to_html(DOCUMENT)
    assert "<strong>strong_</strong>" in page
    assert "# &lt;b&gt;" in page
    latex = to_latex(DOCUMENT)
    assert r"\textbf{strong\_}" in latex
    assert r"\item first" in latex
