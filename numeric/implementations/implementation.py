"""What an implementation of a mechanism is: where it stands, how it is called, with what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from derive.implementations import Key

Program = Callable[..., Any]

NO_SIZES: Mapping[str, int] = {}


@dataclass(frozen=True, eq=False)
class Implementation:
    """A function or class of a package, as a program that takes a formula's arrays.

    Attributes:
        mechanism: The key of the mechanism in the atlas.
        package: The package as pip knows it.
        name: The path by which its users import the function or class.
        build: Imports it and returns a function of tensors: the formula's inputs, in order.
        call: Options, and what of the wrapping a reader must know.
        without: Roles of the parts of the mechanism whose results the function is given.
        sizes: Sizes by their letters, where they are not those of ``inputs``.
        values: Returns the values of those inputs that the package itself makes, by name; these
            are held fixed.
        differs: Why it computes something else, or why that cannot be decided.
    """

    mechanism: str
    package: str
    name: str
    build: Callable[[], Program]
    call: str = ""
    without: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=lambda: NO_SIZES)
    values: Callable[[], Mapping[str, Any]] = dict
    differs: str = ""

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.mechanism, self.package, self.name, self.call
