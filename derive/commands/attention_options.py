"""The options that say what attention a sentence is worked with, for every command about one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from derive.composition import Composition
    from derive.examples import Example

_OPTIONS = (
    click.option(
        "--mechanism",
        type=click.Choice(["softmax", "sum", "raw", "shifted", "scaled"]),
        help="How scores become weights, or whether they are scaled first.  [default: softmax]",
    ),
    click.option("--scale", help="A factor of the scores: 1/sqrt(d), a number, or none."),
    click.option("--mask", type=click.Choice(["causal", "none"]), help="Which keys are seen."),
    click.option(
        "--projections",
        type=click.Choice(["small", "none"]),
        help="Small matrices that make queries, keys and values; a file may hold others.",
    ),
)


def attention_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; what a sentence's file says is the default of each."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def composition(
    example: Example,
    mechanism: str | None,
    scale: str | None,
    mask: str | None,
    projections: str | None,
) -> Composition:
    """Return the attention that the options describe, and the file where they say nothing."""
    from derive.settings import SettingsKeys

    keys = SettingsKeys(mechanism=mechanism, scale=scale, mask=mask, projections=projections)
    settings = keys.settings(example.where).over(example.settings)
    return settings.composition(example.shape[1], example.where)
