"""Gradients of the atlas: written as a textbook has them, and equal to what they were made from."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add, mul
from random import Random

import numpy
import pytest
import torch
from mpmath import mpf
from sympy import Add, Indexed, Integer, Rational, Sum, Symbol, cos, exp, sin, sqrt, tanh

from derive import folding, gradients, tidying
from derive.algebras.decimal import Decimal
from derive.brackets import AtMost, Equals
from derive.elements import Elements
from derive.folding import definition
from derive.formula import (
    UPPER_LIMIT,
    D,
    FormulaError,
    K,
    Q,
    Stage,
    a,
    array,
    d,
    e,
    h,
    i,
    j,
    k,
    l,
    n,
    n_q,
    s,
    total,
    z,
)
from derive.gradients import vector_jacobian_product
from derive.publish.html_notation import Html
from derive.publish.notation import Latex, Speech, Text
from derive.publish.writing import equation, general
from derive.tidying import Tidier, factored, grouped, merged, without_content
from derive.variants import ATLAS

n_p, r = Symbol("n_p", integer=True, positive=True), Symbol("r", integer=True, positive=True)
H, W, U, N, F, G = (array(letter) for letter in "HWUNFG")
zbar = array("zbar")

SIZES = dict.fromkeys(UPPER_LIMIT.values(), 2) | {n: 3, r: 2, UPPER_LIMIT[h]: 2}
"""Small, so that every entry is worked by itself; what the relations of a mechanism say is put in.
"""


# As a person writes them

SOFTMAX = "s'_ij = a_ij·(a'_ij - Σ_l a_il·a'_il)"
QUERY, KEY = "Q'_ik = (Σ_j s'_ij·K_jk) / √d", "K'_jk = (Σ_i s'_ij·Q_ik) / √d"
VALUE = "V'_jc = Σ_i a_ij·z'_ic"

WRITTEN = {
    "scaled-dot-product": ["a'_ij = Σ_c z'_ic·V_jc", SOFTMAX, QUERY, KEY, VALUE],
    "additive": [
        "a'_ij = Σ_c z'_ic·V_jc",
        SOFTMAX,
        "H'_ije = s'_ij·u_e",
        "Q'_ik = Σ_j Σ_e H'_ije·W_ek·(1 - H_ije²)",
        "K'_jk = Σ_i Σ_e H'_ije·U_ek·(1 - H_ije²)",
        VALUE,
        "W'_ek = Σ_i Q_ik·Σ_j H'_ije·(1 - H_ije²)",
        "U'_ek = Σ_i Σ_j H'_ije·K_jk·(1 - H_ije²)",
        "u'_e = Σ_i Σ_j H_ije·s'_ij",
    ],
    "soft-cap": ["u'_ij = a_ij·(a'_ij - Σ_l a_il·a'_il)", "s'_ij = u'_ij·(1 - t_ij²)"],
    "sigmoid": [
        "t'_hij = a_hij·a'_hij·(1 - a_hij)",
        "s'_hij = t'_hij",
        "b'_h = Σ_i Σ_j t'_hij",
    ],
    "sum-normalised": ["s'_ij = (a'_ij - Σ_l a_il·a'_il) / D_i"],
    "power": ["s'_ij = 2·s_ij·(a'_ij - Σ_l a_il·a'_il) / D_i"],
    "linear": ["Q'_ik = F_ik·F'_ik", "K'_jk = G_jk·G'_jk"],
    "linear-causal": ["s'_ij = [j ≤ i]·(a'_ij - Σ_l a_il·a'_il) / D_i"],
    "performer": ["Q'_ik = Σ_p F_ip·F'_ip·(W_pk - Q_ik)"],
    "pooling": ["b'_e = Σ_j H'_je·(1 - H_je²)"],
    "query-key-normalised": [
        "Q'_hik = (g_h·Σ_j s'_hij·K_hjk / r_k_hj - (Q_hik·Σ_j s_hij·s'_hij) / r_q_hi) / r_q_hi"
    ],
    "rotary-interleaved": [
        "Q'_ik = Σ_p [2·p - 1 = k]·(C_ip·X'_q_ip + S_ip·Y'_q_ip)"
        " + Σ_p [2·p = k]·(C_ip·Y'_q_ip - S_ip·X'_q_ip)",
        "θ'_p = Σ_i i·(C_ip·S'_ip - C'_ip·S_ip)",
    ],
    "relative-keys": ["R'_pk = (Σ_i Q_ik·Σ_j [j + n - i = p]·s'_ij) / √d"],
    "talking-heads": [
        "a'_hij = Σ_p W_a_ph·A'_pij",
        "t'_hij = a_hij·(a'_hij - Σ_l a_hil·a'_hil)",
        "s'_gij = Σ_h W_s_hg·t'_hij",
        "W'_s_hg = Σ_i Σ_j t'_hij·s_gij",
    ],
    "sink": ["b'_h = -exp(b_h)·Σ_i (Σ_j a_hij·a'_hij) / D_hi"],
    "differential": ["a'_2_hij = -m_h·a'_hij", "m'_h = -Σ_i Σ_j a_2_hij·a'_hij"],
    "alibi": ["s'_hij = w'_hij", "m'_h = Σ_i Σ_j w'_hij·(j - i)"],
    "gated-output": ["g'_ic = G_ic·G'_ic·(1 - G_ic)", "z'_ic = G_ic·o'_ic"],
    "temperature": ["s'_hij = t'_hij / T_h", "T'_h = -(Σ_i Σ_j t_hij·t'_hij) / T_h"],
    "forgetting": ["f'_hl = Σ_i [l ≤ i]·(Σ_j w'_hij - Σ_j w'_hji)"],
    "memory": ["s'_ij = a_ij·(a'_ij - Σ_l a_il·a'_il - Σ_p r_ip·r'_ip)"],
}
"""Gradients by the key of their mechanism; the first two are there in full."""


def lines(mechanism):
    """Return the gradients as text, with ' for the bar."""
    written = [equation(stage, Text()) for stage in vector_jacobian_product(mechanism).stages]
    return [line.replace("\N{COMBINING MACRON}", "'") for line in written]


