"""The source text of the torch functions that compute each stage, read without importing torch."""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@cache
def function_source(name: str, *, module: str = "reference") -> str:
    """Return the source of ``numeric.<module>.<name>`` as it stands in the file.

    Raises ``LookupError`` naming the functions there are.
    """
    path = _package() / f"{module}.py"
    text = path.read_text(encoding="utf-8")
    functions = {
        node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)
    }
    if name not in functions:
        known = ", ".join(sorted(functions))
        raise LookupError(f"numeric/{module}.py has no function {name!r}; it has {known}")
    segment = ast.get_source_segment(text, functions[name])
    if segment is None:
        raise LookupError(f"the source of numeric.{module}.{name} cannot be read")
    return segment


def _package() -> Path:
    # find_spec locates a top-level package without running it, so torch stays out.
    spec = find_spec("numeric")
    if spec is None or spec.origin is None:
        raise LookupError("the package 'numeric' is not installed beside 'derive'")
    return Path(spec.origin).parent
