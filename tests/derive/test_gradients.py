"""Gradients derived from the index form, against torch's autograd and SymPy's own derivative."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy
import pytest
import torch
from sympy import Integer, Mod, Pow, Rational, Sum, Symbol, diff, exp, floor, log, sqrt, tanh

from derive.algebras.floats import FloatArrays
from derive.algebras.residues import ResidueArrays
from derive.algebras.symbolic import Symbolic
from derive.attention import CROSS, MECHANISMS, SCALED, SHIFTED, SOFTMAX
from derive.brackets import Equals
from derive.differentiation import Entry, contributions
from derive.elements import Elements, UnknownNode
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
    m,
    n,
    n_q,
    s,
    total,
    x,
    z,
)
from derive.gradients import gradient_of, vector_jacobian_product
from derive.index_arrays import evaluate_mechanism
from derive.options import Options
from derive.publish.notation import Speech, Text
from derive.publish.writing import equation
from derive.scaled_dot_product import M, scaled_dot_product_attention
from derive.tensors import Tensors
from derive.tidying import Tidier, factored
from derive.written_out import named_entries

FLOATS = Tensors(FloatArrays())
W, v, zbar = array("W"), array("v"), array("zbar")


def gradients(mechanism, given, upstream):
    """Evaluate the gradients by every input over floats."""
    backward = vector_jacobian_product(mechanism)
    arrays = evaluate_mechanism(
        backward.mechanism, {**given, backward.upstream: wrapped(upstream)}, FLOATS
    )
    return {base: arrays[name].data for base, name in backward.gradients.items()}


def wrapped(values):
    return FLOATS.finite(values.detach().numpy(), tuple(values.shape))


def autograd(case):
    inputs = case.inputs()
    output = case.output(inputs)
    upstream = torch.randn_like(output)
    return upstream, [g.numpy() for g in torch.autograd.grad(output, inputs, upstream)]


def test_every_option_has_the_gradients_of_autograd(case):
    upstream, theirs = autograd(case)
    mechanism = case.mechanism
    ours = gradients(mechanism, case.given(mechanism, case.inputs(), FLOATS), upstream)
    assert list(ours) == [base for base in mechanism.inputs if base != M]
    for base, expected in zip(ours, theirs, strict=True):
        assert ours[base].shape == expected.shape
        assert abs(ours[base] - expected).max() < 1e-12, base


def test_gradients_of_another_formula_are_told_apart(case):
    upstream, theirs = autograd(case)
    mechanism = scaled_dot_product_attention(replace(case.options, **case.near))
    ours = gradients(mechanism, case.given(mechanism, case.inputs(), FLOATS), upstream)
    differences = [abs(g - e).max() for g, e in zip(ours.values(), theirs, strict=True)]
    assert max(differences) > 1e-3


TORCH = {
    "raw": lambda x: x @ x.T @ x,
    "sum": lambda x: (x @ x.T) / (x @ x.T).sum(-1, keepdim=True) @ x,
    "softmax": lambda x: torch.softmax(x @ x.T, -1) @ x,
    "shifted": lambda x: torch.softmax(x @ x.T, -1) @ x,
    "scaled": lambda x: torch.softmax(x @ x.T / x.shape[-1] ** 0.5, -1) @ x,
    "cross": lambda q, k, v: torch.softmax(q @ k.T, -1) @ v,
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_has_the_gradients_of_autograd(name):
    mechanism, sizes = MECHANISMS[name], {n_q: 3, n: 4, d: 2, d_v: 5}
    inputs = [
        torch.rand([sizes[size] for size in mechanism.shapes[base]], dtype=torch.float64)
        for base in mechanism.inputs
    ]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    output = TORCH[name](*inputs)
    upstream = torch.randn_like(output)
    theirs = torch.autograd.grad(output, inputs, upstream)
    given = dict(zip(mechanism.inputs, map(wrapped, inputs), strict=True))
    ours = gradients(mechanism, given, upstream)
    for base, expected in zip(mechanism.inputs, theirs, strict=True):
        assert abs(ours[base] - expected.numpy()).max() < 1e-12, base


def test_the_gradients_are_written_as_a_textbook_does():
    backward = vector_jacobian_product(scaled_dot_product_attention())
    written = [equation(stage, Text()) for stage in backward.stages]
    assert [line.replace("\N{COMBINING MACRON}", "'") for line in written] == [
        "a'_ij = Σ_c z'_ic·V_jc",
        "s'_ij = a_ij·(a'_ij - Σ_l a_il·a'_il)",
        "Q'_ik = (Σ_j s'_ij·K_jk) / √d",
        "K'_jk = (Σ_i s'_ij·Q_ik) / √d",
        "V'_jc = Σ_i a_ij·z'_ic",
    ]
    assert (
        equation(backward.stages[0]) == r"\bar{a}_{ij} = \sum_{c=1}^{d_{v}} \bar{z}_{ic} \, V_{jc}"
    )
    assert equation(backward.stages[-1], Speech()).startswith("capital V bar j c equals")
    assert [choice.role for choice in backward.mechanism][-3:] == [
        "gradient by Q",
        "gradient by K",
        "gradient by V",
    ]


def test_shifted_softmax_has_the_gradients_of_softmax():
    shifted, plain = (vector_jacobian_product(each) for each in (SHIFTED, SOFTMAX))
    assert [str(stage) for stage in shifted.stages] == [str(stage) for stage in plain.stages]


def test_a_maximum_that_does_not_cancel_has_no_gradient():
    unlike = Choice(
        "normalise",
        "shifted above alone",
        (
            Stage(m[i], largest(s[i, j], j)),
            Stage(D[i], total(exp(s[i, j]), j)),
            Stage(a[i, j], exp(s[i, j] - m[i]) / D[i]),
        ),
    )
    mechanism = Mechanism("half shifted", (SHIFTED.choices[0], unlike, SHIFTED.choices[2]))
    with pytest.raises(FormulaError, match="what depends on m does not cancel"):
        vector_jacobian_product(mechanism)


# Against SymPy's own derivative, entry by entry

TINY = {n_q: 2, n: 2, d: 2, d_v: 1}


def entries_of_gradients(mechanism):
    """Return each gradient by our formula and by SymPy's ``diff`` of the written-out output."""
    backward = vector_jacobian_product(mechanism)
    whole = backward.mechanism
    given = {
        base: named_entries(base, [size.xreplace(TINY) for size in whole.shapes[base]])
        for base in whole.inputs
    }
    arrays = Elements(Symbolic(), given, TINY).run(whole.stages)
    output = arrays[mechanism.stages[-1].array]
    loss = sum(u * w for u, w in zip(given[backward.upstream].flat, output.flat, strict=True))
    for base, name in backward.gradients.items():
        for entry, ours in zip(given[base].flat, arrays[name].flat, strict=True):
            yield ours, diff(loss, entry)


