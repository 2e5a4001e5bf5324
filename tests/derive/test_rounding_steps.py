"""The proof of the rounding bound: every step holds, and can fail; every constant is there."""

import ast
import inspect
import subprocess
import sys
from functools import partial
from importlib import import_module

import pytest

from derive.rounding import (
    accumulation,
    cap,
    enclosure,
    gradients,
    quotient,
    softmax,
    storage,
)
from derive.rounding.constants import CONSTANTS
from derive.rounding.proof import CHAPTERS, STEPS
from derive.rounding.step import StepRefuted

WRONG = {
    "rounding": (partial(accumulation.rounding, 2), partial(accumulation.rounding, 1, 0)),
    "one-more-rounding": (partial(accumulation.one_more, 0), partial(accumulation.one_more, 2)),
    "two-counts": (partial(accumulation.two_counts, 2), partial(accumulation.two_counts, -1)),
    "inner-product": (partial(accumulation.inner_product, 1),),
    "scaled-product": (
        partial(accumulation.scaled_product, sum(accumulation.SCALING.values()) - 1),
    ),
    "copies": (partial(storage.copies, 1), partial(storage.copies, 0, 0)),
    "scaled-copies": (partial(storage.scaled_copies, most=False),),
    "parts": (partial(storage.parts, 1),),
    "slope": (partial(cap.slope, farthest=True),),
    "slope-error": (partial(cap.slope_error, 1),),
    "product-rule": (partial(cap.through_slope, -1),),
    "shift": (partial(softmax.shift_cancels, 1),),
    "shifted-scores": (partial(softmax.shifted, worst=0),),
    "exponentials": (partial(softmax.exponentials, squeezed=True),),
    "running-maxima": (partial(softmax.running, monotone=False),),
    "common-factors": (partial(softmax.common_factors, sign=-1),),
    "lost-exponentials": (partial(softmax.lost, 2),),
    "centred": (partial(quotient.centred, 0), partial(quotient.centred, 2 * quotient.o)),
    "perturbed-weight": (partial(quotient.perturbed, symmetric=False),),
    "denominator": (partial(quotient.denominator, lost=False),),
    "spread": (partial(quotient.spread, "no underflow"),),
    "convex": (partial(quotient.convex, nearest=True),),
    "quotient": (partial(quotient.quotient, inverse=False),),
    "output": (
        partial(quotient.output, relative=False),
        partial(quotient.output, underflow=False),
    ),
    "cauchy-schwarz": (partial(gradients.jensen, -1),),
    "both-ways": (partial(gradients.both_ways, -1),),
    "weight-error": (
        partial(gradients.weight_error, total=False),
        partial(gradients.weight_error, lost=False),
    ),
    "log-sum-exp": (partial(gradients.log_sum_exp, 1),),
    "row-sum": (partial(gradients.row_sum, 1),),
    "row-sum-error": (partial(gradients.row_sum_error, -1),),
    "row-sum-bound": (partial(gradients.row_sum_bound, drift=False),),
    "score-bound": (partial(gradients.score_bound, square=False),),
    "score-gradient": (partial(gradients.score_gradient, -1),),
    "multiplied-out": (partial(gradients.apart, 0), partial(gradients.apart, 1)),
    "zero-sum": (partial(gradients.zero_sum, mean=False),),
    "gradient-of-shift": (partial(gradients.gradient_of_shift, 2),),
    "slack": (partial(enclosure.slack, 24),),
    "near-one": (partial(enclosure.near_one, 0),),
}
"""Each step with a constant, a term or a sign that is wrong."""


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_holds(step):
    assert len(step.checked()) > 20


@pytest.mark.parametrize("name", WRONG)
def test_a_step_that_is_wrong_is_refuted(name):
    for wrong in WRONG[name]:
        with pytest.raises(StepRefuted):
            wrong().checked()


def test_every_step_has_a_name_of_its_own_and_is_broken_above():
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    assert set(WRONG) == set(names)
    assert sum(map(len, CHAPTERS.values())) == len(STEPS)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_what_is_wrong_shows_in_the_claim_or_in_the_check(step):
    # The claim that a page shows is made from the same parameters as its check.
    for wrong in WRONG[step.name]:
        other = wrong()
        assert other.name == step.name
        assert (other.claim, other.checked) != (step.claim, step.checked)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_what_uses_a_step_is_there(step):
    for where in step.where:
        assert _found(where) is not None


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda c: f"{c.where} {c.value}"[:60])
def test_a_constant_is_what_the_code_has(constant):
    found = _found(constant.where)
    if isinstance(constant.value, str):
        assert constant.value in ast.unparse(ast.parse(inspect.getsource(found)))
    else:
        assert found == constant.value


def test_the_roundings_of_the_scale_are_listed():
    assert sum(accumulation.SCALING.values()) == _found("scores.SCALING")


def test_the_proof_imports_neither_torch_nor_numeric():
    program = (
        "import sys, derive.rounding.proof, derive.rounding.constants\n"
        "assert not {'torch', 'numeric'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def _found(where):
    module, _, name = where.partition(".")
    return getattr(import_module(f"numeric.rounding.{module}"), name)
