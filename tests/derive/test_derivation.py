"""Derivations: a gap, an idle rule and a wrong rule are each caught."""

from itertools import combinations

import pytest
from sympy import Add, Expr, Integer, Mul, Sum, exp, log

from derive.attention import CROSS, SHIFTED, SOFTMAX, SUM_NORMALISED
from derive.binding import ShapeError, same
from derive.derivation import (
    SMALL_SHAPES,
    UNEQUAL_SHAPE,
    Derivation,
    DerivationError,
    Step,
    derive,
    is_zero,
    recheck,
)
from derive.formula import D, K, Q, Stage, a, array, c, d, i, j, k, m, n, n_q, s, total, z
from derive.rewriting import distribute, fold, pull_out, rewrite, split_exponentials, unfold

t, b = array("t"), array("b")
SOFTMAX_STAGES = SOFTMAX.choice("normalise").stages


def one_step(before: Expr, after: Expr, definitions=()) -> Derivation:
    return Derivation((before, after), (Step(before, after, "because"),), tuple(definitions))


def everywhere(change):
    """Make a rule of ``change``, which gets every part of an expression, the innermost first."""

    def rule(expression: Expr) -> Expr:
        if not expression.args or isinstance(expression, Sum):
            inner = expression
            if isinstance(expression, Sum):
                inner = Sum(rule(expression.function), *expression.limits)
            return change(inner)
        return change(expression.func(*(rule(part) for part in expression.args)))

    return rule


def test_rows_of_softmax_sum_to_one_step_by_step():
    chain = derive(
        total(a[i, j], j),
        Integer(1),
        [
            ("the definition of a", unfold(SOFTMAX.stage(a))),
            ("pull out", pull_out),
            ("the definition of D", fold(SOFTMAX.stage(D))),
        ],
        SOFTMAX_STAGES,
    )
    assert [step.rule for step in chain.steps] == [
        "the definition of a",
        "pull out",
        "the definition of D",
    ]
    assert same(chain.steps[1].after, total(exp(s[i, j]), j) / D[i])
    # Each step compares one entry for each query: of 1, 2 and 3, and of 2 that ask 3 keys.
    assert recheck(chain) == 3 * (1 + 2 + 3 + 2)


def test_a_rule_that_changes_nothing_is_refused():
    with pytest.raises(DerivationError, match="'multiply out' changes nothing in"):
        derive(total(a[i, j], j), Integer(1), [("multiply out", distribute)])


def test_a_chain_that_ends_elsewhere_is_refused():
    with pytest.raises(DerivationError, match="the chain breaks between"):
        derive(total(a[i, j], j), Integer(1), [("a", unfold(SOFTMAX.stage(a)))])


def test_a_chain_with_a_gap_is_refused():
    steps = (Step(a[i, j], s[i, j], "one"), Step(s[j, i], t[i], "two"))
    with pytest.raises(DerivationError, match="the chain breaks between"):
        Derivation((a[i, j], t[i]), steps)


def test_a_chain_that_starts_elsewhere_is_refused():
    with pytest.raises(DerivationError, match="the chain breaks between"):
        Derivation((a[j, i], t[i]), (Step(a[i, j], t[i], "one"),))


def test_a_chain_without_steps_is_refused():
    with pytest.raises(DerivationError, match="no step leads from"):
        derive(t[i], t[i], [])


def drop_a_factor(part: Expr) -> Expr:
    return Mul(*part.args[1:]) if isinstance(part, Mul) else part


def add_exponentials(part: Expr) -> Expr:
    if isinstance(part, exp) and isinstance(part.args[0], Add):
        return Add(*(exp(term) for term in part.args[0].args))
    return part


def pull_everything_out(part: Expr) -> Expr:
    if isinstance(part, Sum) and isinstance(part.function, Mul):
        first, *rest = part.function.args
        return first.xreplace({j: Integer(1)}) * Sum(Mul(*rest), *part.limits)
    return part


