"""Which line of someone's program is being run."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
from collections.abc import Sequence
from typing import Any

NOT_USER_CODE = (contextlib.__file__, "<")


def user_line(torch_folder: str, own: Sequence[str], skipped: Sequence[str] = ()) -> str:
    """Return ``file.py:12: the line`` of the innermost frame outside of torch.

    Nothing where the nearest caller is one of the files ``own``, as in a backward program; the
    files ``skipped`` are looked through.
    """
    frame: Any = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if name in own:
            return ""
        if name not in skipped and not name.startswith((torch_folder, *NOT_USER_CODE)):
            line = linecache.getline(name, frame.f_lineno).strip()
            return f"{os.path.basename(name)}:{frame.f_lineno}: {line}"
        frame = frame.f_back
    return ""