def at_a_point(expression, seed=1):
    random = Random(seed)
    symbols = sorted(expression.free_symbols, key=str)
    values = {t: Rational(random.randint(1, 9), random.randint(2, 9)) for t in symbols}
    return expression.xreplace(values).evalf(40)


BY_SYMPY = {
    **{name: MECHANISMS[name] for name in ("raw", "sum", "softmax", "scaled", "cross")},
    "causal": scaled_dot_product_attention(Options(causal="top-left")),
    "soft cap": scaled_dot_product_attention(
        Options(soft_cap=Rational(2), bias=True, causal="bottom-right", window=1)
    ),
}


@pytest.mark.parametrize("name", BY_SYMPY)
def test_every_entry_of_a_gradient_is_sympys_derivative(name):
    compared = 0
    for ours, theirs in entries_of_gradients(BY_SYMPY[name]):
        assert abs(at_a_point(ours - theirs)) < Rational(1, 10**30)
        compared += 1
    assert compared >= 4


# What a formula may hold


def by_contributions(value, by, shape, indices=(j,), target=z[i], sizes=(n_q,)):
    stage = Stage(target, value)
    return list(contributions(stage, sizes, zbar[target.indices], Entry(by, indices, shape)))


def test_a_sum_over_a_part_of_an_axis_reaches_that_part_alone():
    (term,) = by_contributions(Sum(s[i, j] * v[j], (j, 1, 3)), v, (n,))
    assert term.atoms(Equals)
    (whole,) = by_contributions(total(s[i, j] * v[j], j), v, (n,))
    assert not whole.atoms(Equals)


