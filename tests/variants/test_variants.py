"""What holds of every mechanism of the atlas: names, texts, sources, inputs, numbers, gradients."""

import importlib
import pkgutil
import re
from datetime import UTC, datetime
from fractions import Fraction
from urllib.parse import urlsplit

import numpy
import pytest
from sympy import Indexed, Rational

import derive.variants
from derive.algebras.decimal import Decimal
from derive.elements import Elements
from derive.examples import BUILT_IN, load
from derive.formula import UPPER_LIMIT, FormulaError, a, n_q
from derive.gradients import vector_jacobian_product
from derive.options import Options
from derive.scaled_dot_product import scaled_dot_product_attention
from derive.sizes import sizes
from derive.variants import ATLAS, dot_product
from derive.variants.inputs import by_length, exact, numbers, projected
from derive.variants.variant import FAMILIES, Variant

FILES = {
    name: importlib.import_module(f"derive.variants.{name}")
    for _, name, _ in pkgutil.iter_modules(derive.variants.__path__)
}
STATED = {name: module for name, module in FILES.items() if hasattr(module, "VARIANT")}
MARKDOWN = re.compile(r"[`*_#<>\[\]|$\\\u2014]|\bhttps?:")
FIRST_YEAR = 1964  # Nadaraya and Watson's kernel regression, the oldest ancestor
MOST_WORDS = 70
KEYS = pytest.mark.parametrize("key", ATLAS)


def arrays(variant, vectors):
    return {base: made.make(vectors) for base, made in variant.inputs.items()}


def plain(text):
    """Tell text without marks; names of arrays, such as W_q, and of sizes, such as n_h, may be."""
    marked = MARKDOWN.search(re.sub(r"\b[A-Za-z]_[a-z]+\b", "", text))
    return not marked and "  " not in text and text == text.strip()


def computed(variant, given):
    decimal = Decimal()
    number = numpy.frompyfunc(lambda v: decimal.number(Rational(v.numerator, v.denominator)), 1, 1)
    lengths = sizes(variant.mechanism, {base: array.shape for base, array in given.items()})
    scalars = {base: number(array) for base, array in given.items()}
    return Elements(decimal, scalars, lengths).run(variant.mechanism.stages)


def test_every_file_that_states_a_mechanism_is_in_the_atlas_under_its_name():
    assert {module.VARIANT.key: name.replace("_", "-") for name, module in STATED.items()} == {
        key: key for key in ATLAS
    }
    assert all(ATLAS[module.VARIANT.key] is module.VARIANT for module in STATED.values())


def test_the_atlas_has_thirty_mechanisms_or_more_and_every_family_has_one():
    assert len(ATLAS) >= 30
    assert {variant.family for variant in ATLAS.values()} == set(FAMILIES)


def test_pages_list_the_families_in_order():
    places = [FAMILIES.index(variant.family) for variant in ATLAS.values()]
    assert places == sorted(places)


def test_titles_and_formulas_are_told_apart():
    for name in ("title", "summary"):
        texts = [getattr(variant, name) for variant in ATLAS.values()]
        assert len(set(texts)) == len(texts), name
    formulas = [
        (variant.mechanism.canonical(), variant.mechanism.given, variant.mechanism.relations)
        for variant in ATLAS.values()
    ]
    assert all(formulas.count(formula) == 1 for formula in formulas)


@KEYS
def test_a_summary_is_a_few_words_of_plain_text(key):
    assert plain(ATLAS[key].title)
    assert plain(ATLAS[key].summary)
    assert ATLAS[key].summary.endswith(".")
    assert len(ATLAS[key].summary.split()) <= MOST_WORDS
    assert not ATLAS[key].title.endswith(".")


@pytest.mark.parametrize(
    "text", ["a `b`", "*a*", "see [a](b)", "$x$", "see https://a.b", "a  b", "a\u2014b", "_a_"]
)
def test_marked_text_is_not_plain(text):
    assert not plain(text)
    assert plain("W_q has n_h rows, and x + 1 or e^x.")


@KEYS
def test_a_mechanism_has_a_source_with_an_address_and_a_year(key):
    assert ATLAS[key].sources
    for source in ATLAS[key].sources:
        address = urlsplit(source.address)
        assert address.scheme == "https"
        assert "." in address.netloc
        assert FIRST_YEAR <= source.year <= datetime.now(UTC).year
        assert source.authors
        assert source.title
        assert not source.title.endswith(".")


@KEYS
def test_the_year_of_an_address_at_arxiv_is_not_after_that_of_the_source(key):
    for source in ATLAS[key].sources:
        found = re.fullmatch(r"https://arxiv\.org/abs/(\d\d)(\d\d)\.\d{4,5}", source.address)
        if "arxiv.org" in source.address:
            assert found, source.address
            assert 1 <= int(found[2]) <= 12
            # A conference may print what was sent to arXiv years before.
            assert 2000 + int(found[1]) <= source.year <= 2000 + int(found[1]) + 3


