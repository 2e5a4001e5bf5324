"""How formulas are written: in LaTeX, in plain text, in HTML and in speech, to the letter."""

import numpy
import pytest
from sympy import Integer, Rational, Sum, exp, sqrt

from derive.attention import CROSS, SCALED, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.formula import (
    D,
    K,
    Largest,
    Q,
    Stage,
    a,
    array,
    d,
    i,
    j,
    k,
    l,
    m,
    n,
    s,
    total,
    x,
    z,
)
from derive.matrix_form import matrix_product
from derive.publish.html_notation import Html
from derive.publish.notation import Latex, LinkedLatex, Speech, Text
from derive.publish.writing import (
    WrittenOut,
    equation,
    general,
    matrix_equation,
    name_of,
    names,
    phrases,
)

t, u = array("t"), array("u")
NARROW = "\N{NARROW NO-BREAK SPACE}"

GENERAL = [
    (
        CROSS.stage(s),
        r"s_{ij} = \sum_{k=1}^{d} Q_{ik} \, K_{jk}",
        "s_ij = Σ_k Q_ik·K_jk",
        "s i j equals the sum over k from 1 to d of capital Q i k times capital K j k",
    ),
    (
        SCALED.stage(s),
        r"s_{ij} = \frac{\sum_{k=1}^{d} x_{ik} \, x_{jk}}{\sqrt{d}}",
        "s_ij = (Σ_k x_ik·x_jk) / √d",
        "s i j equals the sum over k from 1 to d of x i k times x j k, "
        "divided by the square root of d",
    ),
    (
        SHIFTED.stage(m),
        r"m_{i} = \max_{1 \le j \le n} s_{ij}",
        "m_i = max_j s_ij",
        "m i equals the largest, over j from 1 to n, of s i j",
    ),
    (
        SHIFTED.stage(D),
        r"D_{i} = \sum_{j=1}^{n} e^{s_{ij} - m_{i}}",
        "D_i = Σ_j exp(s_ij - m_i)",
        "capital D i equals the sum over j from 1 to n of "
        "e to the power the quantity s i j minus m i end quantity",
    ),
    (
        SOFTMAX.stage(a),
        r"a_{ij} = \frac{e^{s_{ij}}}{D_{i}}",
        "a_ij = exp(s_ij) / D_i",
        "a i j equals e to the power s i j, divided by capital D i",
    ),
    (
        CROSS.stage(z),
        r"z_{ic} = \sum_{j=1}^{n} a_{ij} \, V_{jc}",
        "z_ic = Σ_j a_ij·V_jc",
        "z i c equals the sum over j from 1 to n of a i j times capital V j c",
    ),
]


@pytest.mark.parametrize(("stage", "latex", "text", "speech"), GENERAL)
def test_each_stage_in_each_notation(stage, latex, text, speech):
    assert equation(stage) == equation(stage, Latex()) == latex
    assert equation(stage, Text()) == text
    assert equation(stage, Speech()) == speech


def test_html():
    assert equation(SOFTMAX.stage(a), Html()).replace("\N{NO-BREAK SPACE}", " ") == (
        "<i>a</i><sub>ij</sub> = <i>e</i><sup><i>s</i><sub>ij</sub></sup> / <i>D</i><sub>i</sub>"
    )


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (total(s[i, j] + t[j], j), "Σ_j (t_j + s_ij)"),
        (total(s[i, j], j) * t[i], "t_i·Σ_j s_ij"),
        (total(s[i, j], j) * total(a[i, j], j), "(Σ_j a_ij)·Σ_j s_ij"),
        (total(s[i, j], j) / D[i], "(Σ_j s_ij) / D_i"),
        (s[i, j] / (D[i] * t[i]), "s_ij / (D_i·t_i)"),
        (s[i, j] / D[i] * t[i], "t_i·s_ij / D_i"),
        (-s[i, j], "-s_ij"),
        (-(s[i, j] + t[i]) * u[i], "u_i·(-t_i - s_ij)"),
        (t[i] - total(s[i, j], j), "t_i - Σ_j s_ij"),
        (Rational(1, 2) * s[i, j], "s_ij / 2"),
        (-2 * s[i, j] + t[i], "t_i - 2·s_ij"),
        (sqrt(t[i] + 1), "√(1 + t_i)"),
        (exp(-m[i]) * exp(s[i, j]), "exp(-m_i)·exp(s_ij)"),
        (t[i] ** 2, "t_i²"),
        (Largest(s[i, j] * t[i], (j, 1, n)), "max_j t_i·s_ij"),
        (Integer(-3), "-3"),
    ],
)
def test_brackets_stand_where_they_are_needed(expression, text):
    assert general(expression, Text()) == text