@pytest.mark.parametrize("key", WRITTEN)
def test_the_gradients_of_a_mechanism_are_those_of_a_textbook(key):
    found = lines(ATLAS[key].mechanism)
    assert [line for line in found if line in WRITTEN[key]] == WRITTEN[key]
    if key in ("scaled-dot-product", "additive"):
        assert found == WRITTEN[key]


@pytest.mark.parametrize("key", ATLAS)
def test_no_function_is_written_out_where_an_array_holds_it(key):
    mechanism = ATLAS[key].mechanism
    held = {
        type(stage.value)
        for stage in mechanism.stages
        if isinstance(stage.value, exp | tanh | cos | sin)
    }
    for stage in vector_jacobian_product(mechanism).stages:
        assert not any(stage.value.has(function) for function in held), stage


def test_squares_are_written_in_every_notation():
    stage = vector_jacobian_product(ATLAS["soft-cap"].mechanism).mechanism.stage(array("sbar"))
    assert equation(stage, Latex()).endswith(r"\left(1 - t_{ij}^{2}\right)")
    assert equation(stage, Html()).endswith("(1 − <i>t</i><sub>ij</sub><sup>2</sup>)")
    assert "the quantity 1 minus t i j squared end quantity" in equation(stage, Speech())
    assert general(array("r_q")[i] ** 3) == r"\left(r^{(q)}_{i}\right)^{3}"
    assert general((s[i, j] - 1) ** 12, Text()) == "(s_ij - 1)¹²"
    assert general(s[i, j] ** 4, Speech()) == "s i j to the power 4"


def test_a_minus_sign_stands_before_a_fraction():
    assert general(-s[i, j] / D[i], Text()) == "-s_ij / D_i"
    assert general(-s[i, j] / D[i]) == r"-\frac{s_{ij}}{D_{i}}"
    assert general(Rational(-3, 2) * s[i, j], Text()) == "-3·s_ij / 2"


# Equal to what they were made from


class TorchScalars:
    """Scalars are torch's own numbers, each with its gradient: nothing of ours differentiates."""

    def number(self, value):
        return torch.tensor(float(value), dtype=torch.float64)

    def add(self, terms):
        return reduce(add, terms)

    def multiply(self, factors):
        return reduce(mul, factors)

    def divide(self, numerator, denominator):
        return numerator / denominator

    def largest(self, values):
        return torch.stack(list(values)).max()

    exp, tanh, cos = staticmethod(torch.exp), staticmethod(torch.tanh), staticmethod(torch.cos)
    sin, sqrt = staticmethod(torch.sin), staticmethod(torch.sqrt)


def sizes_of(mechanism):
    found = dict(SIZES)
    for symbol, value in mechanism.relations:
        found[symbol] = int(value.subs(found))
    return found


