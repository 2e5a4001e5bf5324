"""A plot of marks in groups over a logarithmic axis, as an SVG picture without script.

Colours come from the page's style, so that it follows light and dark; each series has a shape of
its own too. The picture is drawn small, so that its letters can be read on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from markupsafe import Markup

from derive.publish.rendering import render

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 6, 46, 36
SIZE = 3.6
"""Half the width of a mark."""

SHAPES = (
    "M0,-1 A1,1 0 1 1 0,1 A1,1 0 1 1 0,-1 Z",
    "M-0.9,-0.9 H0.9 V0.9 H-0.9 Z",
    "M0,-1.1 L1.1,0.9 H-1.1 Z",
    "M0,-1.25 L1.25,0 L0,1.25 L-1.25,0 Z",
)
"""Circle, square, triangle and diamond, of size one: one for each series, in order."""


@dataclass(frozen=True)
class Mark:
    """One mark: its group, its series and its style by number, its value, and what it says."""

    group: int
    series: int
    style: int
    value: float
    label: str


@dataclass(frozen=True)
class _Placed:
    x: float
    y: float
    mark: Mark


def log_plot(
    key: str,
    *,
    title: str,
    description: str,
    groups: Sequence[str],
    series: Sequence[str],
    styles: Sequence[str],
    marks: Sequence[Mark],
) -> Markup:
    """Draw marks over their groups; the axis runs over whole powers of ten and begins at one.

    Args:
        key: What makes the picture's identifiers its own on a page.
        title: What the picture shows, for those who hear it.
        description: The same at length.
        groups: Names under the axis.
        series: Names of the shapes and colours, four at most.
        styles: Names of hollow and filled marks, two at most.
        marks: Positive values.
    """
    if len(series) > len(SHAPES) or len(styles) > 2:
        raise ValueError(f"{len(series)} series and {len(styles)} styles: there are 4 and 2")
    values = [mark.value for mark in marks]
    low = min(0, floor(log10(min(values, default=1))))
    high = max(1, ceil(log10(max(values, default=1))))
    ticks = range(low, high + 1)

    def height(power: float) -> float:
        part = (power - low) / (high - low)
        return round(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM), 1)

    return render(
        "plot",
        key=key,
        title=title,
        description=description,
        width=WIDTH,
        plot_height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        size=SIZE,
        shapes=SHAPES,
        ticks=[{"y": height(power), "label": _power(power)} for power in ticks],
        groups=[{"x": _middle(place, groups), "label": name} for place, name in enumerate(groups)],
        borders=[round(LEFT + place * _breadth(groups), 1) for place in range(1, len(groups))],
        series=[
            {"x": LEFT + 4 + place * (WIDTH - LEFT - RIGHT) / len(series), "label": name}
            for place, name in enumerate(series)
        ],
        styles=[
            {"x": LEFT + 4 + place * (WIDTH - LEFT - RIGHT) / len(series), "label": name}
            for place, name in enumerate(styles)
        ],
        placed=[
            _Placed(_across(mark, groups, series, styles), height(log10(mark.value)), mark)
            for mark in marks
        ],
    )


def _breadth(groups: Sequence[str]) -> float:
    return (WIDTH - LEFT - RIGHT) / max(1, len(groups))


def _middle(group: int, groups: Sequence[str]) -> float:
    return round(LEFT + (group + 0.5) * _breadth(groups), 1)


def _across(
    mark: Mark, groups: Sequence[str], series: Sequence[str], styles: Sequence[str]
) -> float:
    """Give each series of a group a lane, and each style a half of it."""
    lanes = len(series) * len(styles)
    lane = mark.series * len(styles) + mark.style
    offset = (lane + 0.5) / lanes - 0.5
    return round(_middle(mark.group, groups) + 0.86 * offset * _breadth(groups), 1)


def _power(power: int) -> str:
    """Write a power of ten: 1000 in digits, larger ones as such."""
    if 0 <= power <= 3:
        return f"{10**power}"
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
