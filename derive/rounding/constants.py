"""Every constant of the bound, where it stands, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """One constant of ``numeric/rounding``.

    Attributes:
        where: ``module.name``: a constant, or the function in whose source the value stands.
        value: A number, or a piece of that function's code.
        counts: What it counts.
    """

    where: str
    value: float | str
    counts: str


CONSTANTS: tuple[Constant, ...] = (
    # Scores
    Constant(
        "scores.SCALING",
        8,
        "the d + 8: the scale's root on the query and on the key, each computed in two roundings "
        "and multiplied (6); the change of base, rounded and multiplied (2)",
    ),
    Constant(
        "scores.score_error",
        "d * underflow(contract.accumulation)",
        "d products that may underflow, by h/2 each",
    ),
    Constant(
        "scores.score_error",
        "compounded(own, own, own)",
        "the cap, its reciprocal and their product; and with a bias: the sum, the change of base, "
        "rounded, and its product",
    ),
    Constant(
        "scores.score_error",
        "compounded(*[own] * 4)",
        "after tanh: the cap and its product, the change of base and its product",
    ),
    Constant(
        "scores.score_error",
        "2 * own * contract.tanh_ulp",
        "a unit in the last place is at most 2u of the number",
    ),
    Constant(
        "scores.score_error",
        "(2 * contract.tanh_ulp + 2) * underflow(contract.softmax)",
        "near zero a unit in the last place is h; one more for the division",
    ),
    Constant(
        "scores._slope", "1 + 2.0 ** (-40)", "float64's own cosh, square and division: about 2^-50"
    ),
    Constant("scores.size_of_scale", "1 + 2.0 ** (-50)", "the scale as a float64: at most 2^-52"),
    # Contracts
    Constant(
        "contract.Contract",
        "2 * unit(self.softmax) * self.exp_ulp",
        "a unit in the last place is at most 2u of the number",
    ),
    Constant(
        "contract.Contract",
        "ceil(keys / self.block) + 1",
        "blocks of an online softmax; one more where keys are split among threads",
    ),
    Constant(
        "contract.Contract",
        "self.growth(roundings + 1, self.softmax)",
        "rescaling, once for each block; and one store of the sum",
    ),
    Constant(
        "contract.Contract", "tanh_ulp: float = 3.0", "stated; the tests measure that of torch"
    ),
    Constant("contract._plain", "exp_ulp=2", "torch errs by about 0.6; the tests measure it"),
    Constant(
        "contract._fused",
        "exp_ulp=4",
        "fast exponentials in fused kernels: 8u, as measured of torch on a CPU",
    ),
    Constant(
        "contract._fused",
        "exp_floor=-86.0",
        "below -87, less a margin, fast exponentials in float32 give zero",
    ),
    Constant("contract._fused", "block=32", "the fewest keys that a fused kernel takes at a time"),
    Constant(
        "contract._eager",
        "Stored(precision, 4)",
        "the product, its scale, a bias, a mask: four operations that write a score",
    ),
    Constant("contract._eager", "output_times=2", "a product, then a division"),
    Constant("contract._eager", "gradient_times=4", "the ways back through the same operations"),
    Constant(
        "contract.STATISTICAL",
        4.0,
        "for independent roundings: exceeded with probability at most 2 exp(-24) = 8e-11 "
        "(Hoeffding); never part of a proof",
    ),
    # Output
    Constant(
        "forward._exponent",
        "compounded(unit(contract.softmax), unit(contract.softmax))",
        "the difference from the maximum, and its product with the change of base; again where a "
        "block's shift is multiplied in one place and not in another",
    ),
    Constant(
        "forward.forward_bound",
        "(1 - contract.exp_error) ** (-blocks)",
        "what an exponential loses is multiplied by up to B that err",
    ),
    Constant(
        "forward._relative",
        "contract.growth(n + blocks, contract.accumulation)",
        "a product, n - 1 sums, and rescaling once for each block",
    ),
    Constant(
        "forward._relative",
        "contract.growth(2, contract.softmax)",
        "the division: a reciprocal and its product",
    ),
    Constant(
        "forward._lost",
        "n * (blocks + 1) + 2",
        "products and rescaled sums that underflow, and the division",
    ),
    Constant(
        "forward.forward_bound",
        "4 * _lost(contract, n, blocks, visible, value)",
        "the sum that divides is at least 1, but for errors that are below a half; and what was "
        "lost is rounded on",
    ),
    Constant(
        "forward.logarithm_error",
        "8 * unit(contract.softmax)",
        "the scaled shift, the logarithm (2), their sum, the change of base and its product, the "
        "difference; one to spare",
    ),
    Constant("forward.forward_bound", "1 - 2.0 ** (-30)", "float64's own sum, from below"),
    Constant(
        "forward._causes",
        "2 * numpy.where(visible, scores.largest, 0.0)",
        "powers of two in place of exp make scores 1.45 times as large",
    ),
    Constant("relative.HOPELESS", 0.5, "no bound is given where the divisor may be off by half"),
    # Gradients
    Constant(
        "backward._weights",
        "contract.growth(4, contract.softmax)",
        "the division (2) and, in gradients, a division of the upstream gradient (2)",
    ),
    Constant(
        "backward._scores",
        "contract.growth(d_v + 2, contract.accumulation)",
        "a sum of d_v products; a division of the upstream gradient (2)",
    ),
    Constant(
        "backward._scores",
        "contract.sum_growth(n, 2)",
        "a sum of n products; three more, for programs that multiply out",
    ),
    Constant(
        "backward._scores",
        "contract.growth(d_v + 4, contract.softmax)",
        "a sum of d_v products; two divisions (4)",
    ),
    Constant(
        "backward._scores",
        "compounded(u, u, u, u)",
        "the difference, the product with the weight, and one each where these are multiplied out",
    ),
    Constant(
        "backward._through_cap",
        "compounded(*[unit(contract.softmax)] * 4)",
        "the square, its difference from one; times the cap, times the slope, divided by the cap",
    ),
    Constant(
        "backward._through_maximum",
        "4 * contract.blocks(n)",
        "at each maximum: two rescaled sums, a product, a difference",
    ),
    Constant(
        "backward._through_maximum",
        "3 * errors * (1 + relative)",
        "a running maximum has the difference of three sums",
    ),
    Constant(
        "backward._Finish",
        "contract.growth(terms + SCALING, contract.accumulation)",
        "a sum of products, and the scale on either side",
    ),
    Constant(
        "backward._Finish",
        "[stored.growth] * (parts + split)",
        "a store for each part; one more where heads that share keys are added up",
    ),
    # float64
    Constant("enclosed.U", 2.0**-53, "the unit roundoff of float64"),
    Constant("enclosed.H", 2.0**-1074, "the smallest positive float64"),
    Constant("enclosed.FUNCTION_ULP", 2, "numpy's exp, log and tanh, in units in the last place"),
    Constant("enclosed._SLACK", 1 + 2.0**-30, "2^22 operations on radii, and as many again"),
    Constant("relative.compounded", "1 + 2.0 ** (-40)", "log1p, their sum, expm1: about 2^-50"),
    Constant("ball_reference.BITS", 128, "bits of the Arb balls that judge float64"),
    Constant("judging._codes", "1 + 2.0 ** (-52)", "the distance of two float64 rounds once"),
    Constant(
        "problem.HIDING",
        -1e30,
        "a bias this low hides its key: no score of a real input comes near",
    ),
)
"""The constants, in the order of the proof."""
