"""The source text of the torch functions that compute each stage, read without importing torch."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from derive.errors import InputError


@cache
def function_source(name: str, *, module: str = "reference") -> str:
    """Return the source of ``numeric.<module>.<name>`` as it stands in the file.

    Raises ``InputError`` naming the functions there are.
    """
    path = _package() / f"{module}.py"
    text = path.read_text(encoding="utf-8")
    functions = {
        node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)
    }
    if name not in functions:
        known = ", ".join(sorted(functions))
        raise InputError(f"numeric/{module}.py", "", f"there is no {name!r}", f"it has {known}")
    return ast.get_source_segment(text, functions[name]) or ""


def _package() -> Path:
    # find_spec locates a top-level package without running it, so torch stays out.
    spec = find_spec("numeric")
    if spec is None or spec.origin is None:
        raise InputError("numeric", "", "it is not installed", "install attention-derived whole")
    return Path(spec.origin).parent