def test_a_position_that_cannot_be_solved_keeps_a_bracket():
    (term,) = by_contributions(v[floor((i - 1) / 2) + 1], v, (n,))
    assert term.function.atoms(Equals) == {Equals(floor((term.limits[0][0] - 1) / 2) + 1, j)}


def test_a_diagonal_is_a_bracket():
    (term,) = by_contributions(s[i, i], s, (n_q, n_q), (i, j))
    assert term == zbar[i] * Equals(i, j)


def test_merged_rows_are_taken_apart():
    h, r = Symbol("h"), Symbol("r")
    (term,) = by_contributions(v[(h - 1) * d + k], v, (n * d,), (r,), target=z[h, k], sizes=(n, d))
    block = floor((r - 1) / d)
    assert term == zbar[block + 1, r - d * block]
    (off,) = by_contributions(v[h * d + k], v, (n * d,), (r,), target=z[h, k], sizes=(n, d))
    assert off.atoms(Equals)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (log(v[i]), UnknownNode, "log in "),
        (Pow(2, v[i]), UnknownNode, "Pow in "),
        (Equals(v[i], 1), FormulaError, "declare v among the indicators"),
        (largest(s[i, j] * v[j], j), FormulaError, "no derivative"),
        (Sum(v[j], (j, 1, i)), FormulaError, "only sums over a whole axis"),
    ],
)
def test_what_has_no_derivative_here_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        by_contributions(value, v, (n,))


def test_a_formula_of_ones_own_has_the_gradients_of_autograd():
    score = Stage(s[i, j], total(total(Q[i, k] * W[k, l] * K[j, l], l), k).subs(n, d) ** 3)
    root = Stage(a[i, j], sqrt(1 + s[i, j] ** 2) / (1 + total(tanh(s[i, l]) ** 2, l)))
    result = Stage(z[i, c], total(a[i, j] * V[j, c], j) - 2 * V[Mod(i, 3) + 1, c])
    mechanism = Mechanism(
        "mine",
        (Choice("score", "cubed", (score,)), Choice("rest", "made up", (root, result))),
        given=((Q, (n_q, d)), (W, (d, d)), (K, (n, d)), (V, (n, d_v))),
    )
    shapes = {Q: (5, 2), W: (2, 2), K: (3, 2), V: (3, 4)}
    inputs = [torch.rand(shape, dtype=torch.float64).requires_grad_() for shape in shapes.values()]
    q, w, keys, values = inputs
    scores = (q @ w @ keys.T) ** 3
    weights = (1 + scores**2).sqrt() / (1 + (torch.tanh(scores) ** 2).sum(-1, keepdim=True))
    output = weights @ values - 2 * values[torch.arange(1, 6) % 3]
    upstream = torch.randn_like(output)
    theirs = torch.autograd.grad(output, inputs, upstream)
    given = dict(zip(shapes, map(wrapped, inputs), strict=True))
    ours = gradients(mechanism, given, upstream)
    for base, expected in zip(shapes, theirs, strict=True):
        assert abs(ours[base] - expected.numpy()).max() < 1e-10, base


def test_an_array_that_the_output_does_not_depend_on_has_the_gradient_zero():
    idle = Stage(s[i, j], total(Q[i, k] * K[j, k], k))
    mechanism = Mechanism("idle", (Choice("score", "idle", (idle, Stage(z[j, c], 3 * V[j, c]))),))
    ours = gradients(
        mechanism, {base: wrapped(torch.ones(2, 2)) for base in (Q, K, V)}, torch.ones(2, 2)
    )
    assert not ours[Q].any()
    assert not ours[K].any()
    assert (ours[V] == 3).all()


