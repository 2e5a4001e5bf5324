"""An attention program, what it is meant to compute, and at which sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from derive.options import Options

Program = Callable[..., Any]
Layout = Literal["contiguous", "transposed", "expanded"]

DTYPES = ("float64", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Sizes:
    """Query is (batch, heads, queries, dim), key (batch, kv_heads, tokens, dim)."""

    batch: int
    heads: int
    kv_heads: int
    queries: int
    tokens: int
    dim: int
    value_dim: int


@dataclass(frozen=True)
class Case:
    """A program and the attention that it is meant to be.

    ``program`` is called as program(query, key, value), then the bias and the mask, of which there
    are those that ``options`` has, with two leading axes: sentences and heads.

    ``source`` is where it was published, "owner/repository number", or "" for a correct program.
    ``backward`` says that the output is right and a gradient wrong. ``note`` says which inputs show
    a bug that random normal ones do not. ``layout`` is how the tensors lie in memory: as kernels
    expect, with heads and tokens exchanged as projections leave them, or one head of keys and
    values shared by a stride of zero. ``dtypes`` are the types in which the program is wrong.

    ``contract`` is the kind of contract that it breaks, "fused" where it stores what a fused kernel
    keeps in float32; "" where it is wrong by any. ``hidden_anything`` says that what no query may
    see may be NaN.
    """

    name: str
    source: str
    program: Program
    options: Options
    shape: Sizes
    backward: bool = False
    note: str = ""
    layout: Layout = "contiguous"
    dtypes: tuple[str, ...] = DTYPES
    contract: str = ""
    hidden_anything: bool = False

    @property
    def address(self) -> str:
        """The page of the source."""
        repository, _, number = self.source.partition(" ")
        return f"https://github.com/{repository}/issues/{number}" if number else ""
