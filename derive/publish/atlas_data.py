"""The atlas as plain data, for programs: everything that follows from each definition."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

from derive.code import source
from derive.counting import KINDS, operations
from derive.evidence import PropertyResult
from derive.examples import BUILT_IN, load
from derive.formula import Mechanism, Stage
from derive.gradients import vector_jacobian_product
from derive.publish.entries import entries
from derive.publish.notation import Latex, Text
from derive.publish.writing import equation
from derive.small_sizes import small_sizes
from derive.symbolic_shapes import symbolic_shapes
from derive.variants import ATLAS
from derive.variants.variant import Variant
from derive.worked import work_out_variant

Decided = Callable[[Variant], Iterable[PropertyResult]]
"""Gives the properties of a mechanism, decided and checked."""

FORMAT = 1
"""Version of the data's form."""


def atlas_as_data(decided: Decided) -> dict[str, Any]:
    """Return the whole atlas, every mechanism by its key, in order; ``decided`` tells properties.

    They take long to decide, so a caller who has them brings them.
    """
    mechanisms = {key: variant_as_data(variant, decided) for key, variant in ATLAS.items()}
    return {"format": FORMAT, "version": version("attention-derived"), "mechanisms": mechanisms}


def atlas_as_json(decided: Decided) -> str:
    """Return the whole atlas as JSON text."""
    data = atlas_as_data(decided)
    return json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def variant_as_data(variant: Variant, decided: Decided) -> dict[str, Any]:
    """Return one mechanism: its formula, gradient, properties, code, and the worked numbers."""
    return {
        **formula_as_data(variant),
        "gradient": [_stage(stage) for stage in vector_jacobian_product(variant.mechanism).stages],
        "properties": [property_as_data(found) for found in decided(variant)],
        "operations": {
            name: str(getattr(operations(variant.mechanism).total, name)) for name in KINDS
        },
        "torch": source(variant.mechanism, "torch"),
        "numbers": {name: _numbers(variant, name) for name in BUILT_IN},
    }


def formula_as_data(variant: Variant) -> dict[str, Any]:
    """Return what a mechanism is called, where it comes from, its shapes and its equations."""
    mechanism = variant.mechanism
    return {
        "key": variant.key,
        "title": variant.title,
        "family": variant.family,
        "summary": variant.summary,
        "sources": [
            {
                "authors": found.authors,
                "year": found.year,
                "title": found.title,
                "address": found.address,
                "place": found.place,
            }
            for found in variant.sources
        ],
        "given": [str(base) for base in mechanism.inputs],
        "shapes": {
            str(base): [str(size) for size in shape]
            for base, shape in symbolic_shapes(mechanism).items()
        },
        "relations": [f"{left} = {right}" for left, right in mechanism.relations],
        "formula": [
            {"role": choice.role, "way": choice.title, **_stage(stage)}
            for choice in mechanism.choices
            for stage in choice.stages
        ],
    }


def entries_as_data(mechanism: Mechanism, tokens: int, dimensions: int | None) -> dict[str, Any]:
    """Return every entry written out for a few tokens, as LaTeX."""
    sizes = small_sizes(mechanism, tokens, dimensions)
    return {
        "sizes": {str(size): length for size, length in sizes.items()},
        "entries": {
            str(stage.array): {row.name: row.value for row in rows}
            for stage, rows in entries(mechanism, sizes, Latex())
        },
    }


def property_as_data(found: PropertyResult) -> dict[str, Any]:
    """Return a property: what it says, and how it was decided."""
    return {
        "name": found.name,
        "statement": found.statement,
        "verdict": found.verdict,
        "where": list(found.conditions),
        "how": found.method,
    }


def _stage(stage: Stage) -> dict[str, str]:
    return {"array": str(stage.array), "latex": equation(stage), "text": equation(stage, Text())}


def _numbers(variant: Variant, name: str) -> dict[str, Any]:
    worked = work_out_variant(load(name), variant)
    return {
        str(base): worked.floats(base)
        for base in (*variant.mechanism.inputs, *(s.array for s in variant.mechanism.stages))
    }
