"""Chains of rewriting that take the steps they need, and what the claims rewrite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from sympy import Add, Expr, Indexed, IndexedBase, Mul, Pow, Sum
from sympy.concrete.expr_with_limits import ExprWithLimits

from derive.binding import freshen, same
from derive.brackets import Bracket
from derive.claims.subject import Subject
from derive.derivation import Derivation, DerivationError, derive
from derive.formula import Largest, Stage, opened
from derive.rewriting import Rule, fold, unfold
from derive.tidying import factored

Reasons = Sequence[tuple[str, Rule]]
Change = Callable[[Indexed], Expr]


def chain(
    start: Expr, goal: Expr, reasons: Reasons, definitions: Iterable[Stage] = ()
) -> Derivation:
    """Derive ``goal`` from ``start`` by those ``reasons`` that change something, until it is there.

    Raises ``DerivationError`` when all are used up and the chain ends elsewhere.
    """
    needed: list[tuple[str, Rule]] = []
    reached = start
    for words, rule in reasons:
        after = rule(reached)
        if not same(reached, after):
            needed.append((words, rule))
            reached = after
        if same(reached, goal):
            break
    return derive(start, goal, needed, definitions)


def first_that_holds(attempts: Iterable[Callable[[], Derivation]]) -> Derivation:
    """Return the first chain that reaches its goal; raise what the last one raised."""
    failure = DerivationError("there is no chain to try")
    for attempt in attempts:
        try:
            return attempt()
        except DerivationError as error:
            failure = error
    raise failure


def unfolded(stages: Iterable[Stage]) -> Reasons:
    """Return the steps that put the definitions of ``stages`` in, the last stages first.

    Stages of which none reads another are put in at once.
    """
    groups: list[list[Stage]] = []
    for stage in reversed(tuple(stages)):
        if groups and not any(stage.array in other.reads for other in groups[-1]):
            groups[-1].insert(0, stage)
        else:
            groups.append([stage])
    return [_definitions(group) for group in groups]


def _definitions(stages: Sequence[Stage]) -> tuple[str, Rule]:
    rules = [unfold(stage) for stage in stages]

    def rule(expression: Expr) -> Expr:
        for each in rules:
            expression = each(expression)
        return expression

    *others, last = (str(stage.array) for stage in stages)
    names = f"{', '.join(others)} and {last}" if others else last
    return f"the definition{'s' * bool(others)} of {names}", rule


def folded(stages: Iterable[Stage]) -> Reasons:
    """Return the steps that put arrays in place of their definitions, the first stage first."""
    return [(f"the definition of {s.array}, read backwards", fold_within(s)) for s in stages]


def with_changed(subject: Subject, change: Change) -> tuple[Stage, ...]:
    """Return the normaliser's stages with every final score replaced by its ``change``."""
    finals = {entry.base for entry in subject.finals}
    return tuple(
        Stage(s.target, changed(s.value, finals, change), subject.shapes[s.array])
        for s in subject.normaliser
    )


def changed(expression: Expr, bases: Iterable[IndexedBase], change: Change) -> Expr:
    """Replace every entry of ``bases`` by its ``change``."""
    entries = {entry for entry in expression.atoms(Indexed) if entry.base in set(bases)}
    return expression.xreplace({entry: change(entry) for entry in entries})


def defining(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Return the stages that can be written out in letters: no bracket counts a mask's entries."""
    return tuple(
        stage
        for stage in stages
        if not any(bracket.atoms(Indexed) for bracket in stage.value.atoms(Bracket))
    )


# Rules


def fold_within(stage: Stage) -> Rule:
    """Put an array's entry in place of its definition, also inside products and under fractions."""
    whole = fold(stage)
    size = len(Mul.make_args(stage.value))

    def change(part: Expr) -> Expr:
        power = stage.value
        if isinstance(power, Pow) and isinstance(part, Pow) and part.exp == -power.exp:
            found = whole(1 / part)
            return part if same(found, 1 / part) else 1 / found
        if size > 1 and isinstance(part, Mul):
            for chosen in combinations(part.args, size):
                product = Mul(*chosen)
                found = whole(product)
                if isinstance(found, Indexed):
                    return Mul(found, *(f for f in part.args if f not in chosen))
        return part

    return lambda expression: everywhere(change)(whole(expression))


def everywhere(change: Rule) -> Rule:
    """Make a rule that applies ``change`` to every part of an expression, the innermost first."""

    def rule(expression: Expr) -> Expr:
        if not expression.args or isinstance(expression, Indexed):
            return expression
        if isinstance(expression, ExprWithLimits):
            body, *limits = opened(freshen(expression))
            return change(expression.func(rule(body), tuple(limits)))
        return change(expression.func(*(rule(part) for part in expression.args)))

    return rule


common_factors: Rule = everywhere(factored)
"""u f + u g = u (f + g)."""


def _out_of_largest(part: Expr) -> Expr:
    if not isinstance(part, Largest):
        return part
    body, index, *limits = opened(part)
    terms = Add.make_args(body)
    outside = [term for term in terms if index not in term.free_symbols]
    inside = [term for term in terms if index in term.free_symbols]
    if not inside:
        return body
    return Add(*outside, Largest(Add(*inside), (index, *limits))) if outside else part


out_of_largest: Rule = everywhere(_out_of_largest)
"""max_j (f(j) + t) = t + max_j f(j), and the largest of equal numbers is each of them."""


def _count_equal(part: Expr) -> Expr:
    if not isinstance(part, Sum):
        return part
    body, index, low, high = opened(part)
    return body * high if low == 1 and index not in body.free_symbols else part


count_equal: Rule = everywhere(_count_equal)
"""The sum of n equal terms is n times the term."""
