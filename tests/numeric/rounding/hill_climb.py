"""Climb to inputs on which a real torch program errs most in proportion to its bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from derive.options import Options
from numeric.rounding.contract import Contract
from numeric.rounding.judging import GRADIENTS, OUTPUT, judge
from numeric.rounding.problem import problem
from numeric.rounding.watching import inferred

Program = Callable[..., Any]
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def eager(query: Any, key: Any, value: Any) -> Any:
    return torch.softmax(query @ key.mT / query.shape[-1] ** 0.5, -1) @ value


def scaled_first(query: Any, key: Any, value: Any) -> Any:
    return torch.softmax((query * query.shape[-1] ** -0.5) @ key.mT, -1) @ value


def divided_last(query: Any, key: Any, value: Any) -> Any:
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = torch.exp(scores - scores.amax(-1, keepdim=True))
    return weights @ value / weights.sum(-1, keepdim=True)


def math(query: Any, key: Any, value: Any) -> Any:
    with sdpa_kernel(SDPBackend.MATH):
        return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def fused(query: Any, key: Any, value: Any) -> Any:
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(query, key, value)


def online(query: Any, key: Any, value: Any) -> Any:
    block, n = 3, key.shape[-2]
    largest = torch.full((*query.shape[:-1], 1), -torch.inf, dtype=query.dtype)
    total = torch.zeros_like(largest)
    output = torch.zeros((*query.shape[:-1], value.shape[-1]), dtype=query.dtype)
    for start in range(0, n, block):
        keys = slice(start, start + block)
        scores = query @ key[..., keys, :].mT / query.shape[-1] ** 0.5
        new = torch.maximum(largest, scores.amax(-1, keepdim=True))
        weights = torch.exp(scores - new)
        shrunk = torch.exp(largest - new)
        total = total * shrunk + weights.sum(-1, keepdim=True)
        output = output * shrunk + weights @ value[..., keys, :]
        largest = new
    return output / total


PROGRAMS: dict[str, Program] = {
    "eager": eager,
    "scaled first": scaled_first,
    "divided last": divided_last,
    "SDPA math": math,
    "SDPA fused": fused,
    "online": online,
}


@dataclass(frozen=True)
class Climbed:
    """The worst ratio of error to bound, of which result, and the inputs where it is."""

    ratio: float
    name: str
    inputs: tuple[Any, ...]
    contract: Contract


def ratio(program: Program, arrays: tuple[Any, ...], dtype: Any) -> Climbed:
    """Return the worst ratio on query, key, value and upstream gradient, rounded to ``dtype``."""
    query, key, value, given = (torch.from_numpy(a).to(dtype) for a in arrays)
    tensors = query, key, value
    contract = inferred(lambda: program(*tensors), tensors).contract
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    output = program(*leaves)
    gradients = torch.autograd.grad(output, leaves, given)
    actual = {OUTPUT: output.detach().double().numpy()}
    for name, gradient in zip(GRADIENTS.values(), gradients, strict=False):
        actual[name] = gradient.double().numpy()
    posed = problem(*(t.double().numpy() for t in tensors), Options(leading=query.ndim - 2))
    upstream = given.double().numpy()
    _, judged = judge(posed, contract, actual, upstream.reshape(-1, *upstream.shape[-2:]))
    worst = max(judged, key=lambda one: float(one.ratio.max()))
    held = tuple(t.double().numpy() for t in (*tensors, given))
    return Climbed(float(worst.ratio.max()), worst.name, held, contract)


def starts(shape: tuple[int, ...], random: Any) -> Iterator[tuple[Any, ...]]:
    """Yield inputs to climb from: normal numbers, sharp scores, gradients that cancel."""
    normal = lambda: random.standard_normal(shape)  # noqa: E731
    yield normal(), normal(), normal(), normal()
    yield 4 * normal(), 2 * normal(), normal(), normal()
    value = normal()
    value[...] = numpy.round(value[..., :1] * 8) / 8 * numpy.arange(1, shape[-1] + 1)
    given = numpy.zeros(shape)
    given[..., 0], given[..., 2] = 3.0, -1.0
    yield normal(), normal(), value, given
    yield normal() * 2.0**-20, normal() * 2.0**9, normal(), normal() * 2.0**-12


def moved(arrays: tuple[Any, ...], random: Any) -> tuple[Any, ...]:
    """Return the arrays with one of them changed: a few elements, a row, its signs, or its size."""
    which = int(random.integers(len(arrays)))
    array = arrays[which].copy()
    kind = int(random.integers(4))
    if kind == 0:
        chosen = random.random(array.shape) < 2 / array.size
        array = numpy.where(chosen, random.standard_normal(array.shape), array)
    elif kind == 1:
        array = array * (1 + 0.1 * random.standard_normal(array.shape))
    elif kind == 2:
        row = int(random.integers(array.shape[-2]))
        array[..., row, :] = random.standard_normal(array[..., row, :].shape)
    else:
        array = array * 2.0 ** int(random.integers(-2, 3))
    return (*arrays[:which], array, *arrays[which + 1 :])


def climb(
    program: Program, dtype: Any, shape: tuple[int, ...], *, steps: int, seed: int
) -> Climbed:
    """Return the best that ``steps`` trials from each start find."""
    random = numpy.random.default_rng([seed, *shape])
    best: Climbed | None = None
    for arrays in starts(shape, random):
        here = ratio(program, arrays, dtype)
        for _ in range(steps):
            trial = ratio(program, moved(here.inputs, random), dtype)
            if trial.ratio >= here.ratio:
                here = trial
        if best is None or here.ratio > best.ratio:
            best = here
    assert best is not None
    return best
