"""Scores, masks, heads and normalisers of the atlas against torch, forward and backward."""

import numpy
import pytest
import torch
from sympy import Rational

from derive.algebras.decimal import Decimal
from derive.elements import Elements
from derive.examples import BUILT_IN, load
from derive.formula import FormulaError
from derive.normaliser import even_power
from derive.sizes import sizes
from derive.variants import ATLAS
from derive.verdict import Verdict
from numeric import verify
from tests.sampling import one_in
from tests.variants.score_mask_head_programs import PROGRAMS

DIGITS = 30
CLOSE = 1e-12
OF_EQUAL_LENGTHS = ("general", "cross-attention", "sink")
"""Whose mistaken programs take only shapes that a sentence does not have."""


def given(variant, vectors):
    return {base: made.make(vectors) for base, made in variant.inputs.items()}


def by_formula(variant, arrays):
    decimal = Decimal(DIGITS)
    number = numpy.frompyfunc(lambda v: decimal.number(Rational(v.numerator, v.denominator)), 1, 1)
    mechanism = variant.mechanism
    lengths = sizes(mechanism, {base: array.shape for base, array in arrays.items()})
    scalars = {base: number(array) for base, array in arrays.items()}
    computed = Elements(decimal, scalars, lengths).run(mechanism.stages)
    return computed[mechanism.stages[-1].array].astype(float)


def by_torch(program, variant, arrays):
    indicators = variant.mechanism.indicators
    tensors = [
        torch.tensor(arrays[base].astype(float), dtype=torch.float64)
        if base not in indicators
        else torch.tensor(arrays[base].astype(bool))
        for base in variant.mechanism.inputs
    ]
    return program(*tensors).numpy()


@pytest.mark.parametrize("sentence", BUILT_IN)
@pytest.mark.parametrize("key", PROGRAMS)
def test_the_formula_is_what_torch_computes_for_the_sentences(key, sentence):
    variant = ATLAS[key]
    arrays = given(variant, load(sentence).array())
    ours = by_formula(variant, arrays)
    theirs = by_torch(PROGRAMS[key].right, variant, arrays)
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max() < CLOSE


@pytest.mark.parametrize("key", [key for key in PROGRAMS if key not in OF_EQUAL_LENGTHS])
def test_the_sentence_journey_tells_the_mistaken_program_apart(key):
    variant = ATLAS[key]
    arrays = given(variant, load("journey").array())
    ours = by_formula(variant, arrays)
    theirs = by_torch(PROGRAMS[key].wrong, variant, arrays)
    assert ours.shape != theirs.shape or abs(ours - theirs).max() > 1e-4


@pytest.mark.parametrize("degree", [0, 1, 3, -2])
def test_a_power_that_may_be_negative_or_says_nothing_is_refused(degree):
    with pytest.raises(FormulaError, match="an even number from 2 on"):
        even_power(degree)


@pytest.mark.parametrize("key", one_in(2, PROGRAMS))
def test_torch_is_proved_to_compute_the_formula_and_its_gradients(key):
    program = PROGRAMS[key]
    report = verify(
        program.right,
        ATLAS[key].mechanism,
        program.inputs(),
        backward=True,
        other_shapes=False,
    )
    assert report.verdict is Verdict.PROVED, str(report)


@pytest.mark.parametrize("key", one_in(2, PROGRAMS))
def test_a_mistaken_program_is_refuted(key):
    program = PROGRAMS[key]
    report = verify(
        program.wrong, ATLAS[key].mechanism, program.inputs(), other_shapes=False, exact=False
    )
    assert report.verdict is Verdict.REFUTED, str(report)
