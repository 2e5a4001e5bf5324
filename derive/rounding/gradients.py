"""The gradients: recomputed weights, row sums, and the gradient of the shift."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from sympy import Abs, Eq, Expr, IndexedBase, Integer, Le, Sum, Symbol, diff, exp

from derive.rounding.checks import Numbers, holds, identity, written_out
from derive.rounding.letters import (
    P,
    entry,
    j,
    l,
    n,
    number,
    omega,
    positive,
    u,
    weights,
    within,
    x,
    xi,
    zeta,
)
from derive.rounding.quotient import draw
from derive.rounding.step import Step, StepRefuted
from derive.rounding.typeset import aligned, latex

P_HAT, DP, DP_HAT = IndexedBase(r"\hat{P}"), IndexedBase(r"P'"), IndexedBase(r"\hat{P}'")
D, D_HAT = Symbol("D", real=True), Symbol(r"\hat{D}", real=True)
W, G, VALUE, OUTPUT = IndexedBase("w"), IndexedBase("g"), IndexedBase("v"), IndexedBase("o")
C, COLUMNS = Symbol("c", integer=True), 2
EP, EDP, ED = IndexedBase("E^P"), IndexedBase("E'"), Symbol("E^D", nonnegative=True)
T, R = IndexedBase("t"), Symbol("r", nonnegative=True)
LEAST = Symbol("L", positive=True)
SHIFT, THETA = Symbol("m", real=True), Symbol("theta", real=True)


def _sum(term: Any) -> Sum:
    return Sum(term, (j, 1, n))


def jensen(sign: int = 1) -> Step:
    """Cauchy and Schwarz, as an identity."""
    pairs = Sum(P[j] * P[l] * (T[j] - sign * T[l]) ** 2 / (T[j] * T[l]), (l, 1, n), (j, 1, n))
    claim = Eq(_sum(P[j] * T[j]) * _sum(P[j] / T[j]) - _sum(P[j]) ** 2, pairs / 2, evaluate=False)
    return Step(
        "cauchy-schwarz",
        "A sum of inverses",
        latex(claim),
        "The right side is not negative, and the weights add up to one. With $t = e^x$ this says "
        r"$1 / \sum P e^{-x} \leq \sum P e^x$: a product takes the place of a division.",
        lambda: identity(claim),
        ("backward._weights",),
    )


def both_ways(sign: int = 1) -> Step:
    """A weight loses no more than it can gain."""
    one = Symbol("t", positive=True)
    gain, loss = (1 + u) * one - 1, 1 - (1 - u) / one
    claim = Eq(gain - loss, ((one - 1) ** 2 + sign * u * (one**2 - 1)) / one, evaluate=False)
    return Step(
        "both-ways",
        "Up and down",
        latex(claim),
        r"For $t \geq 1$ the right side is not negative: a weight that is multiplied by at most "
        "$(1 + u) t$, or divided by at most $t$ and multiplied by $1 - u$, moves by at most $(1 "
        "+ u) t - 1$.",
        lambda: identity(claim, lengths=(2,)),
        ("backward._weights",),
    )


def weight_error(total: bool = True, lost: bool = True) -> Step:
    """The error of a weight after the division."""
    sums = _sum(P[j] * exp(x[j])) if total else Integer(1)
    least = Eq(LEAST, _sum(P[j] * exp(-x[j])), evaluate=False)
    share = 1 / (1 - n * omega / LEAST) if lost else Integer(1)
    computed = (1 + THETA) * (P[l] * exp(xi[l]) + zeta[l]) / _sum(P[j] * exp(xi[j]) + zeta[j])
    claim = Le(
        Abs(computed - P[l]),
        P[l] * ((1 + R) * exp(x[l]) * sums * share - 1) + (1 + R) * omega * share / LEAST,
        evaluate=False,
    )
    checkable = Le(claim.lhs, claim.rhs.subs(LEAST, least.rhs), evaluate=False)

    def case(random: Random, length: int) -> Numbers:
        at = draw(random, length)
        at[R] = Fraction(random.randint(0, 50), 100)
        at[THETA] = within(random, at[R])
        return at

    return Step(
        "weight-error",
        "A weight, divided",
        aligned(claim, least),
        "The two steps before, with $r$ for the relative errors of the sum, the division and the "
        r"copies. What underflow takes from the sum, at most $n \omega$, raises all other weights "
        "a little.",
        lambda: holds(checkable, case),
        ("backward._weights",),
    )


def log_sum_exp(sign: int = -1) -> Step:
    """Weights computed anew from log-sum-exp."""
    logarithm, rho = Symbol("L", real=True), Symbol("rho", real=True)
    claim = Eq(
        exp(W[l] - (logarithm + rho)), exp(W[l] - logarithm) * exp(sign * rho), evaluate=False
    )

    def given(_length: int) -> dict[Any, Any]:
        a, b, c = Symbol("A"), Symbol("B"), Symbol("C")
        return {
            exp(W[1] - logarithm - rho): a / (b * c),
            exp(W[1] - logarithm): a / b,
            exp(-rho): 1 / c,
            exp(rho): c,
        }

    return Step(
        "log-sum-exp",
        "Weights computed anew",
        latex(claim),
        "A fused kernel keeps $L$, the logarithm of the sum of exponentials, and computes "
        r"weights from it. Whatever is wrong with $L$ is one factor for the row: the error $\rho$ "
        "is the relative error of the sum, then one rounding each of the shift, of the "
        "logarithm, of their sum and of the difference. The exponential errs once more.",
        lambda: identity(claim, given, lengths=(2,)),
        ("backward._weights",),
    )


def row_sum(columns: int = COLUMNS) -> Step:
    """Two ways to the row sum."""
    inner = Sum(G[C] * VALUE[j, C], (C, 1, columns))
    mean = _sum(P[j] * VALUE[j, C])
    claim = Eq(_sum(P[j] * inner), Sum(G[C] * mean, (C, 1, COLUMNS)), evaluate=False)
    shown = latex(
        Eq(_sum(P[j] * DP[j]), Sum(G[C] * OUTPUT[C], (C, 1, Symbol("d_v"))), evaluate=False)
    )
    return Step(
        "row-sum",
        "The row sum, two ways",
        "D = " + shown,
        r"With $P'_j = \sum_c g_c v_{jc}$ and $o_c = \sum_j P_j v_{jc}$ this is one double sum in "
        "two orders. Autograd of a softmax takes the first form, fused kernels and whoever "
        "divides last the second, from the output that was stored.",
        lambda: identity(claim),
        ("backward._scores",),
    )


def row_sum_error(sign: int = 1) -> Step:
    """The error of the row sum, centred."""
    claim = Eq(
        _sum(P_HAT[j] * DP_HAT[j]) - D,
        _sum((P_HAT[j] - P[j]) * (DP[j] - D))
        + sign * D * (_sum(P_HAT[j]) - 1)
        + _sum(P_HAT[j] * (DP_HAT[j] - DP[j])),
        evaluate=False,
    )

    def given(length: int) -> dict[Any, Any]:
        first = {D: sum(P[i] * DP[i] for i in range(1, length + 1))}
        return first | {P[length]: 1 - sum(P[i] for i in range(1, length))}

    return Step(
        "row-sum-error",
        "The error of the row sum",
        latex(claim),
        "Nothing is left out. The sum with $P'_j - D$ has the distance of $P'$ from its mean, "
        "not its size; the term with $D$ in front is small, since weights that were divided by "
        "their sum add up to one but for rounding.",
        lambda: identity(claim, given),
        ("backward._scores",),
    )


def score_gradient(sign: int = 1) -> Step:
    """The error of one gradient of a score."""
    claim = Eq(
        P_HAT[j] * (DP_HAT[j] - D_HAT) * (1 + THETA) - P[j] * (DP[j] - D),
        (P_HAT[j] - P[j]) * (DP[j] - D)
        + P_HAT[j] * ((DP_HAT[j] - DP[j]) - sign * (D_HAT - D))
        + P_HAT[j] * THETA * (DP_HAT[j] - D_HAT),
        evaluate=False,
    )
    return Step(
        "score-gradient",
        "The gradient of a score",
        latex(claim),
        r"The product rule for errors, with $\theta$ for the roundings of the difference and the "
        "product, four at most.",
        lambda: identity(claim, lengths=(1,)),
        ("backward._scores",),
    )


def apart(spare: int = 3) -> Step:
    """The same, multiplied out."""
    one, other, last = IndexedBase("theta"), Symbol("theta_1"), Symbol("theta_2")
    mean = _sum(P[j] * DP[j])
    claim = Le(
        Abs((DP[l] * (1 + other) - mean * (1 + last)) * (1 + one[0]) - (DP[l] - mean)),
        ((1 + u) ** 4 - 1) * Abs(DP[l] - mean) + spare * u * (1 + u) * _sum(P[j] * Abs(DP[j])),
        evaluate=False,
    )

    def case(random: Random, length: int) -> Numbers:
        share = weights(random, length)
        at: Numbers = {entry(P, i): one for i, one in enumerate(share, 1)}
        centre = number(random)
        near = random.random() < 0.7
        at |= {
            entry(DP, i): centre * (1 + within(random, Fraction(1, 500)))
            if near
            else number(random)
            for i in range(1, length + 1)
        }
        at[u] = Fraction(1, 2 ** random.choice((4, 8, 24)))
        at |= {other: within(random, at[u]), last: within(random, at[u])}
        at[entry(one, 0)] = within(random, at[u])
        return at

    return Step(
        "multiplied-out",
        "The same, multiplied out",
        latex(claim),
        r"torch's softmax forms $P P' - P D$: then $P'$ and $D$ round apart. Since $|P'| \leq |P' "
        r"- D| + |D|$ and $|D| \leq \sum P |P'|$, this fits among the four roundings of the "
        "difference and three of the row sum's, of which a sum of $n$ products leaves as many "
        "over.",
        lambda: holds(claim, case),
        ("backward._scores",),
    )


def row_sum_bound(drift: bool = True) -> Step:
    """The error of the row sum, bounded."""
    claim = Le(
        Abs(_sum(P_HAT[j] * DP_HAT[j]) - D),
        _sum(EP[j] * Abs(DP[j] - D))
        + (Abs(D) * _sum(EP[j]) if drift else 0)
        + _sum((P[j] + EP[j]) * EDP[j]),
        evaluate=False,
    )
    return Step(
        "row-sum-bound",
        "A bound of it",
        latex(claim),
        "Here $E^P$ bounds the error of a weight, and $E'$ that of $P'$. Where the weights are "
        r"those that were divided by their sum, the roundings of that sum take the place of $\sum "
        "E^P$ beside $|D|$. The products and sums round on top. From the stored output the error "
        r"is at most $\sum_c E^o_c |g_c|$, with $E^o$ for the output, and the roundings of a sum "
        "of products; where a program may do either, the larger counts.",
        lambda: holds(claim, _gradient_case),
        ("backward._scores",),
    )


def score_bound(square: bool = True) -> Step:
    """The error of the gradient of a score, bounded."""
    apart = Abs(DP[l] - D) + EDP[l] + ED
    claim = Le(
        Abs(P_HAT[l] * (DP_HAT[l] - D_HAT) * (1 + THETA) - P[l] * (DP[l] - D)),
        EP[l] * Abs(DP[l] - D) + (P[l] + EP[l] * int(square)) * (EDP[l] + ED + R * apart),
        evaluate=False,
    )
    return Step(
        "score-bound",
        "The gradients, all together",
        latex(claim),
        "With $E^D$ for the row sum and $r$ for the roundings of the difference and its product. "
        "What follows is linear: gradients of queries, keys, values and a bias are sums of "
        "products, with the errors of their terms and the roundings of the sum, in parts where "
        "it is stored in between. Narrow copies count at each place where they may be made.",
        lambda: holds(claim, _gradient_case),
        ("backward._scores", "backward._Finish"),
    )


def _gradient_case(random: Random, length: int) -> Numbers:
    at: Numbers = {R: Fraction(random.randint(0, 20), 100), ED: positive(random) / 9}
    sign = random.choice((None, 1, -1))

    def off(size: Fraction) -> Fraction:
        return within(random, size) if sign is None else sign * size

    mean = Fraction(0)
    for i, share in enumerate(weights(random, length), 1):
        one, other = share * positive(random) / 9, positive(random) / 9
        exact = number(random)
        at |= {entry(P, i): share, entry(DP, i): exact, entry(EP, i): one, entry(EDP, i): other}
        at |= {entry(P_HAT, i): share + off(one), entry(DP_HAT, i): exact + off(other)}
        mean += share * exact
    at |= {D: mean, D_HAT: mean - off(at[ED]), THETA: off(at[R])}
    return at


def zero_sum(mean: bool = True) -> Step:
    """Gradients of scores add up to zero."""
    claim = Eq(_sum(P[j] * (DP[j] - D)), Integer(0), evaluate=False)

    def given(length: int) -> dict[Any, Any]:
        total = sum(P[i] * DP[i] for i in range(1, length + 1))
        first = {D: total if mean else DP[1]}
        return first | {P[length]: 1 - sum(P[i] for i in range(1, length))}

    return Step(
        "zero-sum",
        "Gradients of scores add up to zero",
        latex(claim),
        "So what reaches the subtracted maximum through autograd is exactly zero; a program that "
        "lets it through adds up rounding errors there, and gives them to the largest key.",
        lambda: identity(claim, given),
        ("backward._through_maximum",),
    )


def gradient_of_shift(scores: int = 1) -> Step:
    """The weights do not depend on the shift."""

    def share(length: int) -> Expr:
        total = written_out(Sum(exp(W[l] - SHIFT), (l, 1, n)), length)
        return exp(scores * W[1] - SHIFT * scores) / total

    def checked() -> str:
        for length in (2, 3, 4):
            slope = diff(share(length), SHIFT)
            if slope.simplify() != 0:
                raise StepRefuted(f"at length {length} the derivative is {slope.simplify()}")
        return "the derivative is zero at lengths 2, 3 and 4 (SymPy)"

    m, total = SHIFT, Sum(exp(W[l] - SHIFT), (l, 1, n))
    return Step(
        "gradient-of-shift",
        "The shift has no gradient",
        rf"\frac{{\partial}}{{\partial {latex(m)}}} {latex(exp(W[j] - m) / total)} = 0",
        "The same from the other side: weights do not change with the shift, whichever key it "
        "came from.",
        checked,
        ("backward._through_maximum",),
    )


__all__ = [
    "apart",
    "both_ways",
    "gradient_of_shift",
    "jensen",
    "log_sum_exp",
    "row_sum",
    "row_sum_bound",
    "row_sum_error",
    "score_bound",
    "score_gradient",
    "weight_error",
    "zero_sum",
]
