"""Which stages are matrix products, as SymPy's own product confirms."""

import pytest
from sympy import MatMul, Sum, Transpose, exp

from derive.attention import CROSS, SCALED, SOFTMAX
from derive.binding import same
from derive.formula import D, K, Q, Stage, V, a, array, c, d, i, j, k, n, s, total, x, z
from derive.matrix_form import index_form, matrix_product

W, t, h = array("W"), array("t"), array("h")


@pytest.mark.parametrize(
    ("stage", "written"),
    [
        (SOFTMAX.stage(s), "x*x.T"),
        (SOFTMAX.stage(z), "a*x"),
        (CROSS.stage(s), "Q*K.T"),
        (CROSS.stage(z), "a*V"),
        (Stage(s[j, i], total(Q[i, k] * K[j, k], k)), "K*Q.T"),
        (Stage(W[k, c], total(x[i, k] * V[i, c], i)), "x.T*V"),
        (Stage(W[c, k], total(a[i, j] * x[j, k], j).subs(i, c)), "a*x"),
    ],
)
def test_a_matrix_product_is_recognised(stage, written):
    product = matrix_product(stage)
    assert isinstance(product, MatMul)
    assert str(product) == written
    row, column = stage.target.indices
    assert same(index_form(product, row, column), stage.value)


def test_a_product_of_columns_transposes_the_first():
    product = matrix_product(Stage(s[i, j], total(x[k, i] * x[k, j], k)))
    first, second = product.args
    assert isinstance(first, Transpose)
    assert not isinstance(second, Transpose)


@pytest.mark.parametrize(
    "stage",
    [
        SCALED.stage(s),
        SOFTMAX.stage(D),
        SOFTMAX.stage(a),
        Stage(s[i, j], Sum(x[i, k] * x[j, k], (k, 1, n))),
        Stage(s[i, j], Sum(x[i, k] * x[j, k], (k, 2, d))),
        Stage(s[i, j], total(x[i, k] * x[i, k], k)),
        Stage(s[i, j], total(x[i, k] * x[j, k] ** 2, k)),
        Stage(s[i, j], total(2 * x[i, k] * x[j, k], k)),
        Stage(s[i, j], total(x[i, k] * x[j, k] * t[k], k)),
        Stage(s[i, j], total(x[i, k] * exp(x[j, k]), k)),
        Stage(s[i, j], total(t[k] * x[j, k], k)),
        Stage(s[i, j], total(h[i, k, k] * x[j, k], k)),
        Stage(s[i, j], total(x[i, k + 1] * x[j, k], k)),
        Stage(s[i, j], total(total(x[i, k] * W[k, c] * x[j, c], c), k)),
        Stage(s[i, j], x[i, 1] * x[j, 1]),
    ],
)
def test_what_is_not_a_product_of_two_matrices_is_not_called_one(stage):
    assert matrix_product(stage) is None


def test_the_check_tells_a_wrong_product_from_a_right_one():
    product = matrix_product(SOFTMAX.stage(s))
    swapped = MatMul(*reversed(product.args))
    assert not same(index_form(swapped, i, j), SOFTMAX.stage(s).value)
