"""Files that people keep: written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from derive.errors import InputError


def exists(name: str) -> bool:
    """Tell whether a path is there; a name that no file can have is not."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file that a person named; one that exists is replaced only with ``force``."""
    if path.is_dir():
        raise InputError(str(path), "", "it is a folder", "give the path of a file")
    if not path.parent.is_dir():
        raise InputError(str(path), "", f"there is no folder {path.parent}", "make it first")
    if path.exists() and not force:
        raise InputError(str(path), "", "it exists", "give another name, or add --force")
    write_aside(path, text)


def write_aside(path: Path, text: str) -> None:
    """Write to a file beside ``path`` and rename it: no reader ever sees half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise InputError(str(path), "", reason, "give another path") from None
