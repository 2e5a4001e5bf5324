"""All weights of a sentence as one drawing, for a page, a slide or a paper."""

from __future__ import annotations

from derive.formula import a
from derive.publish.lines import rounded
from derive.publish.rendering import render
from derive.publish.telling import Telling
from derive.publish.words import title
from derive.visible import shortened

CELL, GAP, LETTER = 58, 2, 8.2
"""Sizes of a cell, the space between two, and a letter's usual width, in pixels."""

LONGEST = 18
"""Characters of a token that are drawn; its title has all of them."""


def heatmap_svg(telling: Telling) -> str:
    """Return the weights as SVG: a row for each query, a column for each key, stronger is darker.

    It has a title and a description, and takes the colours of a dark page where there is one.
    """
    worked, tokens = telling.worked, telling.example.tokens
    weights = worked[a].astype(float)
    strongest = max(float(abs(weights).max()), 1e-300)
    names = [shortened(token, LONGEST) for token in tokens]
    left = round(max(map(len, names)) * LETTER) + 18
    top = round(max(map(len, names)) * LETTER * 0.75) + 18
    cells = [
        {
            "x": left + column * CELL,
            "y": top + row * CELL,
            "strength": round(abs(float(weights[row, column])) / strongest, 3),
            "negative": bool(weights[row, column] < 0),
            "value": rounded(worked[a][row, column], min(telling.digits, 4)),
        }
        for row in range(len(tokens))
        for column in range(len(tokens))
    ]
    svg = render(
        "heatmap_svg",
        title=telling.example.title,
        mechanism=title(worked.mechanism.title),
        names=names,
        tokens=tokens,
        cells=cells,
        left=left,
        top=top,
        cell=CELL,
        side=CELL - GAP,
        width=left + len(tokens) * CELL + top,
        height=top + len(tokens) * CELL + 8,
    )
    return str(svg)