WRONG = {
    "drop a factor": (drop_a_factor, total(2 * a[i, j] * t[j], j)),
    "e^(u + v) = e^u + e^v": (add_exponentials, total(exp(s[i, j] + t[i]), j)),
    "pull out what depends on the index": (pull_everything_out, total(a[i, j] * t[j], j)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_caught(name):
    change, start = WRONG[name]
    after = everywhere(change)(start)
    assert not same(start, after)
    chain = derive(start, after, [(name, everywhere(change))])
    with pytest.raises(DerivationError, match="is not"):
        recheck(chain)


def test_a_definition_that_is_not_the_mechanisms_is_caught():
    wrong = Stage(D[i], total(s[i, j], j))
    after = fold(wrong)(total(s[i, j], j))
    with pytest.raises(DerivationError):
        recheck(one_step(total(s[i, j], j), after, SOFTMAX_STAGES))
    recheck(one_step(total(s[i, j], j), after, [wrong]))


def test_an_undefined_array_may_be_anything():
    with pytest.raises(DerivationError):
        recheck(one_step(total(exp(s[i, j]), j), D[i]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (total(a[i, j], j), total(a[j, i], j)),
        (s[i, j], s[j, i]),
        (total(a[i, j] * (b[k] - t[j]), j), b[k] - total(a[i, j] * t[j], j)),
        (total(exp(s[i, j] - m[i]), j), total(exp(s[i, j]), j) * exp(m[i])),
        (total(Q[i, k] * K[j, k], k), total(Q[j, k] * K[i, k], k)),
        (total(t[j], j) ** 2, total(t[j] ** 2, j)),
    ],
)
def test_a_false_step_is_caught(before, after):
    with pytest.raises(DerivationError):
        recheck(one_step(before, after))


def test_what_fails_at_two_tokens_only_is_caught():
    with pytest.raises(DerivationError, match="n: 2"):
        recheck(one_step(total(t[j], j), t[1]))


def test_an_array_of_unknown_size_is_refused():
    with pytest.raises(DerivationError, match="nothing says how large t is"):
        recheck(one_step(t[1], t[1] + s[i, j]))


@pytest.mark.parametrize(
    ("before", "after", "definitions"),
    [
        (total(exp(s[i, j] - m[i]), j), total(exp(s[i, j]), j) * exp(-m[i]), ()),
        (total(a[i, j], j), Integer(1), SUM_NORMALISED.choice("normalise").stages),
        (total(a[i, j], j), Integer(1), SHIFTED.choice("normalise").stages),
        (total(Q[i, k] * K[j, k], k), Sum(K[j, c] * Q[i, c], (c, 1, d)), ()),
    ],
)
def test_a_true_step_passes(before, after, definitions):
    assert recheck(one_step(before, after, definitions)) > 0


def test_the_composed_context_rechecks_through_all_its_definitions():
    context = CROSS.stage(z)
    chain = derive(
        context.target,
        rewrite(a[i, j], CROSS.stage(a).value)(context.value),
        [("z", unfold(context)), ("a", unfold(CROSS.stage(a)))],
        CROSS.stages,
    )
    assert recheck(chain) > 0


def test_zero_is_decided_for_quotients_of_exponentials():
    x1, x2 = t[1], t[2]
    assert is_zero(exp(x1 + x2) / exp(x1) - exp(x2))
    assert is_zero(1 / (1 + exp(x1)) + 1 / (1 + exp(-x1)) - 1)
    assert not is_zero(exp(x1 + x2) - exp(x1) - exp(x2))
    assert not is_zero(x1 / x2 - x2 / x1)
    assert not is_zero(exp(2 * x1) - exp(x1))
    assert not is_zero(log(2) * x1 - x1)


def test_split_exponentials_is_a_true_step():
    before = total(exp(s[i, j] + t[i]), j)
    assert recheck(one_step(before, split_exponentials(before))) > 0


def test_a_rule_that_confuses_two_sizes_is_found():
    start = Sum(s[i, j], (j, 1, n))
    step = Step(start, Sum(s[i, j], (j, 1, n_q)), "as many keys as queries")
    with pytest.raises((DerivationError, ShapeError)):
        recheck(Derivation((step.before, step.after), (step,)))


def test_no_two_sizes_are_the_same_at_all_small_shapes():
    for shapes, alike in ((SMALL_SHAPES, {(n_q, n)}), ((*SMALL_SHAPES, UNEQUAL_SHAPE), set())):
        pairs = combinations(shapes[0], 2)
        found = {pair for pair in pairs if all(s[pair[0]] == s[pair[1]] for s in shapes)}
        assert found == alike
