"""Files that people keep: written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from derive.errors import InputError


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
