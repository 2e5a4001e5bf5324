"""What a run would surely have caught, in words."""

from __future__ import annotations

from numeric.rounding.resolution import Resolution


def words(resolved: Resolution) -> tuple[str, ...]:
    """Say in words what a run resolves."""
    blind = "none: nothing up to the number itself is surely seen at these inputs"
    return (
        f"a scale that is wrong by {resolved.scale:.2g} of itself"
        if resolved.scale is not None
        else f"a wrong scale: {blind}",
        f"a hidden key that gets a weight of {resolved.leak:.2g} where that shows best"
        + (f", of {resolved.any_leak:.2g} anywhere" if resolved.any_leak is not None else "")
        if resolved.leak is not None
        else "no leak through a mask can be seen at these inputs",
        f"one query's output that is off by {resolved.row:.2g} of its largest element"
        if resolved.row is not None
        else f"one query's output that is off: {blind}",
    )
