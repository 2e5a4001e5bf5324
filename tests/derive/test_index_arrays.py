"""Stages as whole arrays: against einsum, against SymPy's own expansion, and over residues."""

from itertools import product
from math import prod
from random import Random

import numpy
import pytest
from sympy import Integer, Mod, Pow, Rational, Sum, Symbol, exp, floor, log, sqrt, tanh

from derive.algebras.floats import FUNCTIONS, FloatArrays
from derive.algebras.residues import ResidueArrays
from derive.arrays import Unsupported
from derive.attention import CROSS, MECHANISMS, SHIFTED, SOFTMAX
from derive.binding import ShapeError
from derive.brackets import AtMost, Below, Equals
from derive.constants import ExactNumber
from derive.contraction import contracted
from derive.elements import UnknownNode
from derive.exact_values import exact_value
from derive.formula import (
    Choice,
    D,
    FormulaError,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_v,
    i,
    j,
    k,
    l,
    largest,
    n,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.index_arrays import evaluate, evaluate_mechanism
from derive.labelled import Labelled, LabelledArrays
from derive.options import Options
from derive.scaled_dot_product import M, scaled_dot_product_attention
from derive.tensors import FINITE, ZERO, Tensors
from derive.whole_numbers import WholeArray

FLOATS = Tensors(FloatArrays())
W, v = array("W"), array("v")
SIZES = {n_q: 4, n: 3, d: 2, d_v: 5}
SHAPES = {Q: (4, 2), K: (3, 2), V: (3, 5), s: (4, 3), W: (2, 2), v: (3,), x: (3, 2)}
RANDOM = numpy.random.default_rng(5)
VALUES = {base: RANDOM.integers(1, 9, shape) / 4 for base, shape in SHAPES.items()}


def tensors_of(values):
    return {base: FLOATS.lift(numbers) for base, numbers in values.items()}


def computed(target, value, shape=()):
    return evaluate((Stage(target, value, shape),), tensors_of(VALUES), FLOATS, SIZES)[target.base]


def by_sympy(target, value, shape):
    """Write every entry out with nothing but SymPy, and put the numbers in."""
    numbers = {
        base[tuple(p + 1 for p in place)]: Rational(float(entries[place]))
        for base, entries in VALUES.items()
        for place in numpy.ndindex(*entries.shape)
    }
    found = numpy.empty(shape)
    for place in product(*map(range, shape)):
        letters = {t: Integer(p + 1) for t, p in zip(target.indices, place, strict=True)}
        entry = value.xreplace({**letters, **{t: Integer(p) for t, p in SIZES.items()}}).doit()
        found[place] = float(entry.xreplace(numbers).evalf(30))
    return found


EXPRESSIONS = {
    "a product": (s[i, j] * v[j], (i, j)),
    "a quotient": (2 * s[i, j] / (3 * v[j]), (i, j)),
    "a sum of unlike axes": (s[i, j] - v[j] + 1 - n, (i, j)),
    "matrices": (total(Q[i, k] * K[j, k], k) / sqrt(d), (i, j)),
    "transposed": (total(Q[i, k] * K[j, k], k), (j, i)),
    "three factors": (total(total(Q[i, k] * W[k, l] * K[j, l], l), k).subs(n, d), (i, j)),
    "a vector": (total(s[i, j] * v[j], j), (i,)),
    "an inner product": (total(s[i, j] ** 2, j), (i,)),
    "a sum of a sum of terms": (total(s[i, j] * v[j] + v[j] ** 2 - 3, j), (i,)),
    "an outer product": (v[j] * v[l], (j, l)),
    "a repeated index": (x[j, 1] * W[Integer(2), k] + W[k, k], (j, k)),
    "a sum of nothing but a number": (total(Rational(1, 2), j) + s[i, 1], (i,)),
    "causal": (total(AtMost(j, i) * exp(s[i, j]), j), (i,)),
    "a window": (Below(i - 2, j) * AtMost(j, i) * s[i, j], (i, j)),
    "a sum to an index": (Sum(s[i, l], (l, 1, j)), (i, j)),
    "to an index, a bracket": (s[i, j] + Sum(AtMost(l, 2), (l, 1, j)), (i, j)),
    "a power": (s[i, j] ** 3 / v[j] ** 2 + sqrt(v[j]) + 1 / sqrt(s[i, j]), (i, j)),
    "functions": (tanh(s[i, j] / 2) * exp(-v[j]), (i, j)),
    "the largest": (largest(s[i, j] * v[j], j) + largest(v[j], j), (i,)),
    "indices as numbers": (s[i, j] * (i - j) / 3 + exp(-Rational(1, 2) * j), (i, j)),
    "computed positions": (s[floor((i - 1) / 2) + 1, j] * v[Mod(i + j, n) + 1], (i, j)),
    "two computed positions": (s[Mod(i, 4) + 1, Mod(i, 3) + 1] * v[j], (i, j)),
    "a chosen position": (total(total(Equals(Mod(i, 3) + 1, j) * s[i, l] * v[l], l), i), (j,)),
    "whole numbers alone": (i * j - Below(i, j) + floor((i + j) / 2) + n, (i, j)),
    "whole numbers, repeated": (s[i, j] * (1 + Sum(i, (l, 1, n))), (i, j)),
    "roots": (s[i, j] * sqrt(n + 2) / sqrt(3 * d) - Pow(n, Rational(1, 4)), (i, j)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_arrays_have_the_entries_that_sympy_writes_out(name):
    value, indices = EXPRESSIONS[name]
    lengths = {i: 4, j: 3, l: 3, k: 2}
    shape = tuple(lengths[t] for t in indices)
    sizes = tuple(Integer(length) for length in shape)
    target = z[indices]
    found = computed(target, value, sizes)
    assert found.shape == shape
    assert abs(found.data - by_sympy(target, value, shape)).max() < 1e-12


def test_heads_and_batches_are_contracted_as_einsum_does():
    p = {t: array(t) for t in "PRT"}
    b, g = Symbol("b"), Symbol("g")
    shapes = {"P": (2, 3, 4, 5), "R": (2, 3, 6, 5), "T": (6, 7)}
    values = {t: RANDOM.normal(size=shape) for t, shape in shapes.items()}
    body = p["P"][b, g, i, k] * p["R"][b, g, j, k] * p["T"][j, c]
    value = Sum(body, (j, 1, 6), (k, 1, 5))
    given = {p[t]: FLOATS.lift(numbers) for t, numbers in values.items()}
    found = evaluate((Stage(z[g, i, c, b], value),), given, FLOATS)[z]
    expected = numpy.einsum("bgik,bgjk,jc->gicb", values["P"], values["R"], values["T"])
    assert abs(found.data - expected).max() < 1e-12


class Watched(FloatArrays):
    """Floats that remember the largest array they made."""

    largest_made = 0

    def watch(self, array):
        self.largest_made = max(self.largest_made, array.size)
        return array

    def rearranged(self, how, *arrays):
        return self.watch(super().rearranged(how, *arrays))

    def multiply(self, left, right):
        return self.watch(super().multiply(left, right))

    def matmul(self, left, right):
        return self.watch(super().matmul(left, right))


def test_nothing_larger_than_the_scores_is_made():
    algebra = Watched()
    tensors = Tensors(algebra)
    shapes = {Q: (2, 3, 20, 8), K: (2, 3, 20, 8), V: (2, 3, 20, 8)}
    given = {base: tensors.lift(RANDOM.normal(size=shape)) for base, shape in shapes.items()}
    options = Options(leading=2, causal="top-left", empty_rows="zero")
    evaluate_mechanism(scaled_dot_product_attention(options), given, tensors)
    assert algebra.largest_made == prod((2, 3, 20, 20))


def test_a_function_that_two_stages_share_is_computed_once():
    calls = []

    class Counted(FloatArrays):
        def exp(self, array):
            calls.append(array.shape)
            return super().exp(array)

    arrays = evaluate_mechanism(CROSS, tensors_of({b: VALUES[b] for b in (Q, K, V)}), FLOATS)
    counted = Tensors(Counted())
    again = evaluate_mechanism(CROSS, {b: counted.lift(VALUES[b]) for b in (Q, K, V)}, counted)
    assert calls == [(4, 3)]
    assert (arrays[z].data == again[z].data).all()


def test_a_shared_function_of_places_has_the_length_of_each_stage():
    y = array("y")
    stages = (Stage(a[i, j], exp(-i) * s[i, j]), Stage(y[i], exp(-i) * v[i]))
    found = evaluate(stages, tensors_of(VALUES), FLOATS)
    decay = numpy.exp(-numpy.arange(1, 5))
    assert found[a].data == pytest.approx(decay[:, None] * VALUES[s])
    assert found[y].data == pytest.approx(decay[:3] * VALUES[v])


def test_heads_are_gathered_after_their_products():
    algebra = Watched()
    sizes = {"h": 8, "g": 4, "i": 10, "j": 12, "c": 9}
    letters = {name: Symbol(name) for name in sizes}

    def made(text):
        axes = tuple(letters[name] for name in text)
        return Labelled(axes, FLOATS.lift(RANDOM.normal(size=[sizes[name] for name in text])))

    factors = [made("hij"), made("hic"), made("hg")]
    summed = {letters["h"]: 8, letters["i"]: 10}
    found = contracted(LabelledArrays(Tensors(algebra)), factors, None, summed)
    assert algebra.largest_made == 8 * 10 * 12
    expected = numpy.einsum("hij,hic,hg->gjc", *(factor.tensor.data for factor in factors))
    order = [found.axes.index(letters[name]) for name in "gjc"]
    assert abs(found.tensor.data.transpose(order) - expected).max() < 1e-10


def test_the_cheapest_order_is_taken():
    labelled = LabelledArrays(FLOATS)
    sizes = {i: 2, j: 30, k: 30, l: 30}

    def made(*axes):
        return Labelled(axes, FLOATS.lift(RANDOM.normal(size=[sizes[t] for t in axes])))

    algebra = Watched()
    labelled = LabelledArrays(Tensors(algebra))
    factors = [made(j, k), made(k, l), made(i, j)]
    found = contracted(labelled, factors, None, {j: 30, k: 30})
    assert algebra.largest_made <= 30 * 30
    first, second, third = (f.tensor.data for f in factors)
    expected = third @ first @ second
    assert found.axes in ((i, l), (l, i))
    ours = found.tensor.data if found.axes == (i, l) else found.tensor.data.T
    assert abs(ours - expected).max() < 1e-10


def test_whole_numbers_that_are_no_choice_are_multiplied_with():
    labelled = LabelledArrays(FLOATS)
    ones = Labelled((i,), FLOATS.lift(numpy.ones(3)))
    thrice = labelled.chosen(ones, WholeArray((i,), numpy.array([3, 0, 1])))
    assert thrice.tensor.data.tolist() == [3, 0, 1]


# Zeros that are zero for structural reasons


def test_what_a_bracket_excludes_is_a_structural_zero():
    kinds = computed(a[i, j], AtMost(j, i) * exp(s[i, j])).kinds
    assert (kinds == numpy.where(numpy.tri(4, 3) == 1, FINITE, ZERO)).all()


def test_a_mask_is_whole_numbers_and_may_be_booleans():
    mechanism = scaled_dot_product_attention(Options(mask="ij", empty_rows="zero"))
    given = tensors_of({base: VALUES[base] for base in (Q, K, V)})
    allowed = numpy.array([[True, False, True]] * 3 + [[False] * 3])
    ours = evaluate_mechanism(mechanism, {**given, M: allowed}, FLOATS)
    again = evaluate_mechanism(mechanism, {**given, M: allowed.astype(int)}, FLOATS)
    assert (ours[z].data == again[z].data).all()
    assert not ours[z].data[3].any()
    with pytest.raises(FormulaError, match="give masks as arrays of integers or booleans"):
        evaluate_mechanism(mechanism, {**given, M: FLOATS.lift(allowed * 1.0)}, FLOATS)


# Over residues


def at_a_point(mechanism, seed, shape=(4, 3)):
    algebra = ResidueArrays(Random(seed), levels=2, squares=(3,))
    tensors = Tensors(algebra)
    given = {base: tensors.finite(algebra.free(shape), shape) for base in mechanism.inputs}
    return algebra, evaluate_mechanism(mechanism, given, tensors)[mechanism.stages[-1].array]


@pytest.mark.parametrize("seed", range(3))
def test_shifted_softmax_is_softmax_at_a_random_point(seed):
    algebra, plain = at_a_point(SOFTMAX, seed)
    _, shifted = at_a_point(SHIFTED, seed)
    _, scaled = at_a_point(MECHANISMS["scaled"], seed)
    assert algebra.same(plain.data, shifted.data).all()
    assert not algebra.same(plain.data, scaled.data).any()


def test_a_shift_of_the_numerator_alone_is_noticed():
    wrong = [
        Stage(D[i], total(exp(s[i, j]), j)) if stage.array == D else stage
        for stage in SHIFTED.stages
    ]
    mechanism = Mechanism("wrong", (Choice("all", "all", tuple(wrong)),))
    algebra, plain = at_a_point(SOFTMAX, 1)
    _, other = at_a_point(mechanism, 1)
    assert not algebra.same(plain.data, other.data).any()


def test_a_bracket_is_what_a_mask_is_at_a_random_point():
    algebra = ResidueArrays(Random(2), squares=(2,))
    tensors = Tensors(algebra)
    given = {base: tensors.finite(algebra.free((4, 2)), (4, 2)) for base in (Q, K, V)}
    causal = evaluate_mechanism(
        scaled_dot_product_attention(Options(causal="top-left")), given, tensors
    )
    masked = scaled_dot_product_attention(Options(mask="ij"))
    same = evaluate_mechanism(masked, {**given, M: numpy.tri(4, dtype=int)}, tensors)
    other = evaluate_mechanism(masked, {**given, M: numpy.tri(4, k=1, dtype=int)}, tensors)
    assert algebra.same(causal[z].data, same[z].data).all()
    assert not algebra.same(causal[z].data, other[z].data)[:3].any()


# Exact constants


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (1 / sqrt(d), ExactNumber(1, Rational(1, 2), 2)),
        (-3 / sqrt(n), ExactNumber(-1, 3, 2)),
        (sqrt(d * n * 6), ExactNumber.of(6)),
        (Pow(d, -Rational(1, 4)), ExactNumber(1, Rational(1, 2), 4)),
        (Rational(3, 7) * n, ExactNumber(Rational(9, 7))),
        (sqrt(d) + 1, None),
        (sqrt(-n), None),
        (n + i, None),
    ],
)
def test_numbers_in_sizes_are_exact(expression, expected):
    found = exact_value(expression, SIZES.get)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert (found.coefficient, found.radicand, found.degree) == (
            expected.coefficient,
            expected.radicand,
            expected.degree,
        )


# What is refused

REFUSED = {
    "an unknown function": (log(s[i, j]), UnknownNode, "log in "),
    "an unknown power": (s[i, j] ** Rational(1, 3), UnknownNode, "Pow in "),
    "an unknown array": (array("y")[i, j], FormulaError, "no array was given for y"),
    "too many axes": (s[i, j] * v[i, j], ShapeError, "v has 1 axes"),
    "an unknown size": (s[i, j] * Symbol("q"), UnknownNode, "Symbol in q"),
    "an unknown position": (s[i, Symbol("q") + 1] * v[j], FormulaError, "nothing says how much q"),
    "outside": (s[i + 1, j] * s[i, 1], FormulaError, "lies outside of its shape"),
    "a sum from 2": (s[i, j] + Sum(v[l], (l, 2, n)), FormulaError, "summed from 1"),
    "an unknown end": (s[i, j] + Sum(1 / l, (l, 1, Symbol("q"))), FormulaError, "how much q is"),
    "a largest to an index": (
        s[i, j] + largest(v[l], l).func(v[l], (l, 1, j)),
        FormulaError,
        "the largest of a whole axis",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name):
    value, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        evaluate((Stage(z[i, j], value),), tensors_of(VALUES), FLOATS, {n: 3})


# Floats


def test_floats_name_the_functions_they_have():
    assert FLOATS.function("tanh", FLOATS.lift([0.5])).data == pytest.approx(numpy.tanh(0.5))
    with pytest.raises(Unsupported, match="gamma: floats have no function of this name; they have"):
        FLOATS.function("gamma", FLOATS.lift([0.5]))


def test_every_function_of_floats_is_that_of_torch():
    torch = pytest.importorskip("torch")
    known = {"max": torch.maximum, "min": torch.minimum}
    values = torch.linspace(-30, 30, 61, dtype=torch.float64)
    for name in FUNCTIONS:
        function = known.get(name) or getattr(torch, name)
        operands = (values, values.flip(0)) if name in known else (values,)
        ours = FloatArrays().function(name, *(t.numpy() for t in operands))
        assert abs(ours - function(*operands).numpy()).max() < 1e-14, name


def test_floats_are_an_algebra():
    algebra = FloatArrays()
    numbers = [ExactNumber.of(3), ExactNumber(-1, 2, 2), ExactNumber(1, 16, 4, 1)]
    made = algebra.constants(numbers, numpy.array([0, 1, 2]))
    assert made == pytest.approx([3, -numpy.sqrt(2), 2 * numpy.log(2)], rel=1e-15)
    with pytest.raises(ZeroDivisionError, match="a denominator is zero"):
        algebra.inverse(numpy.array([1.0, 0.0]))
    entries, present = numpy.array([[1.0, 5.0, 2.0]]), numpy.array([[True, False, True]])
    assert algebra.largest(entries, present) == 2
    left, right = numpy.array([1.0, 2.0]), numpy.array([2.0, 2.0])
    assert algebra.less(left, right, or_equal=False).tolist() == [True, False]
    assert algebra.less(left, right, or_equal=True).all()
    assert algebra.equal(left, right).tolist() == [False, True]
    assert algebra.log(algebra.exp(left)) == pytest.approx(left)
    assert algebra.sqrt(left) ** 2 == pytest.approx(left)
    assert algebra.add(left, algebra.negate(right)).tolist() == [-1, 0]