def test_nested_sums_get_letters_of_their_own():
    assert general(total(s[i, j], j) * total(total(s[l, j], j), l), Text()) == (
        "(Σ_j s_ij)·Σ_l Σ_j s_lj"
    )
    nested = total(s[i, j] * total(t[j], j), j)
    assert general(nested, Text(), lead=(i,)) == "Σ_j s_ij·Σ_l t_l"
    beside = t[j] * total(s[i, j], j)
    assert general(beside) == r"t_{j} \, \sum_{l=1}^{n} s_{il}"


def test_a_letter_with_a_number_is_set_as_one():
    taken = t[j] * array("r")[i] * u[l] * total(s[i, j], j)
    assert general(taken).endswith(r"\sum_{j_{1}=1}^{n} s_{i,j_{1}}")
    assert general(taken, Text()).endswith("Σ_j_1 s_i,j_1")


def test_two_digit_indices_are_set_apart():
    assert name_of(s, (1, 7)) == "s_{17}"
    assert name_of(s, (1, 17)) == "s_{1,17}"
    assert name_of(s, (11, 7), Text()) == "s_11,7"
    assert name_of(s, (1, 17), Speech()) == "s 1 17"
    assert name_of(s, (1, 17), Html()) == "<i>s</i><sub>1,17</sub>"


@pytest.mark.parametrize(
    ("notation", "written"),
    [
        (Latex(r"\cdot"), r"\left(-0.5\right) \cdot 2.0 - 3 \cdot 10^{-9} \cdot \left(-1\right)"),
        (Text(), "(-0.5)·2.0 - 3e-9·(-1)"),
        (Html(), "(−0.5) · 2.0 − 3·10<sup>−9</sup> · (−1)"),
        (
            Speech(),
            "minus 0.5 times 2.0 minus 3 times 10 to the power minus 9 times minus 1",
        ),
    ],
)
def test_numbers_in_a_product(notation, written):
    texts = [notation.decimal(text) for text in ("-0.5", "2.0", "3e-9", "-1")]
    negative = notation.multiply([notation.number(Integer(-1)), *texts[2:]])
    product = notation.add([notation.multiply(texts[:2]), negative])
    assert product.text.replace(NARROW, " ") == written


@pytest.mark.parametrize("text", ["-1", "-1.0", "1"])
def test_no_value_is_left_out_of_a_product(text):
    for notation in (Latex(), Text(), Html(), Speech()):
        product = notation.multiply([notation.decimal(text), notation.decimal("2")])
        assert text.removeprefix("-") in product.text.replace("2", "")


@pytest.mark.parametrize(
    ("notation", "written"),
    [
        (Latex(), "0.5 - 0.3 + 1.0 - 2"),
        (Text(), "0.5 - 0.3 + 1.0 - 2"),
        (Html(), "0.5 − 0.3 + 1.0 − 2"),
        (Speech(), "0.5 minus 0.3 plus 1.0 minus 2"),
    ],
)
def test_a_negative_term_is_taken_away(notation, written):
    terms = [notation.decimal(text) for text in ("0.5", "-0.3", "1.0", "-2")]
    assert notation.add(terms).text == written


