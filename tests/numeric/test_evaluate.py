from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import mpmath
import numpy
import pytest
import torch

from derive.attention import CROSS, MECHANISMS, RAW, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.examples import load
from derive.formula import Choice, K, Mechanism, Q, Stage, V, a, array, i, k, s, x, z
from derive.worked import work_out
from numeric.evaluate import MOST_PRODUCTS, Backend, TooLong, compiled, input_shapes
from numeric.inputs import exact_inputs, rounded_inputs
from numeric.precision import FLOAT32, FLOAT64, Precision, decimal_digits
from numeric.printed import fraction

WAYS: list[tuple[Backend, Precision, Fraction]] = [
    ("numpy", FLOAT64, Fraction(1, 10**14)),
    ("numpy", FLOAT32, Fraction(1, 10**5)),
    ("torch", FLOAT64, Fraction(1, 10**14)),
    ("torch", FLOAT32, Fraction(1, 10**5)),
    ("mpmath", decimal_digits(50), Fraction(1, 10**48)),
]
TWO_BY_THREE = ((x, (2, 3)),)


@pytest.mark.parametrize(("backend", "precision", "error"), WAYS)
@pytest.mark.parametrize("name", ["raw", "sum", "softmax", "shifted", "scaled"])
@pytest.mark.parametrize("sentence", ["jim-john", "journey"])
def test_every_stage_has_the_worked_value(
    sentence: str, name: str, backend: Backend, precision: Precision, error: Fraction
) -> None:
    example, mechanism = load(sentence), MECHANISMS[name]
    with mpmath.workdps(50):
        given = rounded_inputs(exact_inputs(mechanism, example), precision, backend)
        found = compiled(mechanism, input_shapes(given), backend)(given)
    assert list(found) == [stage.array for stage in mechanism.stages]
    for base, entries in found.items():
        expected = work_out(example, mechanism)[base]
        assert tuple(entries.shape) == expected.shape
        for place in numpy.ndindex(*expected.shape):
            exact, value = fraction(expected[place]), entries[place]
            value = fraction(value) if backend == "mpmath" else Fraction(float(value))
            assert abs(value - exact) <= error * abs(exact)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", ["raw", "sum", "softmax", "shifted", "scaled"])
def test_nothing_is_widened(name: str, backend: Backend, kind: str) -> None:
    given: Any = numpy.asarray(load("journey").array(float), dtype=kind)
    if backend == "torch":
        given = torch.from_numpy(given)
    for entries in compiled(MECHANISMS[name], ((x, (6, 3)),), backend)({x: given}).values():
        assert str(entries.dtype).removeprefix("torch.") == kind


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_batch_is_the_same_as_one_after_another(backend: Backend) -> None:
    batch: Any = numpy.random.default_rng(0).normal(size=(4, 3, 2, 5))
    one_by_one = compiled(SHIFTED, ((x, (4, 3)),), backend)
    if backend == "torch":
        batch = torch.from_numpy(batch)
    found = one_by_one({x: batch})
    assert tuple(found[s].shape) == (4, 4, 2, 5)
    assert tuple(found[z].shape) == (4, 3, 2, 5)
    for place in numpy.ndindex(2, 5):
        alone = one_by_one({x: batch[:, :, place[0], place[1]]})
        for base in found:
            together = found[base][..., place[0], place[1]]
            numpy.testing.assert_allclose(together, alone[base], rtol=1e-14, atol=1e-14)


def test_queries_and_keys_of_different_lengths() -> None:
    random = numpy.random.default_rng(1)
    given = {
        Q: random.normal(size=(2, 3)),
        K: random.normal(size=(4, 3)),
        V: random.normal(size=(4, 5)),
    }
    found = compiled(CROSS, input_shapes(given), "numpy")(given)
    exponentials = numpy.exp(given[Q] @ given[K].T)
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    numpy.testing.assert_allclose(found[a], weights, rtol=1e-13)
    numpy.testing.assert_allclose(found[z], weights @ given[V], rtol=1e-12)


