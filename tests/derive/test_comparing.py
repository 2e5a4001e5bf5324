from itertools import combinations

import pytest
from sympy import exp, sqrt

from derive.brackets import AtMost
from derive.comparing import compared, differing
from derive.formula import D, K, Q, a, d, h, i, j, k, s, total, x
from derive.variants import ATLAS

PRODUCT = total(Q[i, k] * K[j, k], k)


def marks(left: str, right: str) -> tuple[set[str], set[str]]:
    """Return what is marked on each side, whole equations by the array that they define."""
    mine: set[str] = set()
    theirs: set[str] = set()
    for pair in compared(ATLAS[left].mechanism, ATLAS[right].mechanism):
        if pair.right is None:
            mine.add(f"{pair.left.array} alone")
        elif pair.left is None:
            theirs.add(f"{pair.right.array} alone")
        else:
            mine.update(map(str, pair.left_marks))
            theirs.update(map(str, pair.right_marks))
    return mine, theirs


def test_scaling_differs_by_its_divisor_alone():
    assert marks("dot-product", "scaled-dot-product") == (set(), {"1/sqrt(d)"})


def test_a_mask_is_a_factor_more():
    assert marks("scaled-dot-product", "causal") == (set(), {"[j <= i]"})


def test_heads_alone_are_no_difference():
    mine, theirs = marks("causal", "alibi")
    assert mine == {"s[i, j]"}
    assert theirs == {"w alone", "w[h, i, j]"}


def test_a_mechanism_does_not_differ_from_itself():
    for variant in ATLAS.values():
        assert all(pair.same for pair in compared(variant.mechanism, variant.mechanism))


@pytest.mark.parametrize(("left", "right"), list(combinations(ATLAS, 2))[::17])
def test_order_changes_sides_alone(left, right):
    mine, theirs = marks(left, right)
    assert (theirs, mine) == marks(right, left)


@pytest.mark.parametrize(("left", "right"), list(combinations(ATLAS, 2))[::23])
def test_two_mechanisms_differ_somewhere_and_every_equation_is_paired_once(left, right):
    pairs = compared(ATLAS[left].mechanism, ATLAS[right].mechanism)
    one, other = ATLAS[left].mechanism.stages, ATLAS[right].mechanism.stages
    assert [pair.left.array for pair in pairs if pair.left] == [stage.array for stage in one]
    assert sorted(str(p.right.array) for p in pairs if p.right) == sorted(
        str(stage.array) for stage in other
    )
    same_formula = [s.value for s in one] == [s.value for s in other]
    assert same_formula or not all(pair.same for pair in pairs)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (exp(s[i, j]), exp(s[i, j]), (set(), set())),
        (exp(s[i, j]), exp(s[j, i]), ({s[i, j]}, {s[j, i]})),
        (PRODUCT, PRODUCT / sqrt(d), (set(), {1 / sqrt(d)})),
        (total(s[i, j], j), total(exp(s[i, j]), j), ({s[i, j]}, {exp(s[i, j])})),
        (exp(s[i, j]) / D[i], AtMost(j, i) * exp(s[i, j]) / D[i], (set(), {AtMost(j, i)})),
        (total(x[i, k], k), total(x[i, j], j), (None, None)),
        (a[i, j] + 1, a[i, j] + 2, ({1}, {2})),
    ],
)
def test_the_smallest_parts_are_found(left, right, expected):
    found = differing(left, right)
    if expected == (None, None):
        assert found == ({left}, {right})
    else:
        assert found == expected


def test_the_index_of_heads_is_left_out_only_where_asked():
    left, right = exp(s[i, j]), exp(s[h, i, j])
    assert differing(left, right, headless=True) == (set(), set())
    assert differing(left, right) == ({s[i, j]}, {s[h, i, j]})
