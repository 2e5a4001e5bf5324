"""What a file or a fence says about the attention that its sentence is worked with.

::

    mechanism: softmax            # sum, raw, shifted; scaled is softmax with scale: 1/sqrt(d)
    scale: 1/sqrt(d)              # or a number, or none
    mask: causal                  # or none
    projections: small            # the atlas's matrices, or none, or three of one's own:
    projections:
      query: [[1.5, -0.6], [0.4, 1.2]]    # a row for each dimension of the vectors
      key: [[0.9, 0.7], [-1.1, 0.4]]
      value: [[1.0, -0.5], [0.2, 0.8]]
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from derive.decimals import Number, Rows, read_decimal
from derive.errors import InputError
from derive.visible import quoted

if TYPE_CHECKING:
    from derive.composition import Composition

Normaliser = Literal["softmax", "sum", "raw", "shifted"]
"""How a row of scores becomes a row of weights."""

_NORMALISERS: dict[str, Normaliser] = {
    "softmax": "softmax",
    "sum": "sum",
    "raw": "raw",
    "shifted": "shifted",
    "scaled": "softmax",
}

MECHANISM_NAMES = tuple(_NORMALISERS)
"""The mechanisms that a sentence is worked with, as a file or a command names them."""

ROOT: Literal["1/sqrt(d)"] = "1/sqrt(d)"
"""One over the square root of how many dimensions a key has."""

ROLES = ("query", "key", "value")

Scale = Fraction | Literal["1/sqrt(d)", "none"]
Matrices = tuple[Rows, Rows, Rows] | Literal["none", "small"]


@dataclass(frozen=True)
class Settings:
    """Each setting as it was written, or ``None`` where nothing was."""

    mechanism: str | None = None
    scale: Scale | None = None
    causal: bool | None = None
    projections: Matrices | None = None

    def over(self, others: Settings) -> Settings:
        """Return these settings, and those of ``others`` where these say nothing."""
        return Settings(
            others.mechanism if self.mechanism is None else self.mechanism,
            others.scale if self.scale is None else self.scale,
            others.causal if self.causal is None else self.causal,
            others.projections if self.projections is None else self.projections,
        )

    def composition(self, dimensions: int, where: str) -> Composition:
        """Return the attention that they describe for vectors of so many ``dimensions``.

        Raises ``InputError`` for a mechanism that no sentence is worked with, for settings that
        contradict each other, and for matrices that do not fit the vectors.
        """
        from derive.composition import Composition, Projections

        name = self.mechanism or "softmax"
        if name not in _NORMALISERS:
            raise InputError(
                where,
                "mechanism",
                f"a sentence is not worked with {quoted(name)}",
                f"write one of {', '.join(MECHANISM_NAMES)}",
            )
        scale = self.scale
        if name == "scaled":
            if scale not in (None, ROOT):
                raise InputError(
                    where,
                    "scale",
                    "mechanism: scaled has the scale 1/sqrt(d) already",
                    "leave one of the two out",
                )
            scale = ROOT
        if isinstance(self.projections, tuple):
            _check_fit(self.projections, dimensions, where)
            projections: Projections | None = Projections(*self.projections)
        else:
            small = self.projections == "small"
            projections = Projections.small(dimensions) if small else None
        return Composition(
            _NORMALISERS[name],
            None if scale == "none" else scale,
            bool(self.causal),
            projections,
        )


class SettingsKeys(BaseModel):
    """The keys of the settings, each as text."""

    mechanism: str | None = None
    scale: str | None = None
    mask: str | None = None
    projections: str | dict[str, list[list[str]]] | None = None

    def settings(self, where: str) -> Settings:
        """Read the settings; ``InputError`` says in one line what to change."""
        return Settings(
            self.mechanism,
            read_scale(self.scale, where),
            read_mask(self.mask, where),
            _read_projections(self.projections, where),
        )


def read_scale(text: str | None, where: str, key: str = "scale") -> Scale | None:
    """Return the scale that is written: ``none``, ``1/sqrt(d)`` or a decimal that is not zero."""
    if text is None:
        return None
    if "".join(text.split()) == ROOT:
        return ROOT
    if text == "none":
        return "none"
    try:
        value = read_decimal(text, where, key)
    except InputError as error:
        remedy = "write 1/sqrt(d), none, or a decimal such as 0.5"
        raise InputError(where, key, error.problem, remedy) from None
    if not value:
        raise InputError(where, key, "a scale of zero makes all scores equal", "write another")
    return value


def read_mask(text: str | None, where: str, key: str = "mask") -> bool | None:
    """Return whether the mask that is written is causal."""
    if text not in (None, "none", "causal"):
        raise InputError(
            where, key, f"{quoted(text)} is no mask of a sentence", "write causal or none"
        )
    return None if text is None else text == "causal"


def _read_projections(
    written: str | dict[str, list[list[str]]] | None, where: str
) -> Matrices | None:
    if written is None:
        return None
    if written == "none":
        return "none"
    if written == "small":
        return "small"
    if isinstance(written, str):
        remedy = "write small, none, or matrices under query:, key: and value:"
        raise InputError(where, "projections", f"{quoted(written)} is unknown", remedy)
    for role in written:
        if role not in ROLES:
            unknown = f"projections.{role}"
            remedy = "the keys are query, key and value"
            raise InputError(where, unknown, "this key is unknown", remedy)
    for role in ROLES:
        if role not in written:
            missing = f"projections.{role}"
            raise InputError(where, missing, "it is missing", "give all of query, key and value")
    query, key, value = (_matrix(written[role], where, f"projections.{role}") for role in ROLES)
    if len(query[0]) != len(key[0]):
        raise InputError(
            where,
            "projections.key",
            f"its rows have {len(key[0])} numbers, those of query have {len(query[0])}",
            "a score multiplies them one by one: give both as many",
        )
    return query, key, value


def _matrix(rows: list[list[str]], where: str, key: str) -> Rows:
    if not rows or not rows[0]:
        raise InputError(where, key, "the matrix is empty", "write rows such as [0.5, 1]")
    for place, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise InputError(
                where,
                f"{key}[{place}]",
                f"this row has {len(row)} numbers, the first has {len(rows[0])}",
                "give every row as many",
            )
    return tuple(
        tuple(
            Number(
                read_decimal(text, where, f"{key}[{row_place}][{place}]"),
                text.strip().removeprefix("+"),
            )
            for place, text in enumerate(row, start=1)
        )
        for row_place, row in enumerate(rows, start=1)
    )


def _check_fit(matrices: tuple[Rows, Rows, Rows], dimensions: int, where: str) -> None:
    for role, rows in zip(ROLES, matrices, strict=True):
        if len(rows) != dimensions:
            raise InputError(
                where,
                f"projections.{role}",
                f"the matrix has {len(rows)} rows, the vectors have {dimensions} numbers",
                "give it a row for each number of a vector",
            )
