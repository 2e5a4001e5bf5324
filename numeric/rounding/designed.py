"""Inputs that find bugs: each family makes one thing visible that random numbers hide.

Every number is one that the program's type holds, so that the exact value is that of the very
inputs. Hidden keys score highest where there are any; values name their head and token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import torch

from derive.options import Options
from numeric.rounding.enclosed import Array

Generator = Any
"""A ``numpy.random.Generator``."""


@dataclass(frozen=True)
class Shapes:
    """The shapes of the inputs: (..., n_q, d), (..., n, d), (..., n, d_v), and those added."""

    query: tuple[int, ...]
    key: tuple[int, ...]
    value: tuple[int, ...]
    bias: tuple[int, ...] | None = None
    mask: tuple[int, ...] | None = None

    @property
    def scores(self) -> tuple[int, ...]:
        """The shape of the scores."""
        return (*self.query[:-1], self.key[-2])

    def with_tokens(self, tokens: int) -> Shapes:
        """Return the shapes with another number of keys, and of queries if they were as many."""
        own = self.key[-2]

        def resized(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
            lengths = list(shape)
            for axis in axes:
                if len(lengths) >= -axis and lengths[axis] == own:
                    lengths[axis] = tokens
            return tuple(lengths)

        return Shapes(
            resized(self.query, (-2,)),
            resized(self.key, (-2,)),
            resized(self.value, (-2,)),
            None if self.bias is None else resized(self.bias, (-1, -2)),
            None if self.mask is None else resized(self.mask, (-1, -2)),
        )


@dataclass(frozen=True)
class Drawn:
    """One set of inputs: float64 arrays by name that ``dtype`` holds exactly, and their layout."""

    family: str
    arrays: Mapping[str, Array]
    upstream: Array
    layout: str = "contiguous"

    def tensors(self, dtype: Any, device: str = "cpu") -> tuple[Any, ...]:
        """Return the torch tensors in the order in which attention takes them."""
        return tuple(
            laid_out(
                torch.from_numpy(array).to(device, None if array.dtype == bool else dtype),
                self.layout if name in ("query", "key", "value") else "contiguous",
            )
            for name, array in self.arrays.items()
        )

    def gradient(self, dtype: Any, device: str = "cpu") -> Any:
        """Return the upstream gradient, in the same layout."""
        return laid_out(torch.from_numpy(self.upstream).to(device, dtype), self.layout)


HIDDEN_NAN = "hidden keys hold NaN"
"""The family in which what a query may not see is not a number: an input that is asked for."""

LAYOUTS = ("contiguous", "transposed", "sliced", "expanded")
"""How the numbers lie in memory: in order; heads and tokens exchanged, as projections leave them;
every other number of a longer row; one row repeated by a stride of zero."""


def laid_out(tensor: Any, layout: str) -> Any:
    """Return a tensor of the same numbers with another layout; ``expanded`` needs equal rows."""
    if layout == "transposed" and tensor.ndim >= 3:
        return tensor.transpose(-2, -3).contiguous().transpose(-2, -3)
    if layout == "sliced":
        return torch.stack([tensor, torch.full_like(tensor, 7)], -1).flatten(-2)[..., ::2]
    if layout == "expanded" and tensor.ndim >= 3:
        return tensor[..., :1, :, :].expand(tensor.shape)
    return tensor


def families(hidden_anything: bool = False) -> tuple[str, ...]:
    """Return the names of the families, the plainest first."""
    return (*_FAMILIES, *((HIDDEN_NAN,) if hidden_anything else ()))


def designed(
    shapes: Shapes,
    options: Options,
    dtype: Any,
    *,
    seed: int = 0,
    hidden_anything: bool = False,
    without: tuple[str, ...] = (),
    only: tuple[str, ...] | None = None,
) -> Iterator[Drawn]:
    """Yield inputs of each family but those named in ``without``."""
    for number, name in enumerate(families(hidden_anything)):
        if only is not None and name not in only:
            continue
        draw = _FAMILIES.get(name, _hidden_nan)
        generator = numpy.random.default_rng([seed, number])
        if name in without:
            continue
        arrays, layout = _with_additions(shapes, options, draw, generator, name)
        rounded = {key: held(array, dtype) for key, array in arrays.items()}
        upstream = generator.standard_normal((*shapes.query[:-1], shapes.value[-1]))
        if layout == "expanded":
            upstream = numpy.ones_like(upstream)  # as summing the output leaves it
        yield Drawn(name, rounded, held(upstream, dtype), layout)


BEYOND_FLOAT16 = ("scores far below", "later keys far above")
"""Families whose products overflow float16."""

GRADIENTS_BEYOND_FLOAT16 = (*BEYOND_FLOAT16, "scores of thousands")
"""Families whose gradients may overflow float16."""

LARGE = 25_000.0
"""Products of queries and keys that float16 still holds."""

Arrays = dict[str, Array]
Draw = Callable[[Shapes, Generator], Arrays]


def _normal(shapes: Shapes, generator: Generator) -> Arrays:
    return {
        "query": generator.standard_normal(shapes.query),
        "key": generator.standard_normal(shapes.key),
        "value": generator.standard_normal(shapes.value),
    }


def _weights(shapes: Shapes, generator: Generator) -> Arrays:
    """Equal scores and unit values: the output is the weights themselves."""
    arrays = _normal(shapes, generator)
    arrays["query"] = numpy.zeros(shapes.query)
    n, d_v = shapes.value[-2:]
    arrays["value"] = numpy.broadcast_to(numpy.eye(n, d_v), shapes.value).copy()
    return arrays


def _later_higher(shapes: Shapes, generator: Generator) -> Arrays:
    """A later key scores higher: whatever a causal mask should hide would win."""
    n, d = shapes.key[-2:]
    steps = numpy.linspace(0.0, 6.0, n)[:, None] / d**0.5
    value = generator.standard_normal(shapes.value) + numpy.arange(n)[:, None]
    return {
        "query": numpy.ones(shapes.query),
        "key": numpy.broadcast_to(steps, shapes.key) + 0.0,
        "value": value,
    }


def _wide(shapes: Shapes, generator: Generator) -> Arrays:
    """Scores over a wide range, all in one dimension."""
    arrays = _normal(shapes, generator)
    for name in ("query", "key"):
        arrays[name][..., 1:] = 0.0
        arrays[name][..., 0] *= 4.0
    return arrays


def _one_hot(shapes: Shapes, generator: Generator) -> Arrays:
    """Queries and keys of one dimension each: which one meets which is plain to see."""
    arrays = _normal(shapes, generator)
    for name, shape in (("query", shapes.query), ("key", shapes.key)):
        n, d = shape[-2:]
        rows = numpy.eye(d)[numpy.arange(n) % d] * 3.0
        arrays[name] = numpy.broadcast_to(rows, shape).copy()
    return arrays


def _named_heads(shapes: Shapes, generator: Generator) -> Arrays:
    """Each value names its head and its token."""
    arrays = _normal(shapes, generator)
    heads = int(numpy.prod(shapes.value[:-2]))
    n, d_v = shapes.value[-2:]
    names = numpy.arange(heads)[:, None, None] + numpy.linspace(0.0, 0.5, n)[:, None]
    arrays["value"] = numpy.broadcast_to(names, (heads, n, d_v)).reshape(shapes.value).copy()
    return arrays


def _shifted(shapes: Shapes, generator: Generator) -> Arrays:
    """All scores large, and near each other: exponentials overflow unless they are shifted."""
    arrays = _normal(shapes, generator)
    d = shapes.query[-1]
    arrays["query"] = 0.25 * arrays["query"] + (100 / d**0.5) ** 0.5
    arrays["key"] = 0.25 * arrays["key"] + (100 / d**0.5) ** 0.5
    return arrays


def _very_low(shapes: Shapes, generator: Generator) -> Arrays:
    """All scores far below zero: exponentials vanish unless they are shifted."""
    arrays = _shifted(shapes, generator)
    arrays["key"] = -arrays["key"]
    return arrays


def _sharp(shapes: Shapes, generator: Generator) -> Arrays:
    """Large scores: one key takes nearly all."""
    arrays = _normal(shapes, generator)
    return {**arrays, "query": 4.0 * arrays["query"], "key": 2.0 * arrays["key"]}


def _along(shapes: Shapes, generator: Generator, scores: Array) -> Arrays:
    """Return inputs whose scores, scaled by 1/sqrt(d), are ``scores`` for the n keys."""
    arrays = _normal(shapes, generator)
    root = shapes.query[-1] ** 0.5
    for name in ("query", "key"):
        arrays[name] = numpy.zeros_like(arrays[name])
    arrays["query"][..., 0] = root
    arrays["key"][..., 0] = numpy.clip(scores, -LARGE / root, LARGE / root)
    arrays["value"] += numpy.arange(shapes.value[-2])[:, None] / 4
    return arrays


def _steep_fall(shapes: Shapes, generator: Generator) -> Arrays:
    """Each score is 200 below the one before: from block to block exponentials vanish."""
    return _along(shapes, generator, -200.0 * numpy.arange(shapes.key[-2]))


def _steep_rise(shapes: Shapes, generator: Generator) -> Arrays:
    """Each score is 25 above the one before, but for the last, which most queries do not see."""
    return _along(shapes, generator, 25.0 * numpy.arange(shapes.key[-2]))


def _thousands(shapes: Shapes, generator: Generator) -> Arrays:
    """Scores of thousands, of both signs: a soft cap is far behind."""
    signs = numpy.where(numpy.arange(shapes.key[-2]) % 3 == 0, 1.0, -1.0)
    return _along(shapes, generator, 2500.0 * signs)


def _far_below(shapes: Shapes, generator: Generator) -> Arrays:
    """All scores far below any number that stands for minus infinity."""
    arrays = _along(shapes, generator, numpy.zeros(shapes.key[-2]))
    arrays["query"][..., 0] = 1024.0
    arrays["key"][..., 0] = -1024.0 - 8.0 * (numpy.arange(shapes.key[-2]) % 2)
    return arrays


def _hidden_far_above(shapes: Shapes, generator: Generator) -> Arrays:
    """The later half of the keys scores far above the first: a mask must beat that."""
    arrays = _far_below(shapes, generator)
    half = shapes.key[-2] // 2
    arrays["key"][..., half:, 0] *= -1.0
    return arrays


def _cancelling_scores(shapes: Shapes, generator: Generator) -> Arrays:
    """Products that cancel in each score: sums that are rounded too early show."""
    arrays = _normal(shapes, generator)
    half = shapes.query[-1] // 2
    for name in ("query", "key"):
        arrays[name] = 3.0 + abs(arrays[name]) / 4
    arrays["key"][..., half:] *= -1.0
    return arrays


def _tiny(shapes: Shapes, generator: Generator) -> Arrays:
    """Numbers near the end of a 16-bit range."""
    return {name: array * 2.0**-12 for name, array in _normal(shapes, generator).items()}


def _whole(shapes: Shapes, generator: Generator) -> Arrays:
    """Small whole numbers: products and their sums are exact."""
    return {
        name: generator.integers(-2, 3, shape).astype(numpy.float64)
        for name, shape in (
            ("query", shapes.query),
            ("key", shapes.key),
            ("value", shapes.value),
        )
    }


def _cancelling(shapes: Shapes, generator: Generator) -> Arrays:
    """Values that cancel in the sum."""
    arrays = _normal(shapes, generator)
    signs = numpy.where(numpy.arange(shapes.value[-2]) % 2, -1.0, 1.0)[:, None]
    return {**arrays, "value": signs * (1.0 + abs(arrays["value"]) / 8)}


def _rising_maximum(shapes: Shapes, generator: Generator) -> Arrays:
    """The largest score grows from block to block: an online softmax must rescale."""
    arrays = _normal(shapes, generator)
    n, d = shapes.key[-2:]
    arrays["query"] = abs(arrays["query"]) + 0.5
    arrays["key"] = numpy.linspace(-4.0, 4.0, n)[:, None] / d**0.5 + 0.1 * arrays["key"]
    return arrays


def _falling_maximum(shapes: Shapes, generator: Generator) -> Arrays:
    """The largest score stands in the first block."""
    arrays = _rising_maximum(shapes, generator)
    return {**arrays, "key": arrays["key"][..., ::-1, :].copy()}


def _same_rows(shapes: Shapes, generator: Generator) -> Arrays:
    """Heads that hold the same numbers, repeated by a stride of zero."""
    arrays = _normal(shapes, generator)
    return {
        name: numpy.broadcast_to(array[..., :1, :, :], array.shape).copy()
        if array.ndim >= 3
        else array
        for name, array in arrays.items()
    }


def _hidden_nan(shapes: Shapes, generator: Generator) -> Arrays:
    """The last key and its value are not numbers: who may not see them must not notice."""
    arrays = _normal(shapes, generator)
    arrays["key"][..., -1, :] = numpy.nan
    arrays["value"][..., -1, :] = numpy.nan
    return arrays


_FAMILIES: dict[str, Draw] = {
    "normal": _normal,
    "weights read directly": _weights,
    "later keys score higher": _later_higher,
    "wide range in one dimension": _wide,
    "one-hot queries and keys": _one_hot,
    "values that name their head": _named_heads,
    "scores near 100": _shifted,
    "scores near -100": _very_low,
    "sharp": _sharp,
    "tiny": _tiny,
    "whole numbers": _whole,
    "values that cancel": _cancelling,
    "rising maximum": _rising_maximum,
    "falling maximum": _falling_maximum,
    "steep fall": _steep_fall,
    "steep rise": _steep_rise,
    "scores of thousands": _thousands,
    "scores far below": _far_below,
    "later keys far above": _hidden_far_above,
    "scores that cancel": _cancelling_scores,
    "transposed": _normal,
    "sliced": _normal,
    "expanded": _same_rows,
}


def _with_additions(
    shapes: Shapes, options: Options, draw: Draw, generator: Generator, name: str
) -> tuple[Arrays, str]:
    arrays = draw(shapes, generator)
    if shapes.bias is not None:
        arrays["bias"] = generator.standard_normal(shapes.bias)
    if shapes.mask is not None:
        arrays["mask"] = _mask(shapes.mask, options, generator, name)
    return arrays, name if name in LAYOUTS else "contiguous"


def _mask(shape: tuple[int, ...], options: Options, generator: Generator, name: str) -> Array:
    """Hide about half of the keys; some query sees none where its contract says what it gets."""
    mask = generator.random(shape) < 0.5
    if name in ("later keys score higher", "later keys far above"):
        mask[..., shape[-1] // 2 :] = False
    if name == HIDDEN_NAN:
        mask[..., -1] = False
    mask[..., 0] = True
    if options.empty_rows != "undefined" and len(shape) >= 2 and shape[-2] > 1:
        mask[..., shape[-2] // 2, :] = False
    return mask


def held(array: Array, dtype: Any) -> Array:
    """Round to what ``dtype`` holds, and return float64 again."""
    if array.dtype == bool:
        return array
    rounded: Array = torch.from_numpy(numpy.ascontiguousarray(array)).to(dtype).double().numpy()
    return rounded