def point(mechanism, seed=3):
    """Return a random point: rational numbers that are not zero, and masks of zeros and ones."""
    random, sizes = Random(seed), sizes_of(mechanism)
    given = {}
    for base in mechanism.inputs:
        shape = [int(size.subs(sizes)) for size in mechanism.shapes[base]]
        entries = numpy.empty(shape, dtype=object)
        for place in numpy.ndindex(*shape):
            number = Rational(random.randint(2, 9), random.randint(5, 9))
            # The first key stays visible, so that no row is empty.
            chosen = Integer(int(place[-1] == 0 or random.random() < 0.5))
            entries[place] = chosen if base in mechanism.indicators else number
        given[base] = entries
    return given, sizes


def by_autograd(mechanism, upstream):
    """Return the gradients by torch, of the formula read entry by entry."""
    given, sizes = point(mechanism)
    tensors = {
        base: torch.tensor(entries.astype(float), dtype=torch.float64).requires_grad_()
        for base, entries in given.items()
    }
    entries = {base: scalars(tensor) for base, tensor in tensors.items()}
    output = Elements(TorchScalars(), entries, sizes).run(mechanism.stages)
    result = output[mechanism.stages[-1].array]
    loss = sum(w * float(u) for w, u in zip(result.flat, upstream.flat, strict=True))
    inputs = [base for base in given if base not in mechanism.indicators]
    found = torch.autograd.grad(loss, [tensors[b] for b in inputs], allow_unused=True)
    return dict(zip(inputs, found, strict=True))


def scalars(tensor):
    entries = numpy.empty(tuple(tensor.shape), dtype=object)
    for place in numpy.ndindex(*entries.shape):
        entries[place] = tensor[place]
    return entries


def upstream_of(mechanism):
    sizes = sizes_of(mechanism)
    shape = vector_jacobian_product(mechanism).mechanism.given[-1][1]
    random = Random(8)
    entries = numpy.empty([int(size.subs(sizes)) for size in shape], dtype=object)
    for place in numpy.ndindex(*entries.shape):
        entries[place] = Rational(random.choice([-1, 1]) * random.randint(1, 9), 7)
    return entries


def in_decimals(backward):
    """Return the gradients by each input to 50 digits, from the equations as they stand."""
    given, sizes = point(backward.forward)
    given[backward.upstream] = upstream_of(backward.forward)
    algebra = Decimal()
    numbers = {base: to_decimals(entries, algebra) for base, entries in given.items()}
    arrays = Elements(algebra, numbers, sizes).run(backward.mechanism.stages)
    return {base: arrays[name] for base, name in backward.gradients.items()}


def to_decimals(entries, algebra):
    found = numpy.empty(entries.shape, dtype=object)
    for place in numpy.ndindex(*entries.shape):
        found[place] = algebra.number(entries[place])
    return found


def farthest(ours, theirs):
    """Return the largest difference between two sets of gradients, as a part of the numbers."""
    return max(
        abs(x - y) / (1 + abs(y))
        for base, entries in ours.items()
        for x, y in zip(entries.flat, numpy.asarray(theirs[base]).flat, strict=True)
    )


@pytest.mark.parametrize("key", ATLAS)
def test_every_gradient_of_the_atlas_is_torchs(key):
    mechanism = ATLAS[key].mechanism
    ours = in_decimals(vector_jacobian_product(mechanism))
    theirs = by_autograd(mechanism, upstream_of(mechanism))
    assert list(ours) == [base for base in mechanism.inputs if base not in mechanism.indicators]
    assert farthest(ours, {base: found.numpy() for base, found in theirs.items()}) < 1e-11


class Untidied(Tidier):
    """Leaves every gradient as the sum of what contributes to it."""

    def tidy(self, terms):
        return Add(*terms)


def untidied(mechanism):
    backward = gradients._Backward(mechanism)
    backward.tidier = Untidied(mechanism.stages, mechanism.indicators)
    return backward.formula()


@pytest.mark.parametrize("key", [key for key in ATLAS if key != "shifted-softmax"])
def test_a_tidied_gradient_is_equal_to_its_contributions(key):
    mechanism = ATLAS[key].mechanism
    tidy, raw = vector_jacobian_product(mechanism), untidied(mechanism)
    assert farthest(in_decimals(tidy), in_decimals(raw)) < mpf(10) ** -40


def test_a_maximum_cancels_only_when_it_is_tidied():
    with pytest.raises(FormulaError, match="does not cancel"):
        untidied(ATLAS["shifted-softmax"].mechanism)


# A wrong fold is found


def with_wrong_definitions(monkeypatch, change):
    def changed(stage, indicators):
        found = definition(stage, indicators)
        return found and change(found)

    monkeypatch.setattr(tidying, "definition", changed)


