"""What records that are kept as JSON have in common."""

from __future__ import annotations

from typing_extensions import TypeAliasType

STRICT = {"extra": "forbid"}
"""How pydantic reads these records from JSON: an unknown part is an error."""


Nested = TypeAliasType("Nested", "str | tuple[Nested, ...]")
"""Numbers as text, nested as deep as a tensor has axes."""


def written(values: Nested) -> str:
    """Return nested numbers as one line."""
    if isinstance(values, str):
        return values
    return f"[{', '.join(written(part) for part in values)}]"
