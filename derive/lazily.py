"""Packages whose names are imported when they are first used: importing them costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``; ``modules`` gives the names that each module holds."""
    home = {name: module for module, names in modules.items() for name in names.split()}

    def getattribute(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"{package} has no {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return getattribute
