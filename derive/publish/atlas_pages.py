"""The pages of the atlas, one for each mechanism, written from its definition alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from derive.examples import BUILT_IN, load
from derive.publish.markdown import markdown_text
from derive.variants import ATLAS
from derive.variants.variant import FAMILIES, Variant

EVERY_PAGE = "/*"
"""How an entry of the navigation ends that stands for the pages of all mechanisms."""


def expanded(nav: Sequence[Any]) -> tuple[list[Any], str | None]:
    """Put the pages of all mechanisms in place of ``Title: folder/*``.

    Returns the navigation, and the folder; None where no entry asks for the pages.
    """
    entries: list[Any] = []
    folder: str | None = None
    for entry in nav:
        if isinstance(entry, dict):
            ((title, target),) = entry.items()
            if isinstance(target, list):
                inner, found = expanded(target)
                entries.append({title: inner})
                folder = folder or found
                continue
            if isinstance(target, str) and target.endswith(EVERY_PAGE):
                folder = target.removesuffix(EVERY_PAGE)
                entries += _sections(folder)
                continue
        entries.append(entry)
    return entries, folder


def _sections(folder: str) -> Iterator[dict[str, list[dict[str, str]]]]:
    for family in FAMILIES:
        pages = [
            {variant.title: f"{folder}/{variant.key}.md"}
            for variant in ATLAS.values()
            if variant.family == family
        ]
        if pages:
            yield {family: pages}


def page(variant: Variant) -> str:
    """Return the Markdown of one mechanism's page."""
    blocks = [
        f"# {markdown_text(variant.title)}",
        markdown_text(variant.summary),
        _fence(variant, "sources", "changes"),
        "## Properties",
        "Each is decided for every number of tokens: proved, or refuted by the smallest "
        "counterexample found. Open one to read why.",
        _fence(variant, "properties"),
        "## In numbers",
        _fence(variant, "inputs"),
    ]
    for name in reversed(BUILT_IN):
        blocks += [f"### {markdown_text(load(name).title)}", _fence(variant, "weights", name)]
    blocks += [
        "## Gradient",
        "What a small change of each array does to the result, from the result back to the "
        "inputs. A bar marks the gradient by an array; the one by the result is given.",
        _fence(variant, "gradient"),
        "## Written out",
        "### Two tokens",
        _fence(variant, "written-out", tokens=2),
        "### Three tokens",
        _fence(variant, "written-out", tokens=3),
        "## Code",
        _fence(variant, "torch-code", "checked"),
        "## Shapes and cost",
        _fence(variant, "shapes", "cost"),
        "## Who computes it",
        _fence(variant, "implementations"),
    ]
    if variant.also:
        blocks += ["## Theorems", _fence(variant, "theorems")]
    return "\n\n".join(blocks) + "\n"


def _fence(variant: Variant, *parts: str, tokens: int | None = None) -> str:
    *shown, last = parts
    lines = [f"mechanism: {variant.key}"]
    if last in BUILT_IN:
        lines.append(f"example: {last}")
    else:
        shown.append(last)
    lines.append(f"show: [{', '.join(shown)}]")
    if tokens is not None:
        lines.append(f"n: {tokens}")
    return "\n".join(["```attention", *lines, "```"])
