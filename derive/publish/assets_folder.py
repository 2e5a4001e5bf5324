"""The styles, fonts and scripts of pages as files, for a plugin or a person to put into a site.

A page names ``STYLES`` and ``SCRIPTS``; what only some pages need, ``attention.js`` fetches itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from derive.files import write_aside
from derive.publish import katex
from derive.publish.script.executing import page_script

STYLES = ("katex/katex.min.css", "attention.css", "atlas.css", "step-through.css")
SCRIPTS = ("attention.js",)

_AS_THEY_ARE = ("attention.css", "atlas.css", "step-through.css", "attention.js", "compare.js")


def own_files() -> dict[str, str]:
    """Return our styles and scripts by their names."""
    folder = files("derive.publish") / "assets"
    found = {name: (folder / name).read_text(encoding="utf-8") for name in _AS_THEY_ARE}
    return {**found, "step-through.js": page_script()}


def katex_files() -> Mapping[str, Path]:
    """Return where KaTeX's style, its fonts and its license lie, by the path that each gets.

    Raises ``KatexMissing`` where it is not installed.
    """
    typesetter = katex.assets()
    found = [typesetter / "katex.min.css", typesetter / "LICENSE"]
    found += sorted((typesetter / "fonts").glob("*.woff2"))
    return {f"katex/{path.relative_to(typesetter).as_posix()}": path for path in found}


def write_assets(folder: Path) -> int:
    """Write the files into ``folder``, which is made where it is not there; return how many."""
    found: dict[str, str | bytes] = {**own_files()}
    found |= {name: path.read_bytes() for name, path in katex_files().items()}
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
    return len(found)
