"""A small site that is not ours: themes, ways to set maths, files, mistakes with their lines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from derive.publish.fence import PARTS
from derive.publish.maths import without_marks
from derive.publish.placing import fence_line, inline_line, key_line

PROJECT = Path(__file__).parents[2]
WEIGHTS = ("0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581")
PAGE = """\
---
title: Mine
---
# Mine

It is `#!attention journey weight journey starts` here.

!!! note

    ```attention
    example: sentences/cat.yaml
    show: [vectors, numbers]
    ```

```attention
example: journey
query: journey
show: [formula, numbers, heatmap, code, step-through]
```
"""
SENTENCE = "tokens: [the, cat]\nvectors: [[0.25, 1], [0.5, -2]]\nquery: cat\nmask: causal\n"


def _site(folder: Path, page: str = PAGE, extra: str = "", theme: str = "mkdocs") -> Path:
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    (folder / "sentences").mkdir(exist_ok=True)
    (folder / "sentences" / "cat.yaml").write_text(SENTENCE, encoding="utf-8")
    (folder / "docs" / "index.md").write_text(page, encoding="utf-8")
    configuration = f"site_name: Theirs\ntheme:\n  name: {theme}\nplugins:\n  - attention{extra}\n"
    (folder / "mkdocs.yml").write_text(configuration, encoding="utf-8")
    return folder


def _built(folder: Path) -> str:
    config = load_config(str(folder / "mkdocs.yml"), strict=True, site_dir=str(folder / "site"))
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    config.plugins.on_shutdown()
    return (folder / "site" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", ["mkdocs", "readthedocs", "material"])
def test_three_lines_are_enough_in_every_theme(tmp_path: Path, theme: str) -> None:
    html = _built(_site(tmp_path, theme=theme))
    for weight in WEIGHTS:
        assert weight in html
    assert "-0.5000" not in html
    assert ">0.2333</span> here" in html
    assert 'class="katex"' in html
    for style in re.findall(r'(?:href|src)="(assets/attention/[^"]+)"', html):
        assert (tmp_path / "site" / style).is_file(), style
    assert (tmp_path / "site" / "assets" / "attention" / "step-through.js").is_file()


@pytest.mark.parametrize(
    ("extra", "by_katex"),
    [
        ("\nmarkdown_extensions:\n  - admonition\n  - pymdownx.arithmatex: {generic: true}", False),
        (":\n      maths: arithmatex\nmarkdown_extensions: [admonition]", False),
        (":\n      maths: katex\nmarkdown_extensions: [admonition, pymdownx.arithmatex]", True),
    ],
)
def test_maths_is_left_to_the_script_that_a_site_has(
    tmp_path: Path, extra: str, by_katex: bool
) -> None:
    html = _built(_site(tmp_path, extra=extra))
    assert ('class="katex"' in html) == by_katex
    assert ('class="arithmatex"' in html) != by_katex
    assert (tmp_path / "site" / "assets" / "attention" / "katex").exists() == by_katex
    if not by_katex:
        assert r"\(\displaystyle s_{21}" in html
        assert r"\html" not in html
        assert "the sum over k from 1 to d" in html


def test_marks_are_taken_out_of_latex_whole() -> None:
    latex = r"a + \htmlData{j=1}{\frac{b}{\htmlClass{x}{c \} d}}} + e"
    assert without_marks(latex) == r"a + \frac{b}{c \} d} + e"


MISTAKES = {
    "a token that is none": ("example: journey\nquery: nowhere", 2, ["query", "nowhere", "starts"]),
    "an unknown key": ("example: journey\n\nexmaple: x", 3, ["exmaple", "the keys are"]),
    "an unknown part": ("example: journey\nshow:\n  - score\n  - scores", 4, ["scores", "'score'"]),
    "an unknown mechanism": ("example: journey\nmechanism: sofmax", 2, ["sofmax", "'softmax'"]),
    "a scale that is none": ("example: journey\nscale: big", 2, ["scale", "1/sqrt(d)"]),
    "a mask that is none": ("mask: some\nexample: journey", 1, ["mask", "causal or none"]),
    "digits out of range": ("example: journey\ndigits: 99", 2, ["digits", "12"]),
    "a short row": ("tokens: [a, b]\nvectors:\n  - [1, 2]\n  - [1]", 4, ["1 number", "has 2"]),
    "no number": ("tokens: [a]\nvectors:\n  - [1, x]", 3, ["'x' is not a number"]),
    "no YAML": ("example: journey\nquery: [", 2, ["not YAML"]),
    "matrices that do not fit": (
        "example: journey\nprojections:\n  query: [[1]]\n  key: [[1]]\n  value: [[1]]",
        3,
        ["1 rows", "3 numbers"],
    ),
    "a file that is not there": (
        "example: sentences/dog.yaml",
        0,
        ["sentences/dog.yaml", "no file"],
    ),
    "a file outside": ("example: ../../etc/passwd", 0, ["outside of the site's folder"]),
    "a file outside by its whole path": ("example: /etc/passwd", 0, ["outside"]),
    "a stage that is none": ("example: journey\nstages: [softmax]", 2, ["softmax", "'score'"]),
}


@pytest.mark.parametrize("name", MISTAKES)
@pytest.mark.parametrize("indent", ["", "    "], ids=["plain", "in a note"])
def test_a_mistake_is_said_with_file_and_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, indent: str
) -> None:
    fence, line, words = MISTAKES[name]
    body = [indent + row for row in ["```attention", *fence.splitlines(), "```"]]
    rows = ["---", "title: T", "---", "# T", "", *(["!!! note", ""] if indent else []), *body]
    page, opening = "\n".join(rows), rows.index(f"{indent}```attention") + 1
    site = _site(tmp_path, page, "\nmarkdown_extensions: [admonition]")
    with pytest.raises(Abort):
        _built(site)
    said = caplog.text
    assert f"docs/index.md:{opening + line}: " in said
    for word in words:
        assert word in said


def test_a_broken_fence_fails_the_command(tmp_path: Path) -> None:
    site = _site(tmp_path, "# T\n\nIt is `#!attention journey weight nobody`.\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    result = subprocess.run(command, cwd=site, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "docs/index.md:3: " in result.stderr
    assert "Traceback" not in result.stderr


def test_the_line_of_a_fence_is_found_wherever_it_stands() -> None:
    page = "a\n\n~~~ {.attention}\nx: 1\n~~~\n\n> ````attention\n> y: 2\n> ````\n"
    assert fence_line(page, "x: 1") == 3
    assert fence_line(page, "y: 2") == 7
    assert fence_line(page, "z: 3") is None
    assert inline_line(page, "x: 1") == 4


def test_the_line_of_a_key_is_that_of_the_nearest_that_is_there() -> None:
    source = "tokens: [a]\nvectors:\n  a:\n    - 1\n"
    assert key_line(source, "vectors.a[1]") == 4
    assert key_line(source, "vectors.b") == 2
    assert key_line(source, "nothing") is None
    assert key_line("a: [", "a") is None


def test_a_file_is_read_anew_and_only_then_derived_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _site(tmp_path, "```attention\nexample: sentences/cat.yaml\nshow: [vectors]\n```\n")
    made: list[str] = []
    own = PARTS["vectors"]

    def counted(request: Any) -> Any:
        made.append(request.sentence.vectors[0][0].text)
        return own(request)

    monkeypatch.setitem(PARTS, "vectors", counted)
    first = _built(site)
    assert _content(_built(site)) == _content(first)
    assert made == ["0.25"]
    changed = SENTENCE.replace("0.25", "0.75")
    (site / "sentences" / "cat.yaml").write_text(changed, encoding="utf-8")
    assert "0.75" in _built(site)
    assert made == ["0.25", "0.75"]


def test_nothing_is_kept_where_that_is_wanted(tmp_path: Path) -> None:
    _built(_site(tmp_path, extra=":\n      kept: none\nmarkdown_extensions: [admonition]"))
    assert not (tmp_path / ".cache").exists()


def test_files_that_fences_name_are_watched(tmp_path: Path) -> None:
    site = _site(tmp_path, "```attention\nexample: sentences/cat.yaml\nshow: [vectors]\n```\n")
    config = load_config(str(site / "mkdocs.yml"), site_dir=str(site / "site"))
    config.plugins.on_startup(command="serve", dirty=False)
    build(config)

    class Server:
        def __init__(self) -> None:
            self.watched: list[str] = []

        def watch(self, path: str) -> None:
            self.watched.append(path)

    server = Server()
    config.plugins.on_serve(server, config=config, builder=build)
    build(config)
    assert server.watched == [str(site / "sentences" / "cat.yaml")]


def test_one_build_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    one = _site(tmp_path / "one", extra=":\n      kept: none\nmarkdown_extensions: [admonition]")
    other = _site(
        tmp_path / "other",
        "# B\n\n```attention\nexample: sentences/cat.yaml\nshow: [numbers, step-through]\n```\n",
        ":\n      maths: arithmatex\n      kept: none",
    )
    broken = _site(tmp_path / "broken", "```attention\nexample: nobody\n```\n")
    first, second = _built(one), _built(other)
    with pytest.raises(Abort):
        _built(broken)
    assert _content(_built(one)) == _content(first)
    assert _content(_built(other)) == _content(second)
    assert "nobody" not in first + second


def _content(html: str) -> str:
    """Return a page without the time at which it was built."""
    return re.sub(r"Build Date UTC.*", "", html)
