"""Pieces of pages kept between builds: what has not changed is not derived again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from derive.evidence import checked_code
from derive.files import write_aside
from derive.publish.katex_package import KATEX_VERSION

ENDING = ".kept"
"""How the names of the files end; nothing else in the folder is touched."""


class Kept:
    """Text in a folder, each piece in a file that is named after everything it was made from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._used: set[str] = set()

    def piece(self, made_from: tuple[str, ...], make: Callable[[], str]) -> str:
        """Return the piece that was made from these texts and from this code, or make it now."""
        name = f"{_digest(code_digest(), *made_from)}{ENDING}"
        self._used.add(name)
        path = self.folder / name
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            pass
        made = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_aside(path, made)
        return made

    def forget_unused(self) -> None:
        """Remove what no page of this build has used."""
        for path in self.folder.glob(f"*{ENDING}"):
            if path.name not in self._used:
                path.unlink(missing_ok=True)
        self._used.clear()


@cache
def code_digest() -> str:
    """Return the digest of all code and templates that make pages, and of KaTeX's version."""
    folder = Path(str(files("derive.publish")))
    pages = [
        f"{path.relative_to(folder)}\n{path.read_text(encoding='utf-8')}"
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".py", ".jinja", ".js", ".yaml")
    ]
    code = [f"{name}\n{text}" for name, text in sorted(checked_code().items())]
    return _digest(KATEX_VERSION, *pages, *code)


def _digest(*texts: str) -> str:
    found = sha256()
    for text in texts:
        encoded = text.encode()
        found.update(len(encoded).to_bytes(8, "big"))
        found.update(encoded)
    return found.hexdigest()
