"""What a mask leaves out, in words where there are some, else as a small grid."""

from __future__ import annotations

import numpy

from derive.explaining.terms import Places

LARGEST_GRID = 16
"""Rows and columns up to which a mask is drawn."""


def described(keep: Places) -> str:
    """Say which keys are left out, for a mask whose last axes are queries and keys."""
    keys = keep.shape[-1]
    grids = keep.reshape(-1, keep.shape[-2] if keep.ndim > 1 else 1, keys)
    if (grids == grids[0]).all():
        return _grid(grids[0])
    each = [_grid(grid) for grid in grids]
    different = list(dict.fromkeys(each))
    parts = [
        f"in {_places([p + 1 for p, one in enumerate(each) if one == text])}: {text}"
        for text in different
    ]
    return f"of {len(grids)} blocks, " + "; ".join(parts)


def _grid(keep: Places) -> str:
    queries, keys = keep.shape
    if keep.all() or not keep.any():
        return "no key is left out" if keep.all() else "every key is left out"
    ahead = keys - queries
    rows, columns = numpy.indices(keep.shape)
    distance: Places = numpy.asarray(columns - rows)
    if (keep == keep[:1]).all() and queries > 1:
        out = [int(place) + 1 for place in numpy.flatnonzero(~keep[0])]
        return f"{_named('key', out)} left out" if out else "no key is left out"
    first = _band(keep, distance)
    last = _band(keep, numpy.asarray(distance - ahead)) if ahead else ""
    if "causal" in last:
        return f"{last}, the last query aligned with the last key"
    if first:
        return f"{first}, the first query aligned with the first key" if ahead else first
    if max(keep.shape) > LARGEST_GRID:
        count = int((~keep).sum())
        return f"{count} of {keep.size} pairs of query and key are left out, in no simple pattern"
    drawn = " / ".join("".join("x" if one else "." for one in row) for row in keep)
    return f"only the pairs marked x are kept (a row for each query): {drawn}"


def _band(keep: Places, distance: Places) -> str:
    """Describe a mask that keeps an interval of distances key - query."""
    kept, left = distance[keep], distance[~keep]
    low, high = int(kept.min()), int(kept.max())
    if ((left >= low) & (left <= high)).any():
        return ""
    upper, lower = bool((left > high).any()), bool((left < low).any())
    parts = []
    if upper:
        parts.append(_after(high))
    if lower and upper and -low == high and high > 0:
        return f"keys more than {high} away from the query are left out"
    if lower:
        parts.append(_back(-low))
    suffix = " (causal)" if upper and high == 0 else ""
    if len(parts) == 2:
        return f"{parts[0]} are left out{suffix}, and {parts[1]}"
    return f"{parts[0]} are left out{suffix}"


def _after(high: int) -> str:
    if high == 0:
        return "keys after the query"
    if high == -1:
        return "the query's own key and keys after it"
    if high > 0:
        return f"keys more than {high} after the query"
    return f"keys less than {-high} before the query"


def _back(low: int) -> str:
    if low == 0:
        return "keys before the query"
    if low == -1:
        return "the query's own key and keys before it"
    if low > 0:
        return f"keys more than {low} back"
    return f"keys less than {-low} after the query"


def _named(noun: str, places: list[int]) -> str:
    plural = "s" if len(places) > 1 else ""
    return f"{noun}{plural} {_places(places)} {'are' if plural else 'is'}"


def _places(places: list[int]) -> str:
    texts = [str(place) for place in places]
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
