"""Every theorem is proved, checked a second way, and says how far it reaches."""

import re
from importlib import import_module
from itertools import combinations
from pkgutil import iter_modules

import pytest
from sympy import Indexed

import derive.theorems
from derive.formula import n, n_q
from derive.publish.proof_writing import written
from derive.theorems import THEOREMS
from derive.theorems.checking import SMALL_SIZES, recheck_theorem
from derive.theorems.theorem import Agreement, Chain, Comparison, Induction, Kind
from derive.variants import ATLAS
from tests.sampling import one_in

MACHINERY = {"checking", "expectation", "slope", "theorem", "turning"}


@pytest.mark.parametrize("name", one_in(3, THEOREMS))
def test_a_theorem_holds_when_checked_a_second_way(name):
    told = recheck_theorem(THEOREMS[name])
    compared = [int(number) for number in re.findall(r"(\d+) (?:entries|exact numbers)", told)]
    assert len(told.split("; ")) == len(THEOREMS[name].parts)
    assert compared
    assert all(compared)


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_says_what_it_is_about(name):
    theorem = THEOREMS[name]
    assert theorem.name == name
    assert theorem.kind in Kind
    assert theorem.parts
    assert theorem.goals
    assert set(theorem.variants) <= ATLAS.keys()
    assert all(text.strip().endswith(".") for text in (theorem.statement, theorem.consequence))
    assert all(source.address.startswith("https://") for source in theorem.sources)


@pytest.mark.parametrize("name", THEOREMS)
def test_every_equation_can_be_written(name):
    for part in THEOREMS[name].parts:
        if isinstance(part, Chain):
            for step in part.derivation.steps:
                assert written(step.before)
                assert written(step.after)


def test_every_module_of_a_theorem_is_listed():
    modules = {module.name for module in iter_modules(derive.theorems.__path__)} - MACHINERY
    assert modules == {name.replace("-", "_") for name in THEOREMS}
    for module in modules:
        assert import_module(f"derive.theorems.{module}").THEOREM.name in THEOREMS


def test_an_unknown_theorem_is_not_found():
    for name in ("no-such-theorem", "online_softmax", "theorem", "checking"):
        assert name not in THEOREMS
    assert len(THEOREMS) == len(set(THEOREMS))


def test_the_parts_of_all_theorems_are_of_every_kind():
    kinds = {type(part) for theorem in THEOREMS.values() for part in theorem.parts}
    assert kinds == {Chain, Induction, Comparison, Agreement}


def test_the_theorems_are_about_the_formulas_of_the_atlas():
    causal = THEOREMS["causal-two-ways"].parts[0]
    weight = ATLAS["causal"].mechanism.stages[2]
    assert weight in causal.setting.definitions
    assert isinstance(causal.goal[1], Indexed)


def test_no_two_sizes_are_the_same_wherever_steps_are_written_out():
    pairs = combinations(SMALL_SIZES[0], 2)
    assert not [
        pair for pair in pairs if all(sizes[pair[0]] == sizes[pair[1]] for sizes in SMALL_SIZES)
    ]


def test_quotients_of_masked_sums_name_what_must_not_be_zero():
    conditions = {"online-softmax": "D[i]", "log-sum-exp-merge": "D_b[i, p]"}
    for name, denominator in conditions.items():
        assert denominator in map(str, THEOREMS[name].nonzero)


def test_a_theorem_says_which_sizes_it_takes_to_be_the_same():
    relations = {name: THEOREMS[name].relations for name in ("causal-two-ways", "row-sum-trick")}
    assert relations == {"causal-two-ways": ((n_q, n),), "row-sum-trick": ()}
