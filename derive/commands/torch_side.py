"""Reach the torch side from a command, and say what to install where it is missing."""

from __future__ import annotations

from typing import Any

from derive.errors import InputError


def torch_side(command: str, module: str) -> Any:
    """Import a module of ``numeric``; without torch it is one line that says what to install."""
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("numeric", "derive"):
            raise
        raise InputError(
            command,
            "",
            f"{error.name} is not installed",
            "pip install 'attention-derived[torch]'",
        ) from None
