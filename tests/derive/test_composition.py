"""Attention composed of choices: each against NumPy written by hand, and what may not be chosen."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy
import pytest

from derive.attention import MECHANISMS
from derive.code import function
from derive.composition import NORMALISERS, Composition, Projections, composed
from derive.errors import InputError
from derive.examples import Example, example_from, load
from derive.formula import K, Q, V, a, s, x, z
from derive.sentence_file import SentenceFile
from derive.settings import ROOT, Settings
from derive.worked import work_out_composed

SCALES = (None, ROOT, Fraction(1, 4))


def _by_hand(composition: Composition, vectors: numpy.ndarray) -> dict[str, numpy.ndarray]:
    """Return what NumPy computes of the choices, the mask as minus infinity or a lower triangle."""
    query = key = value = vectors
    if composition.projections is not None:
        query, key, value = (
            vectors @ numpy.array([[float(number.text) for number in row] for row in rows])
            for rows in composition.projections.rows().values()
        )
    scores = numpy.einsum("ik,jk->ij", query, key)
    if composition.scale is not None:
        scores = scores * (
            1 / math.sqrt(key.shape[1]) if composition.scale == ROOT else float(composition.scale)
        )
    seen = numpy.tri(len(vectors)) if composition.causal else numpy.ones_like(scores)
    if composition.normaliser in ("softmax", "shifted"):
        hidden = numpy.where(seen, scores, -numpy.inf)
        raised = numpy.exp(hidden - hidden.max(axis=1, keepdims=True))
        weights = raised / raised.sum(axis=1, keepdims=True)
    else:
        weights = scores * seen
        if composition.normaliser == "sum":
            weights = weights / weights.sum(axis=1, keepdims=True)
    return {"s": scores, "a": weights, "z": weights @ value}


@pytest.mark.parametrize("sentence", ["journey", "jim-john"])
@pytest.mark.parametrize(
    ("normaliser", "scale", "causal", "projected"),
    list(itertools.product(NORMALISERS, SCALES, (False, True), (False, True))),
)
def test_every_composition_computes_what_it_says(
    sentence: str, normaliser: str, scale: object, causal: bool, projected: bool
) -> None:
    example = load(sentence)
    projections = Projections.small(3) if projected else None
    composition = Composition(normaliser, scale, causal, projections)
    worked = work_out_composed(example, composition)
    expected = _by_hand(composition, example.array(float).astype(float))
    given = {base: array.astype(float) for base, array in composition.given().items()}
    given[x] = example.array(float).astype(float)
    generated = function(composition.mechanism, numpy)(
        **{str(base): array for base, array in given.items()}
    )
    for base in (s, a, z):
        found = worked[base].astype(float)
        numpy.testing.assert_allclose(found, expected[str(base)], rtol=1e-12, atol=1e-13)
        numpy.testing.assert_allclose(generated[str(base)], found, rtol=1e-11, atol=1e-12)


def test_the_known_mechanisms_are_the_very_ones() -> None:
    for name in NORMALISERS:
        assert composed(name) is MECHANISMS[name]
    assert composed("softmax", ROOT) is MECHANISMS["scaled"]


def test_a_hidden_key_with_a_huge_score_leaves_the_seen_ones_alone() -> None:
    text = "tokens: [a, b]\nvectors: [[1], [5000]]"
    example = _example(text)
    worked = work_out_composed(example, Composition("shifted", causal=True))
    assert [float(weight) for weight in worked[a][0]] == [1.0, 0.0]


def test_small_matrices_repeat_their_rows_for_longer_vectors() -> None:
    assert Projections.small(5).query[3:] == Projections.small(3).query[:2]
    assert len(Projections.small(2).value) == 2


def test_matrices_of_ones_own_need_not_be_square() -> None:
    text = (
        "tokens: [a, b]\nvectors: [[1, 2], [3, 4]]\n"
        "projections:\n  query: [[1, 0, 2], [0, 1, 1]]\n  key: [[1, 1, 1], [0, 2, 0]]\n"
        "  value: [[0.5], [0.25]]"
    )
    example = _example(text)
    worked = work_out_composed(example, example.settings.composition(2, "my.yaml"))
    assert (worked[Q].shape, worked[K].shape, worked[V].shape) == ((2, 3), (2, 3), (2, 1))
    assert worked[V].tolist() == [[Fraction(1)], [Fraction(5, 2)]]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("mechanism: causal", ["mechanism", "'causal'", "softmax, sum"]),
        ("scale: sqrt(d)", ["scale", "1/sqrt(d)"]),
        ("scale: 0", ["scale", "zero"]),
        ("mechanism: scaled\nscale: 2", ["scale", "scaled"]),
        ("mask: padding", ["mask", "padding", "causal or none"]),
        ("projections: big", ["projections", "'big'", "small"]),
        ("projections: {query: [[1]]}", ["projections.key", "missing"]),
        (
            "projections: {query: [[1]], key: [[1]], value: [[1]]}",
            ["projections.query", "1 rows", "2 numbers"],
        ),
        (
            "projections: {query: [[1], [2, 3]], key: [[1], [1]], value: [[1], [1]]}",
            ["projections.query[2]", "2 numbers"],
        ),
        (
            "projections: {query: [[1, 1], [1, 1]], key: [[1], [1]], value: [[1], [1]]}",
            ["projections.key", "both as many"],
        ),
        (
            "projections: {query: [[x], [1]], key: [[1], [1]], value: [[1], [1]]}",
            ["projections.query[1][1]", "'x' is not a number"],
        ),
        ("projections: {query: 1, key: 1, value: 1}", ["projections", "matrices"]),
        ("projections: {question: [[1], [1]]}", ["projections.question", "unknown"]),
    ],
)
def test_a_wrong_setting_is_one_line(settings: str, words: list[str]) -> None:
    text = f"tokens: [a, b]\nvectors: [[1, 2], [3, 4]]\n{settings}"
    with pytest.raises(InputError) as caught:
        SentenceFile.parse(text, where="my.yaml")
    message = str(caught.value)
    assert message.startswith("my.yaml: ")
    for word in words:
        assert word in message


def test_what_is_said_closer_counts() -> None:
    fence, file = Settings(scale="none"), Settings("sum", ROOT, True)
    assert fence.over(file) == Settings("sum", "none", True)


def _example(text: str) -> Example:
    return example_from(SentenceFile.parse(text, where="my.yaml"), "my", "my.yaml")
