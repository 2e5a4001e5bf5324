"""Generated array code: what it says, and that it computes what the index form says."""

import ast

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Sum, Symbol, cos, exp, sqrt

from derive.algebras.decimal import Decimal
from derive.attention import CROSS, MECHANISMS, SCALED, SHIFTED, SOFTMAX
from derive.code import function, line, source
from derive.elements import Elements, UnknownNode
from derive.formula import (
    INPUT_SHAPES,
    Choice,
    D,
    FormulaError,
    K,
    Largest,
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

g, h, p, t, u = array("g"), array("h"), array("p"), array("t"), array("u")
j_1 = Symbol("j_1", integer=True, positive=True)


def made_up(*stages: Stage) -> Mechanism:
    return Mechanism("made up", (Choice("score", "made up", stages),))


PLAIN = Stage(s[i, j], total(Q[i, k] * K[j, k], k))

MADE_UP = {
    "bilinear": made_up(Stage(s[i, j], total(total(x[i, k] * V[k, c] * x[j, c], c), k))),
    "three factors": made_up(Stage(s[i, j], total(Q[i, k] * K[j, k] * x[j, k], k))),
    "squares": made_up(Stage(s[i, j], total((Q[i, k] - K[j, k]) ** 2, k))),
    "three axes": made_up(
        Stage(h[i, j, k], Q[i, k] * K[j, k]), Stage(s[i, j], total(h[i, j, k], k))
    ),
    "axes in another order": made_up(
        Stage(h[i, j, k], Q[i, k] + 2 * K[j, k]),
        Stage(g[k, i, j], h[i, j, k] * Q[i, k]),
        Stage(u[j, k, i], g[k, i, j] / (1 + h[i, j, k] ** 2)),
        Stage(s[i, j], total(u[j, k, i], k)),
    ),
    "transposed": made_up(PLAIN, Stage(a[j, i], exp(s[i, j])), Stage(z[i, j], a[j, i] + s[i, j])),
    "a transposed product": made_up(PLAIN, Stage(t[j, k], total(s[i, j] * Q[i, k], i))),
    "a product after a factor": made_up(
        PLAIN, Stage(a[i, j], s[i, j] * total(K[j, k] * Q[i, k], k))
    ),
    "a product after a factor, transposed": made_up(
        PLAIN, Stage(a[j, i], s[i, j] * total(K[j, k] * Q[i, k], k))
    ),
    "below the fraction line": made_up(
        PLAIN, Stage(a[i, j], s[i, j] / (1 + total(Q[i, k] ** 2, k) * total(K[j, k] ** 2, k)))
    ),
    "one axis is lacking": made_up(
        Stage(t[i], total(Q[i, k], k)),
        Stage(u[j], largest(-K[j, k], k)),
        Stage(s[i, j], t[i] - u[j]),
    ),
    "minus": made_up(PLAIN, Stage(a[i, j], -s[i, j] - Rational(3, 4) * s[i, j] ** 3)),
    "a size as a number": made_up(PLAIN, Stage(a[i, j], s[i, j] / sqrt(d) + d * s[i, j])),
    "a sum of a sum": made_up(
        Stage(u[j], total(K[j, k], k)), Stage(t[i], total(Q[i, k] * total(u[j], j), k))
    ),
    "the largest of a transposed array": made_up(PLAIN, Stage(u[j], Largest(s[i, j], (i, 1, n_q)))),
    "a column sum": made_up(PLAIN, Stage(u[j], total(exp(-s[i, j]), i))),
    "a product along columns": made_up(Stage(h[k, c], total(K[j, k] * V[j, c], j))),
    "an outer product": made_up(
        PLAIN,
        Stage(t[i], total(s[i, j], j)),
        Stage(u[j], total(s[i, j], i)),
        Stage(a[i, j], t[i] * u[j]),
    ),
    "a weighted sum of one axis": made_up(
        PLAIN, Stage(u[j], total(s[i, j], i)), Stage(t[i], total(s[i, j] * u[j], j))
    ),
    "an inner product of rows": made_up(Stage(t[i], total(Q[i, k] * Q[i, k] * x[i, k], k))),
}


def check(mechanism: Mechanism, sizes: dict, seed: int) -> None:
    """Compare the generated NumPy code with the index form, read in 50 digits."""
    random = numpy.random.default_rng(seed)
    shapes = {base: tuple(sizes[size] for size in INPUT_SHAPES[base]) for base in mechanism.inputs}
    given = {base: random.normal(size=shape) for base, shape in shapes.items()}
    decimal = Decimal()
    exact = numpy.vectorize(decimal.context.mpf, otypes=[object])
    elements = Elements(decimal, {base: exact(entries) for base, entries in given.items()})
    expected = elements.run(mechanism.stages)
    computed = function(mechanism, numpy)(**{str(base): rows for base, rows in given.items()})
    assert list(computed) == [str(stage.array) for stage in mechanism.stages]
    for stage in mechanism.stages:
        found, right = computed[str(stage.array)], expected[stage.array].astype(float)
        assert found.shape == right.shape, source(mechanism, "numpy")
        numpy.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("key", MECHANISMS)
def test_the_code_of_every_mechanism_computes_its_formula(key):
    check(MECHANISMS[key], {n_q: 3, n: 3, d: 2, d_v: 2}, seed=1)


def test_queries_and_values_may_differ_in_size_from_keys():
    check(CROSS, {n_q: 2, n: 5, d: 3, d_v: 4}, seed=2)


# x has as many rows as Q and K where a made-up formula adds them up; V is square in "bilinear".
SQUARE = {
    "bilinear": {n: 3, d: 3, d_v: 3},
    "three factors": {n_q: 2, n: 3, d: 4},
    "an inner product of rows": {n_q: 3, n: 3, d: 2},
}


@pytest.mark.parametrize("name", MADE_UP)
def test_the_code_of_made_up_mechanisms_computes_their_formula(name):
    sizes = {n_q: 2, n: 3, d: 4, d_v: 5} | SQUARE.get(name, {})
    check(MADE_UP[name], sizes, seed=3)


@settings(max_examples=40)
@given(
    st.sampled_from([*MECHANISMS, *(name for name in MADE_UP if name not in SQUARE)]),
    *[st.integers(1, 4)] * 4,
    st.integers(0, 2**32 - 1),
)
def test_code_and_formula_agree_at_any_shape(name, queries, keys, dimensions, columns, seed):
    mechanism = MECHANISMS.get(name) or MADE_UP[name]
    rows = keys if x in mechanism.inputs else queries
    check(mechanism, {n_q: rows, n: keys, d: dimensions, d_v: columns}, seed)


def test_the_code_of_softmax_as_it_is_printed():
    assert source(SOFTMAX, "numpy") == (
        "def attention(x):\n"
        "    s = x @ x.T\n"
        "    D = numpy.exp(s).sum(axis=1)\n"
        "    a = numpy.exp(s) / D[:, None]\n"
        "    z = a @ x\n"
        "    return s, D, a, z\n"
    )


def test_the_code_in_torch_as_it_is_printed():
    assert source(SHIFTED, "torch", name="shifted") == (
        "def shifted(x):\n"
        "    s = x @ x.T\n"
        "    m = s.amax(dim=1)\n"
        "    D = torch.exp(s - m[:, None]).sum(dim=1)\n"
        "    a = torch.exp(s - m[:, None]) / D[:, None]\n"
        "    z = a @ x\n"
        "    return s, m, D, a, z\n"
    )
    assert "    d = x.shape[1]\n    s = x @ x.T / (d ** 0.5)\n" in source(SCALED, "torch")
    order = source(MADE_UP["axes in another order"], "torch")
    assert "h.permute(2, 0, 1)" in order


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("mechanism", [*MECHANISMS.values(), *MADE_UP.values()])
def test_all_code_is_python_and_reads_only_its_inputs(mechanism, library):
    tree = ast.parse(source(mechanism, library))
    (attention,) = tree.body
    names = [node for node in ast.walk(attention) if isinstance(node, ast.Name)]
    stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
    arguments = {argument.arg for argument in attention.args.args}
    assert {name.id for name in names} <= stored | arguments | {library}
    assert arguments == {str(base) for base in mechanism.inputs}


def test_one_line_of_code():
    assert line(SOFTMAX.stage(z), "torch") == "z = a @ x"
    assert line(MADE_UP["bilinear"].stages[0], "numpy") == (
        's = numpy.einsum("ik,jc,kc->ij", x, x, V)'
    )


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Stage(a[i, j], s[j, j] * t[i]), "distinct plain indices"),
        (Stage(a[i, j], s[i, j + 1]), "distinct plain indices"),
        (Stage(a[i, j], t[i]), "nothing bounds the index j"),
        (Stage(D[i], Sum(s[i, j], (j, 1, i))), "code sums over whole axes, not j = 1 to i"),
        (Stage(D[i], Sum(s[i, j], (j, 2, n))), "code sums over whole axes, not j = 2 to n"),
        (Stage(D[i], Sum(s[i, j] * t[j], (j, 1, i))), "code sums over whole axes"),
        (Stage(D[i], t[i] * total(n, j)), "no array in it has the index j"),
        (
            Stage(D[i], Sum(s[i, j_1] * t[j_1], (j_1, 1, n))),
            "one-letter indices; rename j_1",
        ),
    ],
)
def test_what_code_cannot_say_is_refused(stage, message):
    with pytest.raises(FormulaError, match=message):
        line(stage, "numpy")


def test_an_unknown_operation_is_refused():
    with pytest.raises(UnknownNode):
        line(Stage(a[i, j], cos(s[i, j])), "numpy")


def test_a_size_that_no_input_has_is_refused():
    mechanism = made_up(Stage(s[i, j], total(x[i, k] * x[j, k], k) / sqrt(d_v)))
    with pytest.raises(FormulaError, match="no input says how much d_v is"):
        source(mechanism, "numpy")


def test_bound_letters_other_than_the_usual_ones_work():
    stage = Stage(D[i], Sum(s[i, l] * t[l], (l, 1, n)) / m[i])
    assert line(stage, "numpy") == 'D = numpy.einsum("il,l->i", s, t) / m'
