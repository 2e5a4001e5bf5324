"""What can be chosen about scaled dot-product attention, and which choices make no sense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sympy import Expr, Integer

from derive.formula import FormulaError

Causal = Literal["top-left", "bottom-right"]
EmptyRows = Literal["undefined", "zero", "uniform"]
Grouping = Literal["consecutive", "interleaved"]

CHOICES = {
    "causal": (None, "top-left", "bottom-right"),
    "empty_rows": ("undefined", "zero", "uniform"),
    "grouped": (None, "consecutive", "interleaved"),
    "projections": (None, "self", "cross"),
    "leading": (0, 1, 2),
}
"""The values that an option may have."""


@dataclass(frozen=True)
class Options:
    """The options of scaled dot-product attention; sizes stay letters unless given here.

    ``scale`` multiplies the scores; without it 1/sqrt(d).

    ``causal`` keeps, of query i, the keys j <= i (``top-left``: torch's ``is_causal``), or those
    with j <= i + n - n_q (``bottom-right``: the last query sees every key). ``window`` W keeps
    exactly the last W of these: i - W < j <= i, as transformers' ``sliding_window``.

    ``soft_cap`` c puts c tanh(s/c) in place of each score s, before ``bias`` is added.

    ``bias`` is a given array B of real numbers that is added to the scores, ``mask`` a given array
    M of zeros and ones: 1 where the query may see the key. Each is False, True for one number for
    every score, or its axes: "ij", "hij", "b1ij" (1 for an axis of length 1).

    ``empty_rows`` says what a query gets that may see no key: nothing (0/0), zero, or the plain
    mean of all values. It changes nothing where no row can be empty.

    ``leading`` is how many axes stand before the tokens: 0 for Q[i, k], 1 for heads, 2 for
    sentences and heads.

    ``grouped`` has several query heads share one head of keys and values: ``consecutive`` ones,
    floor((h-1)/r) + 1 with r = n_h/n_g, or every n_g-th, ``interleaved``.

    ``projections`` starts from tokens: queries, keys and values from x, or in ``cross`` attention
    keys and values from y, by weights as torch's ``Linear`` has them (a row for each feature that
    comes out), and merges the heads by W_o. They need ``heads``, and ``kv_heads`` if grouped;
    ``projection_bias`` adds b_q, b_k, b_v and b_o. ``packed`` has the rows of W_q, W_k and W_v one
    after the other in W_in, and the biases in b_in, as ``nn.MultiheadAttention`` has them.
    """

    scale: Expr | None = None
    causal: Causal | None = None
    window: int | None = None
    soft_cap: Expr | None = None
    bias: bool | str = False
    mask: bool | str = False
    empty_rows: EmptyRows = "undefined"
    leading: int = 0
    grouped: Grouping | None = None
    projections: Literal["self", "cross"] | None = None
    heads: int | None = None
    kv_heads: int | None = None
    projection_bias: bool = True
    packed: bool = False

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices or isinstance(value, bool):
                shown = ", ".join(repr(choice) for choice in choices)
                raise FormulaError(f"{name}={value!r}: write one of {shown}")
        for name in ("scale", "soft_cap"):
            value = getattr(self, name)
            if isinstance(value, float) or not isinstance(value, Expr | int | None):
                raise FormulaError(
                    f"{name}={value!r}: write an exact number, such as Rational(1, 8)"
                )
        for name in ("window", "heads", "kv_heads"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise FormulaError(f"{name}={value!r}: write a whole number from 1 on")
        if self.soft_cap is not None and not Integer(0) < self.soft_cap:
            raise FormulaError(f"soft_cap={self.soft_cap}: write a positive number")
        if self.window and not self.causal:
            raise FormulaError("window counts back from the query: add causal='top-left'")
        self._check_axes()
        self._check_heads()

    def described(self) -> list[str]:
        """Say in words what was chosen; what is left as it is goes without saying."""
        said = {
            f"causal ({self.causal})": self.causal,
            f"a window of {self.window} keys": self.window,
            f"scale {self.scale}": self.scale,
            f"soft cap {self.soft_cap}": self.soft_cap,
            "a bias added": self.bias,
            "a mask": self.mask,
            f"empty rows {self.empty_rows}": self.empty_rows != "undefined",
            f"{self.grouped} grouped heads": self.grouped,
            f"{self.projections} attention with projections": self.projections,
        }
        return [words for words, chosen in said.items() if chosen]

    def axes(self, name: Literal["bias", "mask"]) -> str:
        """Return the axes of the bias or of the mask, a letter or 1 for each."""
        chosen = getattr(self, name)
        return chosen if isinstance(chosen, str) else "bh"[2 - self.leading :] + "ij"

    def _check_axes(self) -> None:
        for name in ("bias", "mask"):
            axes = getattr(self, name)
            if isinstance(axes, bool):
                continue
            longest = "bh"[2 - self.leading :] + "ij"
            ends = longest[len(longest) - len(axes) :]
            if not axes or any(a not in (b, "1") for a, b in zip(axes, ends, strict=False)):
                raise FormulaError(
                    f"{name}={axes!r} with leading={self.leading}: write True, or the last of "
                    f"{longest!r}, each its letter or 1"
                )
            if len(axes) > len(longest):
                raise FormulaError(f"{name}={axes!r}: more axes than the scores' {longest!r}")

    def _check_heads(self) -> None:
        if (self.grouped or self.projections) and not self.leading:
            raise FormulaError("heads need an axis: write leading=1, or leading=2 with sentences")
        if self.projections and self.heads is None:
            raise FormulaError("the shape of W_q does not tell how many heads there are: add heads")
        if self.packed and not self.projections:
            raise FormulaError("packed weights are those of projections: add projections='self'")
        if not self.projections and (self.heads or self.kv_heads):
            raise FormulaError("heads are counted from the arrays' shapes unless projections is on")
        if self.kv_heads and not self.grouped:
            raise FormulaError("kv_heads needs grouped='consecutive' or 'interleaved'")
        if self.projections and self.grouped:
            if self.kv_heads is None:
                raise FormulaError("grouped projections need kv_heads")
            if self.heads is not None and self.heads % self.kv_heads:
                raise FormulaError(f"heads={self.heads} do not divide into {self.kv_heads} groups")
