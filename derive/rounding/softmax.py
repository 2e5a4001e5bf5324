"""From scores to weights: shifts, exponentials, running maxima, and what underflows."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from random import Random
from typing import Any

from sympy import Abs, Eq, IndexedBase, Integer, Le, Product, Sum, Symbol, exp

from derive.rounding.checks import SEED, at_most, holds, identity, told, value
from derive.rounding.letters import between, j, l, n, number, positive, u, within
from derive.rounding.step import Step
from derive.rounding.typeset import aligned, latex

W, W_HAT = IndexedBase("w"), IndexedBase(r"\hat{w}")
DELTA, M, Y = IndexedBase("delta"), IndexedBase("m"), IndexedBase("y")
SHIFT, TOP, WORST = (Symbol(s, real=True) for s in ("m", r"\max w", r"\max \delta"))
EPSILON, BLOCKS = Symbol("varepsilon", positive=True), Symbol("B", integer=True, positive=True)
LOST, Z, RUN = Symbol("lambda", nonnegative=True), Symbol("z", real=True), IndexedBase("alpha")
ACC, SUM, START, BLOCK = IndexedBase("N"), IndexedBase("D"), Symbol("N_0"), IndexedBase("c")


def shift_cancels(left_in: int = 0) -> Step:
    """A shift of all scores."""
    total = Sum(exp(W[l] - SHIFT), (l, 1, n))
    claim = Eq(
        exp(W[j] - SHIFT) / total,
        exp(W[j] - left_in * SHIFT) / Sum(exp(W[l]), (l, 1, n)),
        evaluate=False,
    )

    def given(length: int) -> dict[Any, Any]:
        # exp(w_i) and exp(m) are letters: the identity holds for all positive ones.
        put: dict[Any, Any] = {j: Integer(1)}
        put |= {exp(W[i] - SHIFT): Symbol(f"E{i}") / Symbol("M") for i in range(1, length + 1)}
        put |= {exp(W[i]): Symbol(f"E{i}") for i in range(1, length + 1)}
        return put

    return Step(
        "shift",
        "A common shift cancels",
        latex(claim),
        "So the shift itself brings in no error, whatever number it is: only the difference that "
        "is then rounded does. The enclosure of the exact weights uses a shift of its own.",
        lambda: identity(claim, given),
        ("reference.forward", "forward._exponent"),
    )


def shifted(roundings: int = 2, worst: int = 1) -> Step:
    """The rounded difference of a score and the largest."""
    claim = Le(
        Abs((W_HAT[j] - SHIFT) * (1 + u) ** roundings - (W[j] - SHIFT)),
        DELTA[j] + ((1 + u) ** roundings - 1) * (TOP - W[j] + DELTA[j] + worst * WORST),
        evaluate=False,
    )

    def draw(random: Random, length: int) -> dict[Any, Fraction]:
        exact = [number(random) for _ in range(length)]
        errors = [positive(random) * Fraction(2) ** random.choice((-40, -8, 0)) for _ in exact]
        found = [w + within(random, e) for w, e in zip(exact, errors, strict=True)]
        place = random.randrange(length)
        at = {W_HAT[j]: found[place], W[j]: exact[place], DELTA[j]: errors[place]}
        at |= {SHIFT: max(found), TOP: max(exact), WORST: max(errors)}
        at[u] = Fraction(1, 2 ** random.choice((4, 11, 24)))
        return at

    return Step(
        "shifted-scores",
        "The difference, rounded",
        latex(claim),
        "The shift $m$ is the largest score that the program has, so its distance from any other "
        r"is at most $\max w - w_j$ and both errors. The difference is rounded, and so is its "
        "product where powers of 2 take the place of exp. Where it is stored in a narrow format, "
        "that $u$ joins in.",
        lambda: holds(claim, draw),
        ("forward._exponent",),
    )


def exponentials(squeezed: bool = False) -> Step:
    """Several exponentials, one after the other."""
    product = Product(1 + Y[j], (j, 1, BLOCKS))
    most = (1 + EPSILON) ** BLOCKS if squeezed else (1 - EPSILON) ** (-BLOCKS)
    claim = Le(1 / product, most, evaluate=False)

    def checked(cases: int = 1500) -> str:
        random = Random(SEED)
        for _ in range(cases):
            count = random.randint(1, 6)
            error = Fraction(random.randint(1, 40), 100)
            pushed = [within(random, error) for _ in range(count)]
            found = prod((1 + y for y in pushed), start=Fraction(1))
            at = {EPSILON: error, BLOCKS: Fraction(count)}
            at_most(1 / found, value(most, at), (error, pushed))
            at_most(found, value(most, at), (error, pushed))
        return told(cases) + ", and for the product itself"

    return Step(
        "exponentials",
        "B exponentials",
        latex(claim),
        r"Each errs by a factor $1 + y$ with $|y| \leq \varepsilon$. The product is below the "
        r"same bound, so its logarithm is at most $-B \log(1 - \varepsilon)$ either way. A "
        "program without blocks has $B = 1$.",
        checked,
        ("forward._exponent", "contract.Contract"),
    )


def running(monotone: bool = True) -> Step:
    """The steps of a running maximum."""
    steps = Sum(Abs(M[j + 1] - M[j]), (j, 1, BLOCKS - 1))
    claim = Le(Abs(M[1] - W[1]) + steps, M[BLOCKS] - W[1], evaluate=False)

    def checked(cases: int = 400) -> str:
        random = Random(SEED)
        for length in (2, 3, 5):
            left, right = (side.subs(BLOCKS, length).doit() for side in (claim.lhs, claim.rhs))
            for _ in range(cases):
                score = number(random)
                tops = [max(score, number(random))]
                for _ in range(length - 1):
                    fresh = number(random)
                    tops.append(max(tops[-1], fresh) if monotone else fresh)
                at: dict[Any, Fraction] = {M[i + 1]: top for i, top in enumerate(tops)}
                at[W[1]] = score
                at_most(value(left, at), value(right, at), at)
        return told(3 * cases) + ", with 2, 3 and 5 blocks; both sides are then equal"

    return Step(
        "running-maxima",
        "A running maximum only grows",
        latex(claim),
        "An online softmax subtracts the largest so far, and rescales by the steps of that "
        "maximum. All of them have one sign, so they add up to the distance from the last "
        "maximum: the rounding of the differences costs no more than without blocks. It is this "
        "that a maximum which is not kept up to date would break.",
        checked,
        ("forward._exponent",),
    )


def common_factors(blocks: tuple[int, ...] = (2, 3, 4), sign: int = 1) -> Step:
    """Rescaling factors stand above and below."""
    step = Eq(ACC[j], RUN[j] * ACC[j - 1] + sign * BLOCK[j], evaluate=False)
    claim = Eq(
        ACC[BLOCKS],
        Sum(BLOCK[j] * Product(RUN[l], (l, j + 1, BLOCKS)), (j, 1, BLOCKS)),
        evaluate=False,
    )

    def checked() -> str:
        from sympy import expand

        from derive.rounding.step import StepRefuted

        for count in blocks:
            found: Any = Integer(0)
            for place in range(1, count + 1):
                found = step.rhs.subs(j, place).subs(ACC[place - 1], found)
            said = claim.rhs.subs(BLOCKS, count).doit()
            if expand(found - said) != 0:
                raise StepRefuted(f"with {count} blocks the recursion gives {found}")
        return f"the recursion, written out for {', '.join(map(str, blocks))} blocks (SymPy)"

    return Step(
        "common-factors",
        "Rescaling factors are common",
        aligned(step, claim),
        "The sum of weighted values and the sum of weights are rescaled by the same computed "
        r"$\alpha$. So a block counts as if its exponentials had been multiplied by those factors "
        "from the start, with the errors that these have: what is divided is still one set of "
        "weights, above and below.",
        checked,
        ("forward.forward_bound",),
    )


def lost(share: int = 1) -> Step:
    """What exponentials lose that come out as zero."""
    claim = Le(Abs(Z), BLOCKS * LOST * (1 - EPSILON) ** (-BLOCKS) / share, evaluate=False)

    def checked(cases: int = 2000) -> str:
        random = Random(SEED)
        for _ in range(cases):
            number_of = random.randint(1, 5)
            error = Fraction(random.randint(0, 20), 100)
            floor = Fraction(random.randint(1, 30), 100)
            intended, found = Fraction(1), Fraction(1)
            for _ in range(number_of):
                exact = between(random, Fraction(0), Fraction(1))
                near = exact * (1 + within(random, error))
                intended *= near
                found *= near if exact > floor else between(random, Fraction(0), near)
            at = {Z: found - intended, LOST: floor * (1 + error), EPSILON: error}
            at[BLOCKS] = Fraction(number_of)
            at_most(value(claim.lhs, at), value(claim.rhs, at), at)
        return told(cases) + ", up to five factors of which any may be lost"

    return Step(
        "lost-exponentials",
        "What exponentials lose",
        latex(claim),
        r"An exponential of at most $\lambda$ may come out as zero, or with an error of that "
        r"size. The other factors are at most one, give or take $\varepsilon$. Replacing one "
        "factor after the other gives $B$ terms. In proportion to the row's sum, this is what is "
        r"called $\omega$ below.",
        checked,
        ("contract.Contract", "forward.forward_bound"),
    )


__all__ = [
    "common_factors",
    "exponentials",
    "lost",
    "running",
    "shift_cancels",
    "shifted",
]
