"""Lengths and cosines against NumPy, and the identity that ties them to the scores."""

import numpy
import pytest

from derive.attention import SOFTMAX
from derive.derivation import recheck
from derive.examples import load
from derive.formula import s
from derive.geometry import lengths_and_cosines, score_by_angle
from derive.worked import work_out


@pytest.mark.parametrize("name", ["jim-john", "journey"])
def test_lengths_and_cosines_are_those_of_numpy(name):
    example = load(name)
    vectors = example.array(float).astype(float)
    norms = numpy.linalg.norm(vectors, axis=1)
    lengths, cosines = lengths_and_cosines(example)
    numpy.testing.assert_allclose(lengths.astype(float), norms, rtol=1e-14)
    expected = vectors @ vectors.T / numpy.outer(norms, norms)
    numpy.testing.assert_allclose(cosines.astype(float), expected, rtol=1e-14)


def test_a_vector_has_the_length_of_its_own_score_and_no_angle_with_itself():
    example = load("journey")
    lengths, cosines = lengths_and_cosines(example)
    scores = work_out(example, SOFTMAX)[s]
    for place, length in enumerate(lengths):
        assert abs(length * length - scores[place, place]) < 1e-45
        assert abs(cosines[place, place] - 1) < 1e-45


def test_the_score_is_two_lengths_and_a_cosine():
    assert recheck(score_by_angle()) > 0
