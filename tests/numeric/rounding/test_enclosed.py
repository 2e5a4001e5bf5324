"""Every operation of ``Enclosed`` encloses; what is taken on trust of libraries is measured."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy
import pytest
import torch
from flint import arb, ctx
from sympy import Integer, Rational
from torch.nn.attention import SDPBackend, sdpa_kernel

from derive.options import Options
from numeric.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Precision
from numeric.rounding import ball_reference, reference
from numeric.rounding.contract import CONTRACTS, Contract
from numeric.rounding.designed import Shapes, designed
from numeric.rounding.enclosed import FUNCTION_ULP, Enclosed, exactly
from numeric.rounding.problem import problem

BITS = 256
PRECISIONS = {
    torch.float64: FLOAT64,
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
}


@pytest.fixture(autouse=True)
def _many_bits() -> Any:
    torch.set_num_threads(1)
    with ctx.workprec(BITS):
        yield


# -- operations


def drawn(random: Any, shape: tuple[int, ...], *, positive: bool = False) -> Enclosed:
    """Return numbers of all sizes, some of them zero or subnormal, with radii of all sizes."""
    value = random.standard_normal(shape) * 2.0 ** random.integers(-40, 20, shape)
    value = numpy.where(random.random(shape) < 0.1, 0.0, value)
    value = numpy.where(random.random(shape) < 0.1, 2.0**-1074 * random.integers(-9, 9), value)
    radius = abs(value) * 2.0 ** random.integers(-60, 1, shape) * (random.random(shape) < 0.7)
    if positive:
        value = abs(value) + 2.0**-1000
        radius = value * 2.0 ** random.integers(-60, -1, shape) * (random.random(shape) < 0.7)
    return Enclosed(value, radius)


def members(given: Enclosed, random: Any) -> list[list[Fraction]]:
    """Return exact numbers that the enclosure holds: its ends, its middle, one in between."""
    ends = (-1, 1, 0, Fraction(int(random.integers(-999, 1000)), 1000))
    return [
        [Fraction(v) + t * Fraction(r) for v, r in zip(given.value.flat, given.radius.flat)]  # noqa: B905
        for t in ends
    ]


def assert_holds(found: Enclosed, exact: list[Any], words: str) -> None:
    for value, radius, number in zip(found.value.flat, found.radius.flat, exact, strict=True):
        if not numpy.isfinite(radius):
            continue
        if isinstance(number, Fraction):
            assert abs(number - Fraction(value)) <= Fraction(radius), (words, value, number)
        else:
            beyond = abs(number - arb(float(value))) - arb(float(radius))
            assert not beyond > 0, (words, value, radius, number)


def ball(number: Fraction) -> Any:
    return arb(number.numerator) / arb(number.denominator)


PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("seed", range(6))
def test_pairs(name: str, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    one, other = drawn(random, (60,)), drawn(random, (60,))
    found = PAIRS[name](one, other)
    for xs in members(one, random):
        for ys in members(other, random):
            exact = [PAIRS[name](x, y) for x, y in zip(xs, ys, strict=True)]
            assert_holds(found, exact, f"{name}, seed {seed}")


@pytest.mark.parametrize("seed", range(6))
def test_quotients(seed: int) -> None:
    random = numpy.random.default_rng(seed)
    one, other = drawn(random, (60,)), drawn(random, (60,), positive=True)
    # Divisors of all sizes are exact; those with a radius are near one or above.
    other = Enclosed(other.value + 0.5 * (other.radius > 0), other.radius)
    with numpy.errstate(over="ignore", invalid="ignore"):
        found = one.over(other)
    for xs in members(one, random):
        for ys in members(other, random):
            exact = [x / y for x, y in zip(xs, ys, strict=True)]
            assert_holds(found, exact, f"over, seed {seed}")


@pytest.mark.parametrize("terms", [1, 2, 3, 17, 64])
def test_sums_and_products_of_matrices(terms: int) -> None:
    random = numpy.random.default_rng(terms)
    one, other = drawn(random, (2, terms)), drawn(random, (terms, 3))
    total, product = one.sum(-1), one @ other
    for xs in members(one, random):
        rows = [xs[:terms], xs[terms:]]
        assert_holds(total, [sum(row) for row in rows], f"sum of {terms}")
        for ys in members(other, random):
            columns = [ys[column::3] for column in range(3)]
            exact = [
                sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0))
                for row in rows
                for column in columns
            ]
            assert_holds(product, exact, f"matrix product over {terms}")


def test_rows_that_are_joined() -> None:
    random = numpy.random.default_rng(5)
    one = drawn(random, (6, 4))
    owners = numpy.array([0, 1, 0, 2, 0, 1])
    found = one.joined(owners, 3)
    for xs in members(one, random):
        exact = [
            sum((xs[row * 4 + column] for row in range(6) if owners[row] == owner), Fraction(0))
            for owner in range(3)
            for column in range(4)
        ]
        assert_holds(found, exact, "joined")


FUNCTIONS: dict[str, tuple[Callable[[Enclosed], Enclosed], Callable[[Any], Any]]] = {
    "exp": (Enclosed.exp, arb.exp),
    "log": (Enclosed.log, arb.log),
    "tanh": (Enclosed.tanh, arb.tanh),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_functions(name: str, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    given = drawn(random, (80,), positive=name == "log")
    if name == "exp":
        value = random.uniform(-760, 700, 80)
        given = Enclosed(value, abs(value) * 2.0 ** random.integers(-60, -3, 80))
    own, exact = FUNCTIONS[name]
    with numpy.errstate(over="ignore"):
        found = own(given)
    for xs in members(given, random):
        assert_holds(found, [exact(ball(x)) for x in xs], f"{name}, seed {seed}")


# -- functions of numpy and torch


def units_off(found: Any, exact: list[Any], precision: Precision) -> float:
    """Return the largest error in units in the last place of the exact number."""
    worst = 0.0
    for value, number in zip(found, exact, strict=True):
        size = float(number.mid())
        magnitude = int(numpy.frexp(size)[1]) - 1 if size else -5000
        unit = arb(2) ** precision.ulp_exponent(magnitude)
        worst = max(worst, float((abs(arb(float(value)) - number) / unit).abs_upper()))
    return worst


POINTS = {
    "exp": [(-745.2, -700, 4000), (-700, 709, 8000), (-1, 1, 5000), (-30, 0, 3000)],
    "log": [(0.5, 2, 8000), (1, 1e6, 4000), (0, 1e-300, 4000), (1, 1 + 1e-9, 4000)],
    "tanh": [(-1, 1, 8000), (-30, 30, 8000), (-1e-8, 1e-8, 2000), (-1e-308, 1e-308, 2000)],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_in_float64(name: str) -> None:
    random = numpy.random.default_rng(0)
    points = numpy.concatenate([random.uniform(*bounds) for bounds in POINTS[name]])
    found = getattr(numpy, name)(points)
    exact = [FUNCTIONS[name][1](arb(float(point))) for point in points]
    assert units_off(found, exact, FLOAT64) <= FUNCTION_ULP


def points_of(dtype: Any, *ranges: tuple[float, float]) -> Any:
    generator = torch.Generator().manual_seed(0)
    drawn = [
        low + (high - low) * torch.rand(3000, generator=generator, dtype=torch.float64)
        for low, high in ranges
    ]
    return torch.cat(drawn).to(dtype)


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_exp_of_torch(dtype: Any) -> None:
    allowed = min(c.exp_ulp for c in CONTRACTS.values() if c.block is None)
    lowest = {torch.float64: -708.0, torch.float16: -9.7}.get(dtype, -87.3)
    points = points_of(dtype, (lowest, 0), (-1, 0), (-8, 0))
    found = torch.exp(points).double().tolist()
    exact = [arb(point).exp() for point in points.double().tolist()]
    assert units_off(found, exact, PRECISIONS[dtype]) <= allowed


@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_tanh_of_torch(dtype: Any) -> None:
    points = points_of(dtype, (-10, 10), (-1, 1), (-0.01, 0.01))
    found = torch.tanh(points).double().tolist()
    exact = [arb(point).tanh() for point in points.double().tolist()]
    allowed = min(c.tanh_ulp for c in CONTRACTS.values())
    assert units_off(found, exact, PRECISIONS[dtype]) <= allowed


FUSED_POINTS = {
    torch.float32: [(-100, -20), (-87.5, -86.5), (-40, -20)],
    torch.float64: [(-745, -45), (-710, -700), (-60, -45)],
}


@pytest.mark.parametrize("keys", [4, 16, 33])
@pytest.mark.parametrize("dtype", FUSED_POINTS, ids=str)
def test_exp_of_the_fused_kernel(dtype: Any, keys: int) -> None:
    # Key 0 scores 0 and the others lie so low that their sum rounds away: the weights are exp.
    contract = CONTRACTS[f"{str(dtype).removeprefix('torch.')} fused"]
    u = 2.0**-contract.softmax.bits
    rows = 4000 // keys
    for low, high in FUSED_POINTS[dtype]:
        scores = torch.linspace(low, high, rows * (keys - 1), dtype=dtype).reshape(rows, -1)
        query, key = (
            torch.zeros(rows, 1, keys, dtype=dtype),
            torch.zeros(rows, keys, keys).to(dtype),
        )
        query[..., 0], key[:, 1:, 0] = 1.0, scores
        value = torch.eye(keys, dtype=dtype).expand(rows, keys, keys)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            found = torch.nn.functional.scaled_dot_product_attention(
                query[None], key[None], value[None], scale=1.0
            )
        for point, weight in zip(
            scores.double().flatten().tolist(),
            found[0, :, 0, 1:].double().flatten().tolist(),
            strict=True,
        ):
            exact = arb(point).exp()
            off = abs(arb(weight) - exact)
            # The quotient rounds once more; what may be lost is stated apart.
            assert off <= (contract.exp_error + 2 * u) * exact or off <= contract.exp_lost, point


# -- references

MASKED = {"mask": True, "empty_rows": "zero"}
SETTINGS: dict[str, tuple[Options, tuple[int, ...]]] = {
    "plain": (Options(), (4, 4, 3, 3, 0, 0)),
    "other lengths": (Options(), (3, 5, 2, 4, 0, 0)),
    "causal": (Options(causal="top-left", scale=Integer(1)), (5, 5, 2, 2, 0, 0)),
    "bottom-right": (Options(causal="bottom-right", scale=Rational(1, 3)), (3, 5, 2, 2, 0, 0)),
    "window": (Options(causal="top-left", window=2), (5, 5, 2, 2, 0, 0)),
    "cap": (Options(soft_cap=Rational(3, 2)), (4, 4, 3, 3, 0, 0)),
    "bias": (Options(bias=True), (4, 4, 3, 3, 0, 0)),
    "cap, bias, causal": (
        Options(causal="top-left", soft_cap=Integer(5), bias=True),
        (4, 4, 3, 2, 0, 0),
    ),
    "empty rows zero": (Options(mask=True, empty_rows="zero"), (4, 4, 2, 2, 0, 0)),
    "empty rows uniform": (Options(mask=True, empty_rows="uniform"), (4, 3, 2, 2, 0, 0)),
    "grouped": (Options(leading=1, grouped="consecutive"), (3, 4, 2, 3, 4, 2)),
    "interleaved": (Options(leading=1, grouped="interleaved", bias=True), (3, 4, 2, 3, 4, 2)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_the_two_references_hold_the_same_numbers(name: str) -> None:
    options, (n_q, n, d, d_v, heads, kv_heads) = SETTINGS[name]
    lead, kv_lead = ((heads,), (kv_heads,)) if heads else ((), ())
    added = (*lead, n_q, n)
    shapes = Shapes(
        (*lead, n_q, d), (*kv_lead, n, d), (*kv_lead, n, d_v),
        added if options.bias else None, added if options.mask else None,
    )  # fmt: skip
    for drawn_inputs in designed(shapes, options, torch.float64, seed=3):
        arrays = drawn_inputs.arrays
        posed = problem(
            arrays["query"], arrays["key"], arrays["value"], options,
            bias=arrays.get("bias"), mask=arrays.get("mask"),
        )  # fmt: skip
        upstream = drawn_inputs.upstream.reshape(len(posed.query), n_q, d_v)
        wide, narrow = reference.forward(posed), ball_reference.forward(posed)
        for part in ("dot", "ratio", "scores", "weights", "output", "normaliser"):
            shift = narrow.largest - wide.largest if part == "normaliser" else 0.0
            assert_contains(getattr(wide, part), getattr(narrow, part), shift, (name, part))
        gradients = reference.backward(posed, wide, upstream)
        exact = ball_reference.backward(posed, narrow, upstream)
        for part in ("weight_gradient", "row_sum", "score_gradient", "dot_gradient",
                     "query", "key", "value", "bias"):  # fmt: skip
            words = (name, drawn_inputs.family, part)
            assert_contains(getattr(gradients, part), getattr(exact, part), 0.0, words)


def assert_contains(wide: Enclosed | None, narrow: Enclosed | None, shift: Any, words: Any) -> None:
    """The balls' numbers lie in the wider enclosure, but for what float64 adds in comparing."""
    if wide is None or narrow is None:
        assert wide is narrow, words
        return
    apart = abs(narrow.value + shift - wide.value)
    slack = 2.0**-52 * (apart + (abs(narrow.value) + abs(shift) if numpy.any(shift) else 0.0))
    assert (apart - slack <= wide.radius + narrow.radius).all(), words
    assert (narrow.radius <= wide.radius + 2.0**-52 * abs(wide.value) + 2.0**-1074).all(), words


def test_what_exactly_encloses_has_no_radius() -> None:
    assert not exactly(numpy.array([0.1, 2.0**-1074])).radius.any()


def test_contracts_state_an_error_of_exp() -> None:
    assert all(isinstance(c, Contract) and c.exp_ulp >= 1 for c in CONTRACTS.values())
