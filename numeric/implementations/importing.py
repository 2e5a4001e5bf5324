"""Import modules of packages whose other parts need what is not installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def standing_in(*names: str) -> Iterator[None]:
    """Let imports of absent packages succeed with empty modules, while the context lasts."""
    made: list[str] = []
    for name in names:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            part = ".".join(parts[:length])
            if part not in sys.modules and _absent(part, made):
                sys.modules[part] = _empty(part)
                made.append(part)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]


def _absent(name: str, made: list[str]) -> bool:
    root = name.partition(".")[0]
    return root in made or importlib.util.find_spec(root) is None


def _empty(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__path__ = []
    module.__spec__ = ModuleSpec(name, None, is_package=True)

    def anything(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return type(attribute, (), {})

    module.__getattr__ = anything  # type: ignore[method-assign]
    return module


def part_of(package: str, name: str) -> Any:
    """Import a module of a package without running the package's own ``__init__``."""
    if package not in sys.modules:
        module = types.ModuleType(package)
        module.__path__ = [str(_folder_of(package))]
        module.__spec__ = importlib.util.find_spec(package)
        sys.modules[package] = module
    return importlib.import_module(f"{package}.{name}")


def file_of(package: str, path: str) -> Any:
    """Run one file of a package by itself."""
    name = f"{package}_{path}".replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, _folder_of(package) / path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} has no file {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _folder_of(package: str) -> Path:
    """Return where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{package} is not a package with a folder")
    return Path(spec.submodule_search_locations[0])
