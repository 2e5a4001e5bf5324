"""How long the atlas takes: deriving, deciding, proving, and reading what has not changed."""

import pytest

from derive.atlas_evidence import digest
from derive.code import source
from derive.counting import operations
from derive.gradients import vector_jacobian_product
from derive.variant_properties import subject_of, variant_properties
from derive.variants import ATLAS
from numeric.atlas import check_code


@pytest.mark.benchmark(group="one mechanism: causal")
def test_deriving_the_gradient(benchmark):
    derived = benchmark(vector_jacobian_product.__wrapped__, ATLAS["causal"].mechanism)
    assert derived.gradients


@pytest.mark.benchmark(group="one mechanism: causal")
def test_deciding_every_property(benchmark):
    def decide():
        subject_of.cache_clear()
        return variant_properties.__wrapped__(ATLAS["causal"])

    assert len(benchmark.pedantic(decide, rounds=3)) == 13


@pytest.mark.benchmark(group="one mechanism: causal")
def test_proving_the_torch_code(benchmark):
    assert benchmark.pedantic(check_code, (ATLAS["causal"],), rounds=3).passed


@pytest.mark.benchmark(group="the whole atlas")
def test_all_gradients_code_and_counts(benchmark):
    def derive():
        for variant in ATLAS.values():
            vector_jacobian_product.__wrapped__(variant.mechanism)
            source(variant.mechanism, "torch")
            operations(variant.mechanism)

    benchmark.pedantic(derive, rounds=1)


@pytest.mark.benchmark(group="the whole atlas")
def test_telling_that_nothing_has_changed(benchmark):
    digests = benchmark.pedantic(lambda: [digest(variant) for variant in ATLAS.values()], rounds=3)
    assert len(set(digests)) == len(ATLAS)
