"""The styles and scripts of pages as files, for a site that no plugin puts them into."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from derive.publish import katex
from derive.publish.script.executing import page_script

STYLES = ("katex/katex.min.css", "attention.css", "step-through.css")
SCRIPTS = ("attention.js",)
"""What a page names; it fetches the others itself, where it needs them."""


def asset_files() -> dict[str, bytes]:
    """Return every file by its path: KaTeX's style and fonts, our styles and our scripts."""
    own = files("derive.publish") / "assets"
    typesetter = katex.assets()
    found = {
        name: (own / name).read_bytes()
        for name in ("attention.css", "step-through.css", "attention.js")
    }
    found["step-through.js"] = page_script().encode()
    for path in (typesetter / "katex.min.css", typesetter / "LICENSE"):
        found[f"katex/{path.name}"] = path.read_bytes()
    for path in sorted((typesetter / "fonts").glob("*.woff2")):
        found[f"katex/fonts/{path.name}"] = path.read_bytes()
    return found


def write_assets(folder: Path) -> int:
    """Write the files into ``folder``, which is made where it is not there; return how many."""
    found = asset_files()
    for name, content in found.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(content)
        aside.replace(path)
    return len(found)
