"""Costs: the polynomials are what an interpreter counts that reads the formula entry by entry."""

from collections import Counter

import numpy
import pytest
from sympy import Integer, Poly, Rational, Sum, cos, exp, floor, log, sqrt, tanh

from derive.attention import MECHANISMS
from derive.brackets import AtMost, Bracket, Equals
from derive.code import function
from derive.counting import KINDS, Count, leading, memory, operations
from derive.elements import Elements, UnknownNode
from derive.formula import (
    Choice,
    D,
    FormulaError,
    K,
    Mechanism,
    Q,
    Stage,
    a,
    array,
    d,
    d_e,
    d_f,
    d_v,
    i,
    j,
    k,
    l,
    largest,
    n,
    n_g,
    n_h,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.sizes import sizes
from derive.variants import ATLAS
from tests.derive.mechanism_sizes import USUAL, some_shapes

SIGN, CHOICE, KNOWN, COMPUTED = range(4)
M, g, h, t, u, y = (array(name) for name in "Mghtuy")


class Counting:
    """An algebra whose scalars say only what is known of a number; it counts what it is asked."""

    def __init__(self) -> None:
        self.counts = Counter()

    def counted(self, kind, times, state):
        if state == COMPUTED:
            self.counts[kind] += times
        return state

    def number(self, value):
        return SIGN if abs(value) == 1 else KNOWN

    def add(self, terms):
        return self.counted("additions", len(terms) - 1, max(KNOWN, *terms))

    def largest(self, values):
        return self.counted("maxima", len(values) - 1, max(KNOWN, *values))

    def multiply(self, factors):
        times = factors.count(COMPUTED) - 1 + (KNOWN in factors)
        return self.counted("multiplications", times, max(factors))

    def divide(self, numerator, denominator):
        return self.counted("divisions", 1, max(KNOWN, numerator, denominator))

    def exp(self, exponent):
        return self.counted("exponentials", 1, max(KNOWN, exponent))

    def function(self, argument):
        return self.counted("functions", 1, max(KNOWN, argument))

    tanh = cos = sin = sqrt = function


class CountingElements(Elements):
    """Reads each expression once for each value of its indices, and knows what a mask is."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.read = {}

    def value(self, expression, where):
        held = tuple(
            (str(t), where[t]) for t in sorted(expression.free_symbols, key=str) if t in where
        )
        key = expression, held
        if key not in self.read:
            self.read[key] = super().value(expression, where)
        return self.read[key]

    def whole(self, expression, _):
        return CHOICE if isinstance(expression, Bracket) else KNOWN

    def size(self, _):
        return KNOWN


def counted(mechanism, usual=USUAL):
    """Count each stage entry by entry; return the counts and the sizes."""
    shapes = some_shapes(mechanism, usual)
    numbers = sizes(mechanism, shapes)
    state = {base: CHOICE if base in mechanism.indicators else COMPUTED for base in shapes}
    given = {base: numpy.full(shape, state[base], dtype=object) for base, shape in shapes.items()}
    algebra = Counting()
    elements = CountingElements(algebra, given, numbers)
    counts = []
    for stage in mechanism.stages:
        algebra.counts = Counter()
        elements.run([stage])
        counts.append(algebra.counts)
    return counts, numbers


def check(mechanism, usual=USUAL):
    found, numbers = counted(mechanism, usual)
    stages = operations(mechanism).stages
    assert [base for base, _ in stages] == [stage.array for stage in mechanism.stages]
    for (base, count), right in zip(stages, found, strict=True):
        for kind in KINDS:
            polynomial = getattr(count, kind)
            assert polynomial.xreplace(numbers) == right[kind], (base, kind, polynomial)


def made_up(*stages, **declared):
    return Mechanism("made up", (Choice("score", "made up", stages),), **declared)


PLAIN = Stage(s[i, j], total(Q[i, k] * K[j, k], k))
SQUARE = {"relations": ((n_q, n),)}
MADE_UP = {
    "numbers": made_up(PLAIN, Stage(a[i, j], Rational(2, 3) * s[i, j] / sqrt(d) - 1)),
    "minus": made_up(PLAIN, Stage(a[i, j], -s[i, j] - 2 * s[i, j] ** 3)),
    "roots and reciprocals": made_up(PLAIN, Stage(a[i, j], 1 / sqrt(1 + s[i, j] ** 2))),
    "two below the line": made_up(
        PLAIN, Stage(t[i], total(Q[i, k], k)), Stage(u[i, j], s[i, j] / (t[i] * (1 + s[i, j]) * d))
    ),
    "functions": made_up(PLAIN, Stage(a[i, j], tanh(s[i, j]) + cos(s[i, j] * i) * tanh(s[i, j]))),
    "a sum up to an index": made_up(
        PLAIN, Stage(D[i], Sum(exp(s[i, l]) * s[i, l], (l, 1, i))), **SQUARE
    ),
    "a sum up to an index, of what does not hold it": made_up(
        Stage(t[i, k], Sum(exp(K[l, k]), (l, 1, i)), (n, d))
    ),
    "the largest": made_up(PLAIN, Stage(D[i], largest(2 * s[i, j], j))),
    "inside of another index": made_up(Stage(h[i, j], exp(total(Q[i, k], k)) * total(K[j, k], k))),
    "one expression in two stages": made_up(
        PLAIN, Stage(D[i], total(exp(2 * s[i, j]), j)), Stage(a[i, j], 1 + exp(2 * s[i, j]))
    ),
    "three factors": made_up(Stage(s[i, j], total(Q[i, k] * K[j, k] * x[j, k], k))),
    "places": made_up(PLAIN, Stage(a[i, j], s[i, j] * (i - j) * exp(-floor(i / 2)))),
    "a stage of places": made_up(
        Stage(t[i, j], exp(i - j), (n_q, n)), PLAIN, Stage(a[i, j], t[i, j] * s[i, j])
    ),
    "masks": made_up(
        PLAIN,
        Stage(u[i], Equals(total(AtMost(j, i) * M[j], j), 0), (n_q,)),
        Stage(D[i], total(AtMost(j, i) * M[j] * s[i, j], j) + n * u[i]),
        Stage(a[i, j], (AtMost(j, i) + M[j]) * s[i, j]),
        given=((Q, (n_q, d)), (K, (n, d)), (M, (n,))),
        indicators=frozenset({M}),
    ),
    "a sum of places": made_up(PLAIN, Stage(a[i, j], s[i, j] * Sum(l, (l, 1, n)))),
}

OPTIONS = {
    "causal": Options(causal="bottom-right", empty_rows="uniform", window=2),
    "mask and bias": Options(leading=2, mask="b1ij", bias="1ij", empty_rows="zero"),
    "grouped": Options(leading=1, grouped="consecutive", soft_cap=Rational(5, 2)),
    "projections": Options(
        leading=2, projections="self", heads=4, grouped="interleaved", kv_heads=2
    ),
    "packed": Options(leading=1, projections="cross", heads=4, packed=True, scale=Rational(1, 3)),
}


@pytest.mark.parametrize("key", ATLAS)
def test_the_counts_of_the_atlas_are_those_of_an_interpreter_that_counts(key):
    check(ATLAS[key].mechanism)


@pytest.mark.parametrize("key", [*MECHANISMS, *OPTIONS, *MADE_UP])
def test_the_counts_of_others_are_those_of_an_interpreter_that_counts(key):
    mechanism = MECHANISMS.get(key) or MADE_UP.get(key)
    check(mechanism or scaled_dot_product_attention(OPTIONS[key]))


def test_the_counts_hold_at_one_token_and_at_other_shapes():
    smallest = dict.fromkeys(USUAL, 1)
    other = {size: length + 1 for size, length in USUAL.items()}
    for key in ("scaled-dot-product", "causal", "additive", "shifted-softmax", "alibi"):
        check(ATLAS[key].mechanism, smallest)
        check(ATLAS[key].mechanism, other)


@pytest.mark.parametrize("key", ATLAS)
def test_the_numbers_held_are_the_sizes_of_the_arrays(key):
    mechanism = ATLAS[key].mechanism
    shapes = some_shapes(mechanism)
    arrays = {str(base): numpy.ones(shape) for base, shape in shapes.items()}
    arrays |= function(mechanism, numpy)(**arrays)
    numbers, held = sizes(mechanism, shapes), memory(mechanism)
    everything = (*held.inputs, *held.intermediate, held.result)
    found = {str(base): size.xreplace(numbers) for base, size in everything}
    assert found == {name: entries.size for name, entries in arrays.items()}
    assert held.total.xreplace(numbers) == sum(entries.size for entries in arrays.values())


def test_a_wrong_count_is_noticed(monkeypatch):
    scaled = ATLAS["scaled-dot-product"].mechanism
    monkeypatch.setattr(Counting, "divide", lambda *_: COMPUTED)
    with pytest.raises(AssertionError, match="divisions"):
        check(scaled)


def test_without_sharing_the_exponentials_are_counted_twice(monkeypatch):
    monkeypatch.setattr(CountingElements, "value", Elements.value)
    with pytest.raises(AssertionError, match="exponentials"):
        check(ATLAS["scaled-dot-product"].mechanism)


# Published costs


def test_scaled_dot_product_attention_costs_four_n_squared_d():
    counts = operations(ATLAS["scaled-dot-product"].mechanism).total
    square = {n_q: n, d_v: d}
    # Dao 2023, FlashAttention-2, section 4.1: 4 seqlen^2 head dimension, for each head.
    assert leading(counts.arithmetic.xreplace(square)) == 4 * n**2 * d
    assert counts.leading() == 2 * n_q * n * d + 2 * n_q * n * d_v
    # Each score has one exponential and two divisions: by the root of d, and by its row's sum.
    assert counts.exponentials == n_q * n
    assert counts.divisions == 2 * n_q * n


def test_a_layer_of_heads_costs_eight_n_d_squared_for_its_projections():
    counts = dict(operations(ATLAS["multi-head"].mechanism).stages)
    projections = sum((counts[base] for base in map(array, ("Q", "K", "V", "o"))), Count())
    told = {d_v: d_e / n_h, d: d_e / n_h, d_f: d_e}
    # Kaplan et al. 2020, table 1: 2 times the parameters for each token, 4 d_e^2 of them.
    assert leading(projections.arithmetic.subs(told).expand()) == 8 * n * d_e**2
    # 4 n^2 d_e, and what is linear in a head's size by the number of heads.
    attention = (counts[s] + counts[z]).arithmetic.subs(told).expand()
    assert attention.coeff(n**2).coeff(d_e) == 4


def test_a_rotary_score_costs_as_much_as_a_plain_one_and_turns_each_token_once():
    counts = dict(operations(ATLAS["rotary-interleaved"].mechanism).stages)
    assert leading(counts[s].arithmetic) == 2 * n**2 * d
    # Each number of queries and keys: two multiplications and one addition.
    turned = sum((counts[array(name)] for name in ("X_q", "Y_q", "X_k", "Y_k")), Count())
    assert turned.arithmetic == 2 * 3 * n * d


def test_linformer_is_linear_in_the_tokens():
    linformer, scaled = (ATLAS[key].mechanism for key in ("linformer", "scaled-dot-product"))
    costs = [operations(mechanism).total.total for mechanism in (linformer, scaled)]
    held = [memory(mechanism).total for mechanism in (linformer, scaled)]
    degrees = [Poly(size.xreplace({n_q: n}), n).degree() for size in (*costs, *held)]
    assert degrees == [1, 2, 1, 2]


def test_grouped_heads_project_fewer_keys():
    counts = dict(operations(ATLAS["grouped-query"].mechanism).stages)
    assert leading(counts[K].total) == 2 * n * d_e * d * n_g
    assert leading(counts[Q].total) == 2 * n * d_e * d * n_h


# The rules


def test_a_mask_costs_nothing():
    plain = scaled_dot_product_attention()
    causal = scaled_dot_product_attention(Options(causal="top-left"))
    assert operations(plain).total == operations(causal).total


def test_counts_add_up():
    first, second = Count(additions=n, maxima=Integer(2)), Count(additions=d - n, divisions=n)
    assert first + second == Count(additions=d, maxima=Integer(2), divisions=n)
    assert (first + second).total == d + n + 2


@pytest.mark.parametrize(
    ("polynomial", "terms"),
    [
        (n**2 * d + n * d + 5, n**2 * d),
        (2 * n_q * n * d + 3 * n * d_v - n, 2 * n_q * n * d + 3 * n * d_v),
        (n * d**2 + n**2 * d, n * d**2 + n**2 * d),
        (Integer(7), 7),
    ],
)
def test_leading_terms_are_those_that_no_other_outgrows(polynomial, terms):
    assert leading(polynomial) == terms


def test_the_largest_array_on_the_way():
    assert memory(ATLAS["additive"].mechanism).largest == (array("H"), n_q * n * d_e)
    assert memory(ATLAS["scaled-dot-product"].mechanism).largest == (s, n_q * n)
    assert memory(made_up(PLAIN)).largest is None


@pytest.mark.parametrize(
    ("stage", "error", "message"),
    [
        (Stage(D[i], Sum(Q[i, k], (k, 2, d))), FormulaError, "counted from 1, not from 2"),
        (Stage(a[i, k], log(Q[i, k])), UnknownNode, "log"),
        (Stage(a[i, k], Q[i, k] ** Rational(1, 3)), UnknownNode, "Pow"),
    ],
)
def test_what_cannot_be_counted_is_refused(stage, error, message):
    with pytest.raises(error, match=message):
        operations(made_up(stage))
