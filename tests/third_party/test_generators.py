"""Site generators beside MkDocs: ProperDocs takes the plugin, Zensical the fence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.third_party

PROJECT = Path(__file__).parents[2]
WEIGHTS = ("0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581")
PAGE = """\
# Mine

It is `#!attention journey weight journey starts` here.

```attention
example: journey
query: journey
show: [formula, numbers, heatmap, step-through]
```
"""
BROKEN = PAGE.replace("query: journey", "query: nowhere")
PROGRAMS = Path(sys.executable).parent


def _run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / program, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def _site(folder: Path, page: str, configuration: str) -> None:
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "index.md").write_text(page, encoding="utf-8")
    (folder / "mkdocs.yml").write_text(configuration, encoding="utf-8")


def _check(folder: Path) -> None:
    html = (folder / "site" / "index.html").read_text(encoding="utf-8")
    for weight in WEIGHTS:
        assert weight in html
    assert 'class="katex"' in html
    assert 'class="attn attn-walk' in html
    named = re.findall(r'(?:href|src)="(?:\./)?(assets/attention/[^"]+)"', html)
    assert any(name.endswith("attention.js") for name in named)
    for name in (*named, "assets/attention/step-through.js"):
        assert (folder / "site" / name).is_file(), name


def test_properdocs_takes_the_plugin(tmp_path: Path) -> None:
    configuration = "site_name: Theirs\nplugins: [attention]\ntheme: {name: material}\n"
    _site(tmp_path, PAGE, configuration)
    built = _run(tmp_path, "properdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert built.returncode == 0, built.stderr
    _check(tmp_path)
    _site(tmp_path, BROKEN, configuration)
    broken = _run(tmp_path, "properdocs", "build", "--strict", "-f", "mkdocs.yml")
    assert broken.returncode != 0
    assert "docs/index.md:7: query: 'nowhere' is not a token" in broken.stderr + broken.stdout


def test_zensical_takes_the_fence_as_its_page_says(tmp_path: Path) -> None:
    told = (PROJECT / "docs" / "make-your-own.md").read_text(encoding="utf-8")
    extensions = re.search(r"```yaml\n(markdown_extensions:\n.*?)```", told, re.DOTALL)
    assert extensions
    written = _run(tmp_path, "derive", "assets", "docs/assets/attention")
    assert written.returncode == 0, written.stderr
    named = written.stdout.partition("\n\n")[2]
    assert yaml.safe_load(named).keys() == {"extra_css", "extra_javascript"}
    configuration = f"site_name: Theirs\n{named}{extensions[1]}"
    _site(tmp_path, PAGE, configuration)
    built = _run(tmp_path, "zensical", "build")
    assert built.returncode == 0, built.stderr
    _check(tmp_path)
    _site(tmp_path, BROKEN, configuration)
    broken = _run(tmp_path, "zensical", "build")
    assert broken.returncode != 0
    assert "query: 'nowhere' is not a token" in broken.stderr + broken.stdout


def test_assets_are_not_put_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").write_text("mine")
    refused = _run(tmp_path, "derive", "assets", "mine")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "--force" in refused.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["kept.txt"]