def without_a_denominator(found):
    above = tuple((factor, exponent) for factor, exponent in found.factors if exponent > 0)
    return replace(found, factors=above or found.factors)


def twice(found):
    return replace(found, coefficient=2 * found.coefficient)


MUTANTS = {
    "a denominator is not looked for": (without_a_denominator, "scaled-dot-product"),
    "a norm is not looked for": (without_a_denominator, "query-key-normalised"),
    "a number is forgotten in a product": (twice, "scaled-dot-product"),
    "a number is forgotten in a function": (twice, "additive"),
    "a number is forgotten in a complement": (twice, "sigmoid"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_definition_gives_gradients_that_are_refused(name, monkeypatch):
    change, key = MUTANTS[name]
    mechanism = ATLAS[key].mechanism
    theirs = by_autograd(mechanism, upstream_of(mechanism))
    theirs = {base: found.numpy() for base, found in theirs.items()}
    with_wrong_definitions(monkeypatch, change)
    wrong = vector_jacobian_product.__wrapped__(mechanism)
    assert farthest(in_decimals(wrong), theirs) > 1e-3


def test_a_common_factor_that_is_not_in_every_term_is_refused(monkeypatch):
    mechanism = ATLAS["sum-normalised"].mechanism
    theirs = in_decimals(vector_jacobian_product(mechanism))
    monkeypatch.setattr(tidying, "_common", lambda parts: parts[0])
    wrong = vector_jacobian_product.__wrapped__(mechanism)
    assert farthest(in_decimals(wrong), theirs) > 1e-3


# The rules one by one


def folded(stage, expression, indicators=frozenset()):
    return definition(stage, indicators).fold(expression)


HIDDEN = Stage(H[i, j, e], tanh(total(W[e, k] * Q[i, k], k) + total(U[e, k] * K[j, k], k)))


def test_a_function_is_folded_whatever_letters_its_sums_bind():
    c, f = Symbol("c", integer=True, positive=True), Symbol("f", integer=True, positive=True)
    same = tanh(Sum(W[f, c] * Q[l, c], (c, 1, d)) + Sum(U[f, l] * K[j, l], (l, 1, d)))
    assert folded(HIDDEN, same) == H[l, j, f]
    assert folded(HIDDEN, 3 * same**2 * Q[i, k]) == 3 * H[l, j, f] ** 2 * Q[i, k]
    swapped = tanh(total(W[k, e] * Q[i, k], k) + total(U[e, k] * K[j, k], k))
    assert folded(HIDDEN, swapped) == swapped
    half = tanh(total(W[e, k] * Q[i, k], k))
    assert folded(HIDDEN, half) == half


def test_a_function_of_two_rows_is_no_entry():
    twice_e = tanh(total(W[e, k] * Q[i, k], k) + total(U[l, k] * K[j, k], k))
    assert folded(HIDDEN, twice_e) == twice_e
    shorter = tanh(Sum(W[e, k] * Q[i, k], (k, 1, 2)) + total(U[e, k] * K[j, k], k))
    assert folded(HIDDEN, shorter) == shorter


def test_a_number_before_a_function_is_divided_by():
    capped = Stage(s[i, j], 2 * tanh(a[i, j] / 2))
    assert folded(capped, 1 - tanh(a[i, j] / 2)) == 1 - tanh(a[i, j] / 2)
    assert folded(capped, tanh(a[i, l] / 2) ** 2) == s[i, l] ** 2 / 4
    assert folded(capped, tanh(a[i, l] / 3)) == tanh(a[i, l] / 3)


def test_a_root_is_folded_with_any_whole_power():
    norm = Stage(D[i], sqrt(total(Q[i, k] ** 2, k)))
    inside = total(Q[j, k] ** 2, k)
    assert folded(norm, 1 / sqrt(inside)) == 1 / D[j]
    assert folded(norm, Q[j, k] * inside ** Rational(-3, 2)) == Q[j, k] / D[j] ** 3
    assert folded(norm, inside ** Rational(1, 3)) == inside ** Rational(1, 3)


def test_a_mask_is_needed_unless_the_entry_is_there():
    masked = Stage(a[i, j], AtMost(j, i) * s[i, j] / D[i])
    assert folded(masked, AtMost(l, i) * s[i, l] / D[i]) == a[i, l]
    assert folded(masked, s[i, l] / D[i]) == s[i, l] / D[i]
    assert folded(masked, AtMost(i, l) * s[i, l] / D[i]) == AtMost(i, l) * s[i, l] / D[i]
    assert folded(masked, a[i, l] * s[i, l] / D[i]) == a[i, l] ** 2
    assert folded(masked, s[i, l] / (D[i] * a[i, l])) == s[i, l] / (D[i] * a[i, l])


def test_nothing_is_divided_by_what_may_be_masked():
    gate = 1 + exp(-s[i, j])
    plain = Stage(a[i, j], 1 / gate)
    assert folded(plain, D[i] * gate) == D[i] / a[i, j]
    masked = Stage(a[i, j], AtMost(j, i) / gate)
    assert folded(masked, AtMost(j, i) * gate) == AtMost(j, i) * gate
    assert folded(masked, AtMost(j, i) / gate**2) == a[i, j] ** 2


def test_a_sigmoid_has_a_complement():
    plain = definition(Stage(a[i, j], 1 / (1 + exp(-s[i, j]))), frozenset())
    assert plain.complement(a[i, l] * exp(-s[i, l])) == 1 - a[i, l]
    assert plain.complement(3 * a[i, l] ** 2 * exp(-s[i, l])) == 3 * a[i, l] * (1 - a[i, l])
    assert plain.complement(a[i, l] * exp(-s[l, i])) == a[i, l] * exp(-s[l, i])
    assert plain.complement(exp(-s[i, l]) / a[i, l]) == exp(-s[i, l]) / a[i, l]
    masked = definition(Stage(a[i, j], AtMost(j, i) / (1 + exp(-s[i, j]))), frozenset())
    assert masked.complement(a[i, j] * exp(-s[i, j])) == AtMost(j, i) - a[i, j]
    other = definition(Stage(a[i, j], 5 / (2 + 3 * exp(s[i, j]))), frozenset())
    assert other.complement(a[i, j] * exp(s[i, j])) == (5 - 2 * a[i, j]) / 3


def test_plain_products_and_sums_of_entries_are_no_definitions():
    assert definition(Stage(z[i, j], a[i, j] * s[i, j]), frozenset()) is None
    assert definition(Stage(z[i, j], a[i, j] + s[i, j]), frozenset()) is None
    assert definition(Stage(z[i, j], 2 * a[i, j]), frozenset()) is None


def test_sums_are_made_one_only_over_something_common():
    left, right = total(a[i, j] * s[i, j], j), total(a[i, l] * N[l, i], l)
    (one,) = [merged(left - right)]
    assert isinstance(one, Sum)
    assert one.as_dummy() == total(a[i, j] * (s[i, j] - N[j, i]), j).as_dummy()
    apart = total(a[i, j], j) + total(s[i, j], j)
    assert merged(apart).as_dummy() == apart.as_dummy()
    other_range = total(a[i, j] * s[i, j], j) + Sum(a[i, j] * N[j, i], (j, 1, n_q))
    assert len(merged(other_range).atoms(Sum)) == 2
    inside = total(F[i, e] * W[e, k], e) - Q[i, k] * total(F[i, e], e)
    assert merged(inside).as_dummy() == total(F[i, e] * (W[e, k] - Q[i, k]), e).as_dummy()


def test_terms_of_one_bracket_stand_together():
    first, second = Equals(k, 1), Equals(k, 2)
    spread = first * F[i, k] + second * G[i, k] + first * a[i, j] - second * s[i, j] + D[i]
    assert grouped(spread) == (D[i] + first * (F[i, k] + a[i, j]) + second * (G[i, k] - s[i, j]))


def test_numbers_and_powers_go_before_brackets():
    assert without_content(s[i, j] * (2 * a[i, j] - 2 * D[i])) == 2 * s[i, j] * (a[i, j] - D[i])
    assert without_content(s[i, j] * (-a[i, j] - D[i])) == -s[i, j] * (a[i, j] + D[i])
    quarter = s[i, j] * (1 - a[i, j] ** 2 / 4)
    assert without_content(quarter) == quarter
    assert factored(a[i, j] / D[i] - s[i, j] / D[i] ** 2) == (a[i, j] - s[i, j] / D[i]) / D[i]
    assert factored(a[i, j] / D[i] - s[i, j] * D[i]) == a[i, j] / D[i] - s[i, j] * D[i]
    same = total(a[i, j], j), Sum(a[i, l], (l, 1, n))
    assert len(factored(s[i, j] * same[0] - D[i] * same[1]).atoms(Sum)) == 1


def test_factors_are_read_and_written_back():
    value = 3 * sqrt(d) * a[i, j] ** 2 / D[i]
    powers = folding.factors_of(value)
    assert powers == {Integer(3): 1, d: Rational(1, 2), a[i, j]: 2, D[i]: -1}
    assert folding.product_of(powers) == value
    assert all(isinstance(base, Integer | Symbol | Indexed) for base in powers)