@pytest.mark.parametrize(
    ("notation", "written"),
    [
        (Latex(), r"0.5 - \left(-0.3\right)"),
        (Text(), "0.5 - (-0.3)"),
        (Html(), "0.5 − (−0.3)"),
        (Speech(), "0.5 minus minus 0.3"),
    ],
)
def test_a_negative_number_is_taken_away_in_brackets(notation, written):
    minus = notation.multiply([notation.number(Integer(-1)), notation.decimal("-0.3")])
    assert notation.add([notation.decimal("0.5"), minus]).text == written


def test_a_sum_taken_away_is_bracketed():
    text = Text()
    both = text.add([text.decimal("1"), text.decimal("-2")])
    minus = text.multiply([text.number(Integer(-1)), both])
    assert text.add([text.decimal("3"), minus]).text == "3 - (1 - 2)"
    negative = text.add([text.decimal("-1"), text.decimal("2")])
    assert text.add([text.decimal("3"), negative]).text == "3 - 1 + 2"


def test_a_quotient_on_one_line_is_bracketed_before_a_factor():
    text = Text()
    quotient = text.divide(text.decimal("1"), text.decimal("2"))
    assert text.multiply([quotient, text.decimal("3")]).text == "(1 / 2)·3"
    assert text.multiply([text.decimal("3"), quotient]).text == "3·1 / 2"
    assert text.divide(quotient, quotient).text == "(1 / 2) / (1 / 2)"


def test_scientific_numbers_in_latex():
    latex = Latex()
    assert latex.decimal("1.5e-7").text == r"1.5 \cdot 10^{-7}"
    assert latex.decimal("-2E+10").text == r"-2 \cdot 10^{10}"
    assert latex.exp(latex.decimal("-2e3")).text == r"e^{-2 \cdot 10^{3}}"
    assert latex.number(Rational(-1, 3)).text == r"-\tfrac{1}{3}"


def test_every_term_of_a_sum_over_keys_can_be_found():
    given = {x: names(x, (2, 2), Latex())}
    writer = WrittenOut(LinkedLatex(), given)
    assert "htmlData" not in writer.write(SOFTMAX.stage(s), (1, 2))
    writer.arrays[a] = names(a, (2, 2), Latex())
    writer.lengths.shapes[a] = (2, 2)
    assert writer.write(SOFTMAX.stage(z), (1, 2)) == (
        r"\htmlData{j=1}{a_{11} \, x_{12}} + \htmlData{j=2}{a_{12} \, x_{22}}"
    )


@pytest.mark.parametrize(
    ("notation", "written"),
    [
        (LinkedLatex(), r"\htmlData{j=1}{0.5} - \htmlData{j=2}{0.3}"),
        (Html(), '<span data-j="1">0.5</span> − <span data-j="2">0.3</span>'),
    ],
)
def test_a_linked_negative_term_is_taken_away(notation, written):
    texts = numpy.array([["0.5", "-0.3"]], dtype=object)
    writer = WrittenOut(notation, {s: phrases(texts, notation.decimal)})
    assert writer.write(SUM_NORMALISED.stage(D), (1,)) == written


@pytest.mark.parametrize(
    ("stage", "latex", "spoken"),
    [
        (SOFTMAX.stage(s), r"S = X X^{\top}", "S = X times X transposed"),
        (CROSS.stage(s), r"S = Q K^{\top}", "S = Q times K transposed"),
        (CROSS.stage(z), "Z = A V", "Z = A times V"),
    ],
)
def test_matrix_products(stage, latex, spoken):
    product = matrix_product(stage)
    assert matrix_equation(stage, product) == latex
    assert matrix_equation(stage, product, spoken=True) == spoken


def test_factors_keep_the_order_of_the_targets_indices():
    swapped = Stage(s[j, i], total(Q[i, k] * K[j, k], k))
    assert equation(swapped, Text()) == "s_ji = Σ_k K_jk·Q_ik"
    assert general(Sum(K[j, k] * Q[i, k], (k, 1, d)), Text(), lead=(i, j)) == "Σ_k Q_ik·K_jk"
