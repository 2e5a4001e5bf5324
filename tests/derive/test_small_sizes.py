import pytest

from derive.algebras.symbolic import Symbolic
from derive.elements import Elements
from derive.formula import d, n, n_h, n_q
from derive.sizes import sizes
from derive.small_sizes import shapes_at, small_sizes
from derive.variants import ATLAS
from derive.written_out import named_entries


@pytest.mark.parametrize("key", ATLAS)
@pytest.mark.parametrize("tokens", [1, 2, 3])
def test_the_shapes_give_the_sizes_back(key, tokens):
    mechanism = ATLAS[key].mechanism
    chosen = small_sizes(mechanism, tokens)
    found = sizes(mechanism, shapes_at(mechanism, chosen))
    assert found.items() <= chosen.items()
    assert found.get(n, tokens) == tokens


@pytest.mark.parametrize("key", ATLAS)
def test_every_mechanism_can_be_written_out(key):
    mechanism = ATLAS[key].mechanism
    chosen = small_sizes(mechanism, 2)
    given = {
        base: named_entries(base, shape) for base, shape in shapes_at(mechanism, chosen).items()
    }
    Elements(Symbolic(), given, chosen).run(mechanism.stages)


def test_dimensions_are_as_asked_where_nothing_says_how_many():
    assert small_sizes(ATLAS["causal"].mechanism, 3, 4)[d] == 4
    assert small_sizes(ATLAS["rotary-halves"].mechanism, 3, 5)[d] == 2


def test_heads_that_share_are_two():
    chosen = small_sizes(ATLAS["grouped-query"].mechanism, 2)
    assert chosen[n_h] >= 2
    assert chosen[n_q] == chosen[n] == 2