def test_mpmath_works_at_the_callers_precision() -> None:
    with mpmath.workdps(80):
        precision = decimal_digits(80)
        given = rounded_inputs(exact_inputs(SOFTMAX, load("journey")), precision, "mpmath")
        weights = compiled(SOFTMAX, ((x, (6, 3)),), "mpmath")(given)[a]
        for row in weights:
            assert abs(mpmath.fsum(row) - 1) < mpmath.mpf(10) ** -79


def test_common_parts_are_computed_once_in_named_pieces() -> None:
    source = compiled(SOFTMAX, TWO_BY_THREE, "numpy").source
    assert source.count("exp(s_1_1)") == 1
    shared = re.search(r"(shared_\d+) = exp\(s_1_1\)", source)
    assert shared is not None
    assert re.search(rf"D_1 = {shared[1]} \+ shared_\d+", source)
    assert f"a_1_1 = {shared[1]}/D_1" in source
    assert "s_2_1 = s_1_2" in source
    assert "z_2_3 = a_2_1*x_1_3 + a_2_2*x_2_3" in source


def test_pieces_stand_before_what_reads_them() -> None:
    known = set(re.findall(r"x_\d+_\d+", compiled(SHIFTED, TWO_BY_THREE, "torch").source))
    for line in compiled(SHIFTED, TWO_BY_THREE, "torch").source.splitlines()[1:-1]:
        name, _, value = line.strip().partition(" = ")
        if name.startswith("return"):
            continue
        assert set(re.findall(r"[a-zA-Z]+(?:_\d+)+", value)) <= known
        known.add(name)


@pytest.mark.parametrize("backend", ["numpy", "torch", "mpmath"])
def test_a_quotient_is_one_division_and_a_square_one_product(backend: Backend) -> None:
    for mechanism in (SUM_NORMALISED, SCALED):
        source = compiled(mechanism, TWO_BY_THREE, backend).source
        assert "**" not in source
        assert "pow" not in source
        assert "a_1_1 = " in source
        assert "/D_1" in source
    assert "x_1_1*x_1_1" in source


@pytest.mark.parametrize("backend", ["numpy", "torch", "mpmath"])
def test_the_size_d_stays_a_name(backend: Backend) -> None:
    four = compiled(SCALED, ((x, (2, 4)),), backend)
    assert four.sizes == (4,)
    assert "sqrt(d)" in four.source
    assert compiled(SOFTMAX, ((x, (2, 4)),), backend).sizes == ()


def test_a_formula_is_compiled_once() -> None:
    assert compiled(RAW, TWO_BY_THREE, "numpy") is compiled(RAW, TWO_BY_THREE, "numpy")


def test_one_token_and_one_dimension() -> None:
    found = compiled(SHIFTED, ((x, (1, 1)),), "numpy")({x: numpy.array([[3.0]])})
    assert found[a][0, 0] == 1
    assert found[z][0, 0] == 3


@pytest.mark.parametrize("shape", [(17, 1), (16, MOST_PRODUCTS // 256 + 1)])
def test_what_is_too_long_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(TooLong, match=r"written out"):
        compiled(RAW, ((x, shape),), "numpy")


def test_an_input_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(3, 2\), compiled for \(2, 3\)"):
        compiled(RAW, TWO_BY_THREE, "numpy")({x: numpy.zeros((3, 2))})


def test_higher_powers_become_products() -> None:
    b = array("b")
    cube = Mechanism("cubes", (Choice("score", "cubes", (Stage(b[i, k], x[i, k] ** 3),)),))
    found = compiled(cube, TWO_BY_THREE, "numpy")
    assert "x_1_1*x_1_1*x_1_1" in found.source
    given = numpy.arange(6.0).reshape(2, 3)
    numpy.testing.assert_array_equal(found({x: given})[b], given**3)
