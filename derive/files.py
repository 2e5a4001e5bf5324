"""Files that people keep: written whole or not at all. Files that people name: read in bounds."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from derive.errors import InputError

LARGEST_RECORD = 64 * 2**20
"""Bytes of the largest record of a check that is read to see whether it is one."""

_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)


def exists(name: str | Path) -> bool:
    """Tell whether a path is there; a name that no file can have is not."""
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, most: int) -> bytes:
    """Return what a file holds, at most one byte more than ``most``.

    What is no file, such as a device or a pipe that nobody writes to, is an ``OSError``: reading it
    might never end. A name that no file can have is a ``ValueError``.
    """
    # Without blocking, a pipe is opened at once, and then seen to be one.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NOT_WAITING)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        return file.read(most + 1)


def write_new(path: Path, text: str, *, force: bool) -> None:
    """Write a file that a person named; one that exists is replaced only with ``force``."""
    try:
        is_there, is_folder = os.path.lexists(path), path.is_dir()
        has_folder = path.parent.is_dir()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None
    if is_folder:
        raise InputError(str(path), "", "it is a folder", "give the path of a file")
    if not has_folder:
        raise InputError(str(path), "", f"there is no folder {path.parent}", "make it first")
    if is_there and not force:
        raise InputError(str(path), "", "it exists", "give another name, or add --force")
    if is_there and exists(path) and not path.is_file():
        raise InputError(str(path), "", "it is no ordinary file", "give another name")
    write_aside(path, text)


def write_aside(path: Path, content: str | bytes) -> None:
    """Write to a file beside ``path`` and rename it: no reader ever sees half of it.

    A link stays a link: the file that it names is written. A file that is replaced keeps its
    permissions.
    """
    try:
        target = Path(os.path.realpath(path))
        aside = target.with_name(f".{secrets.token_hex(8)}.part")
        # A file of that name that somebody has put there is neither written nor removed.
        raw = content.encode() if isinstance(content, str) else content
        stream = aside.open("xb")
        try:
            with stream:
                stream.write(raw)
            with suppress(FileNotFoundError):
                aside.chmod(stat.S_IMODE(target.stat().st_mode))
            aside.replace(target)
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def refuse_replacing(path: Path, option: str) -> None:
    """Refuse to write a record of a check over a file that is none, such as somebody's sentence."""
    if not exists(path):
        return
    try:
        found = json.loads(read_bytes(path, LARGEST_RECORD))
        is_record = isinstance(found, dict) and "format" in found
    except (OSError, ValueError, RecursionError):
        is_record = False
    if not is_record:
        raise InputError(
            str(path), "", "it holds something else", f"give another path to {option}, or remove it"
        )


def _unwritable(path: Path, error: OSError | ValueError) -> InputError:
    if isinstance(error, UnicodeEncodeError):
        reason = "what it should hold cannot be written as UTF-8"
    elif isinstance(error, OSError):
        reason = error.strerror or "it cannot be written"
    else:
        reason = "no file can have this name"
    return InputError(str(path), "", reason, "give another path")