@KEYS
def test_a_mechanism_is_compared_with_another_of_the_atlas(key):
    assert ATLAS[key].against in ATLAS
    assert ATLAS[key].against != key


@KEYS
def test_the_drawn_weights_have_a_row_for_each_query(key):
    variant = ATLAS[key]
    stage = variant.mechanism.stage(variant.weights)
    assert UPPER_LIMIT[stage.target.indices[-2]] == n_q


@KEYS
def test_the_choice_that_normalises_makes_the_weights(key):
    mechanism = ATLAS[key].mechanism
    for choice in mechanism:
        if choice.role == "normalise":
            assert a in {stage.array for stage in choice.stages}
    roles = [choice.role for choice in mechanism]
    assert len(set(roles)) == len(roles)


@KEYS
@pytest.mark.parametrize("sentence", BUILT_IN)
def test_inputs_are_exact_fractions_of_the_shapes_that_the_formula_takes(key, sentence):
    variant = ATLAS[key]
    given = arrays(variant, load(sentence).array())
    assert {type(entry) for array in given.values() for entry in array.flat} == {Fraction}
    found = sizes(variant.mechanism, {base: array.shape for base, array in given.items()})
    assert all(length > 0 for length in found.values())


@KEYS
def test_the_numbers_that_a_page_prints_are_short(key):
    vectors = load("journey").array()
    for base, made in ATLAS[key].inputs.items():
        if not made.label:
            for entry in made.make(vectors).flat:
                assert (entry * 256).denominator in (1, 2, 4) or (entry * 100).denominator == 1, (
                    f"{base}: {entry}"
                )


@KEYS
def test_fixed_inputs_are_the_same_for_sentences_of_one_length(key):
    vectors = load("journey").array()
    for base, made in ATLAS[key].inputs.items():
        changes = (made.make(vectors) != made.make(vectors + 1)).any()
        assert not (made.fixed and changes), base


@KEYS
@pytest.mark.parametrize("sentence", BUILT_IN)
def test_the_formula_has_finite_numbers_for_a_sentence(key, sentence):
    variant = ATLAS[key]
    found = computed(variant, arrays(variant, load(sentence).array()))
    for stage in variant.mechanism.stages:
        assert numpy.isfinite(found[stage.array].astype(float)).all(), stage
    # A row of weights that is the same as all others would show nothing.
    assert len({float(entry) for entry in found[variant.weights].flat}) > 1


@KEYS
@pytest.mark.parametrize("tokens", [2, 3])
def test_the_formula_has_numbers_for_two_and_three_tokens(key, tokens):
    variant = ATLAS[key]
    found = computed(variant, arrays(variant, load("journey").array()[:tokens]))
    assert found[variant.weights].shape[-1] <= tokens


@KEYS
def test_every_real_input_has_a_gradient(key):
    mechanism = ATLAS[key].mechanism
    backward = vector_jacobian_product(mechanism)
    assert set(backward.gradients) == set(mechanism.inputs) - mechanism.indicators
    made = {stage.array for stage in backward.stages}
    read = {entry.base for stage in backward.stages for entry in stage.value.atoms(Indexed)}
    assert set(backward.gradients.values()) <= made
    assert backward.upstream in read


def test_wrong_inputs_and_statements_are_refused():
    good = dot_product.VARIANT
    fields = {
        "key": "x",
        "title": "X",
        "summary": "X.",
        "family": "Scores",
        "mechanism": good.mechanism,
        "sources": good.sources,
        "inputs": good.inputs,
    }
    with pytest.raises(FormulaError, match="the families are Scores"):
        Variant(**{**fields, "family": "Shapes"})
    some = {base: made for base, made in good.inputs.items() if str(base) != "V"}
    with pytest.raises(FormulaError, match="differ in V"):
        Variant(**{**fields, "inputs": some})
    masked = scaled_dot_product_attention(Options(mask="j"))
    with pytest.raises(FormulaError, match="differ in M"):
        Variant(**{**fields, "mechanism": masked})
    with pytest.raises(FormulaError, match="both to hold and to fail"):
        Variant(**fields, holds=("rows sum to one",), fails=("rows sum to one",))


def test_inputs_are_read_as_they_are_written():
    assert exact("1.2 -0.4; 0.3 0.9").tolist() == [
        [Fraction(6, 5), Fraction(-2, 5)],
        [Fraction(3, 10), Fraction(9, 10)],
    ]
    assert exact("0.5 2").tolist() == [Fraction(1, 2), Fraction(2)]
    vectors = load("journey").array()
    assert numbers("0.5 2").make(vectors).tolist() == [Fraction(1, 2), Fraction(2)]
    assert by_length(range).make(vectors).tolist() == list(range(6))
    doubled = projected("W", exact("2 0 0; 0 2 0; 0 0 2")).make(vectors)
    assert (doubled == 2 * vectors).all()
