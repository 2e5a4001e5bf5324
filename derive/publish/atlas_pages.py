"""The pages of the atlas, one for each mechanism, written from its definition alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import relpath
from types import MappingProxyType
from typing import Any

from derive.examples import BUILT_IN, load
from derive.publish.markdown import markdown_text
from derive.theorems import THEOREMS
from derive.variants import ATLAS, by_family
from derive.variants.variant import Variant

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
    for family, variants in by_family():
        yield {family: [{one.title: f"{folder}/{one.key}.md"} for one in variants]}


def pages(folder: str, sources: Mapping[str, str]) -> dict[str, str]:
    """Return the Markdown of every page of the atlas by its path.

    ``sources`` are the pages that were written by hand: each theorem stands on the one whose fence
    asks for it, and the others on the page of theorems.
    """
    homes = _homes(sources)
    theorems = f"{folder}/theorems.md"
    written = {f"{folder}/{key}.md": page(one, folder, homes) for key, one in ATLAS.items()}
    return written | {theorems: _theorem_page(folder, homes)}


def with_anchors(markdown: str) -> str:
    """Put an anchor before each fence that asks for a theorem, so that links to it are checked."""
    return _THEOREM_FENCE.sub(
        lambda fence: f'<a id="theorem-{fence["name"]}"></a>\n\n{fence.group()}', markdown
    )


_THEOREM_FENCE = re.compile(r"^```attention\ntheorem: *(?P<name>[a-z-]+) *$", re.MULTILINE)


def _homes(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the page on which each theorem's proof stands, where a page asks for it."""
    return {
        name: path
        for path, text in sources.items()
        for name in _THEOREM_FENCE.findall(text)
        if name in THEOREMS
    }


def _address(name: str, folder: str, homes: Mapping[str, str]) -> str:
    """Return the address of a theorem, from a page in ``folder``."""
    path = homes.get(name, f"{folder}/theorems.md")
    return f"{relpath(path, folder)}#theorem-{name}"


def _theorem_page(folder: str, homes: Mapping[str, str]) -> str:
    """Return the page of all theorems: a table, and the proofs that stand nowhere else."""
    rows = [
        f"| [{markdown_text(found.title)}]({_address(name, folder, homes)}) | {found.kind} |"
        for name, found in THEOREMS.items()
    ]
    blocks = [
        "# Theorems",
        "What is equal to what, and why. Each proof is a chain of steps that holds for every "
        "number of tokens, unless it says otherwise; every step has been compared, entry by entry, "
        "with SymPy's own arithmetic at small shapes. Where a program computes a step of it, the "
        "program's own operations were proved to be that step.",
        "\n".join(["| theorem | holds |", "|---|---|", *rows]),
    ]
    for name, found in THEOREMS.items():
        if name not in homes:
            blocks += [
                f"## {markdown_text(found.title)}",
                f"```attention\ntheorem: {name}\nshow: [theorem]\n```",
            ]
    return "\n\n".join(blocks) + "\n"


def page(
    variant: Variant, folder: str = "", homes: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return the Markdown of one mechanism's page; ``homes`` tells where theorems stand."""
    blocks = [
        f"# {markdown_text(variant.title)}",
        markdown_text(variant.summary),
        _fence(variant, "sources", "changes"),
        f"More on [{markdown_text(ATLAS[variant.against].title)}]({variant.against}.md); any two "
        "stand side by side on [the comparison](compare.md).",
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
    about = [name for name, found in THEOREMS.items() if variant.key in found.variants]
    if about:
        blocks += [
            "## Theorems",
            "\n".join(
                f"- [{markdown_text(THEOREMS[name].title)}]({_address(name, folder, homes)})"
                for name in about
            ),
        ]
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
