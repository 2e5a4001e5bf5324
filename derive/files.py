"""Files that people keep: written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from derive.errors import InputError


def write_aside(path: Path, text: str) -> None:
    """Write to a file beside ``path`` and rename it: no reader ever sees half of it."""
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as aside:
            aside.write(text)
        os.replace(aside.name, path)
    except OSError as error:
        reason = error.strerror or "it cannot be written"
        raise InputError(str(path), "", reason, "give another path") from None