# Names and readability


def test_the_gradient_by_an_array_has_its_name_with_a_bar():
    assert str(gradient_of(array("W_q"))) == "Wbar_q"
    assert gradient_of(z) == zbar


def test_common_factors_are_taken_out():
    assert factored(a[i, j] * s[i, j] - a[i, j] * D[i]) == a[i, j] * (s[i, j] - D[i])
    assert factored(a[i, j] - s[i, j]) == a[i, j] - s[i, j]
    assert factored(2 * D[i] - 2 * a[i, j]) == 2 * D[i] - 2 * a[i, j]


def test_a_definition_is_folded_only_where_all_of_it_is_there():
    tidier = Tidier(SOFTMAX.stages, frozenset())
    assert tidier.folded(exp(s[j, l]) / D[j]) == a[j, l]
    assert tidier.folded(exp(2 * s[j, l]) / D[j]) == exp(2 * s[j, l]) / D[j]
    assert tidier.folded(exp(s[j, l]) / D[l]) == exp(s[j, l]) / D[l]
    assert tidier.folded(exp(s[j, l]) * D[j]) == exp(s[j, l]) * D[j]
    assert tidier.folded(exp(s[j, l]) / sqrt(D[j])) == exp(s[j, l]) / sqrt(D[j])
    assert tidier.folded(exp(s[j, l]) / D[j] ** 2) == a[j, l] / D[j]


# At a random point of prime fields


@pytest.mark.parametrize("name", ["softmax", "shifted"])
def test_gradients_are_the_same_function_as_those_written_by_hand(name):
    """The reference differentiates nothing: dx by the three matrix products of a textbook."""
    algebra = ResidueArrays(Random(4), levels=2)
    tensors = Tensors(algebra)
    given = {base: tensors.finite(algebra.free(shape), shape) for base, shape in
             ((x, (4, 3)), (zbar, (4, 3)))}  # fmt: skip
    backward = vector_jacobian_product(MECHANISMS[name])
    arrays = evaluate_mechanism(backward.mechanism, given, tensors)

    def turned(tensor):
        return tensors.rearrange(lambda entries: entries.T, tensor)

    def product(left, right):
        return tensors.matmul(left, right)

    weights = arrays[a]
    ds = product(given[zbar], turned(given[x]))
    row = tensors.total(tensors.multiply(weights, ds), (1,), keep=True)
    ds = tensors.multiply(weights, tensors.subtract(ds, row))
    terms = [product(turned(weights), given[zbar]), product(ds, given[x])]
    expected = tensors.add(*terms)
    wrong = expected
    expected = tensors.add(expected, product(turned(ds), given[x]))
    ours = arrays[backward.gradients[x]]
    assert algebra.same(ours.data, expected.data).all()
    assert not algebra.same(ours.data, wrong.data).any()


def test_exact_fractions_are_enough_for_a_rational_formula():
    backward = vector_jacobian_product(MECHANISMS["raw"])
    values = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64).requires_grad_()
    upstream = torch.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=torch.float64)
    expected = torch.autograd.grad(TORCH["raw"](values), values, upstream)[0]
    given = {x: wrapped(values), backward.upstream: wrapped(upstream)}
    found = evaluate_mechanism(backward.mechanism, given, FLOATS)[backward.gradients[x]].data
    assert [Fraction(v) for v in found.flat] == [Fraction(float(v)) for v in expected.flatten()]


def test_scaled_and_cross_attention_differ_from_each_other():
    scaled, cross = (vector_jacobian_product(each) for each in (SCALED, CROSS))
    assert scaled.mechanism.canonical() != cross.mechanism.canonical()
    assert Integer(0) not in [stage.value for stage in cross.stages]
    assert numpy.array([stage.shape for stage in cross.stages], dtype=object).size
