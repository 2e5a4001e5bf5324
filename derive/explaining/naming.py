"""Give tensors the names that they have in formulas: scores s, weights a, values v, output z."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from derive.explaining.composing import Plan
from derive.explaining.terms import Call, Scaled, Term, Use, View, parts, uses
from derive.explaining.views import described

PRIME = "′"


@dataclass(eq=False)
class Names:
    """The shown name and the role of each tensor; ``gradients`` are names written with a d."""

    shown: dict[str, str]
    roles: dict[str, str] = field(default_factory=dict)


def named(plan: Plan, inputs: Sequence[str], outputs: Mapping[str, str]) -> Names:
    """Name every line; ``outputs`` gives the graph's name of each output's line."""
    roles = _Roles(plan, inputs)
    wished = roles.wishes()
    for name, output in outputs.items():
        if output.startswith("gradient of "):
            wished[name] = (f"d{output.removeprefix('gradient of ')}", output)
        elif wished.get(name, ("", ""))[1] != "output":
            base = wished.get(name, ("t", ""))[0]
            wished[name] = ("y" if base == "t" else base, "output")
    names = Names({name: name for name in inputs})
    taken = set(inputs)
    bases = [base for base, _ in wished.values()]
    counts: dict[str, int] = {}
    for name in plan.formulas:
        base, role = wished.get(name, ("t", ""))
        several = bases.count(base) > 1 or base == "t" or base in inputs
        if several and not base.endswith(PRIME):
            shown = _numbered(base, counts, taken)
        else:
            shown = base
            while shown in taken:
                shown += PRIME
        taken.add(shown)
        names.shown[name], names.roles[name] = shown, role
    return names


def _numbered(base: str, counts: dict[str, int], taken: set[str]) -> str:
    while True:
        counts[base] = counts.get(base, 0) + 1
        name = f"{base}{counts[base]}"
        if name not in taken:
            return name


class _Roles:
    def __init__(self, plan: Plan, inputs: Sequence[str]) -> None:
        self.plan, self.inputs = plan, set(inputs)
        self.found: dict[str, tuple[str, str]] = {}
        self.upstream = {name for name in inputs if name.startswith(UPSTREAM)}
        for name, term in plan.formulas.items():
            if self.upstream & set(uses(term)):
                self.upstream.add(name)

    def wishes(self) -> dict[str, tuple[str, str]]:
        """Return the wished name and the role of each line that has one."""
        for name, term in self.plan.formulas.items():
            bare = _bare(term)
            if isinstance(bare, Call) and bare.function == "softmax":
                self._wish(name, "a", "weights")
                self._scores(bare.arguments[0])
        for name, term in self.plan.formulas.items():
            self._contexts(name, term)
            bare = _bare(term)
            if isinstance(bare, Call) and bare.function == "attention":
                self._wish(name, "z", "output")
            elif isinstance(bare, Call) and bare.function == "log-sum-exp":
                self._wish(name, "ℓ", "log-sum-exp")
        self._gradients()
        for name, term in self.plan.formulas.items():
            bare = _bare(term)
            if name not in self.found and isinstance(bare, Call):
                role = PLAIN_ROLES.get(bare.function, "")
                product = _first_product(bare)
                if name in self.upstream:
                    role = "gradient"
                elif _has(term, "layer norm") or _has(term, "RMS norm"):
                    role = "norm"
                elif product is not None:
                    owners = {_owner(part) for part in product.arguments}
                    role = "projection" if owners & self.inputs else "product"
                if role:
                    self._wish(name, "t", role)
        return self.found

    def _wish(self, name: str, base: str, role: str) -> None:
        if name not in self.inputs:
            self.found.setdefault(name, (base, role))

    def _scores(self, term: Term) -> None:
        """Walk from the argument of a softmax to the product that the scores come from."""
        chain: list[tuple[str, str]] = []
        waiting = [term]
        while waiting:
            current = waiting.pop(0)
            if not isinstance(current, Use) or current.name not in self.plan.formulas:
                waiting += parts(current)
                continue
            inner = self.plan.formulas[current.name]
            product = _first_product(inner)
            if product is not None:
                self._wish(current.name, "s", "scores")
                self._operand(product.arguments[0], "q", "queries")
                self._operand(product.arguments[1], "k", "keys")
                break
            bare = _bare(inner)
            function = bare.function if isinstance(bare, Call) else ""
            capped = "capped" if _has(inner, "tanh") else ""
            chain.append((current.name, SCORE_ROLES.get(function, capped)))
            waiting = [inner]
        else:
            return
        for place, (name, role) in enumerate(reversed(chain), start=1):
            self._wish(name, "s" + PRIME * place, role)

    def _operand(self, term: Term, base: str, role: str) -> None:
        name = _owner(term)
        if name is None or name not in self.plan.formulas:
            return
        inner = self.plan.formulas[name]
        if _has(inner, "turned"):
            self._wish(name, base + PRIME, f"turned {role}")
            for part in _turned_arguments(inner):
                self._operand(part, base, role)
            return
        self._wish(name, base, role)

    def _contexts(self, name: str, term: Term) -> None:
        product = _first_product(term)
        if product is None:
            return
        left, right = product.arguments
        weights = _owner(left)
        if weights is None or self.found.get(weights, ("", ""))[1] != "weights":
            return
        moved = isinstance(left, View) and described(left.places, left.tensor.shape).transposed
        if moved:
            return
        self._wish(name, "z", "context vectors")
        self._operand(right, "v", "values")

    def _gradients(self) -> None:
        for name, term in self.plan.formulas.items():
            bare = _bare(term)
            if isinstance(bare, Call) and bare.function == "softmax gradient":
                weights, gradient = (_owner(part) for part in bare.arguments)
                made = self.plan.formulas.get(weights or "")
                softmax = None if made is None else _bare(made)
                scores = _owner(softmax.arguments[0]) if isinstance(softmax, Call) else None
                base = self.found.get(scores or "", ("s", ""))[0]
                self._wish(name, f"d{base}", "gradient")
                if gradient in self.plan.formulas:
                    self._wish(str(gradient), "da", "gradient")


UPSTREAM = "grad_output"
"""How the names of gradients that are given start; what is made of them is a gradient too."""

SCORE_ROLES = {"masked": "masked", "add": "biased"}
"""What happens to scores before their softmax."""

PLAIN_ROLES = {"softmax gradient": "gradient", "joined": "joined"}


def _bare(term: Term) -> Term:
    """Return what stands inside of factors and moves."""
    while isinstance(term, Scaled | View):
        term = term.tensor
    return term


def _owner(term: Term) -> str | None:
    bare = _bare(term)
    return bare.name if isinstance(bare, Use) else None


def _has(term: Term, function: str) -> bool:
    if isinstance(term, Call) and term.function == function:
        return True
    return any(_has(part, function) for part in parts(term))


def _first_product(term: Term) -> Call | None:
    """Return the matrix product that a line consists of, up to factors and what is added."""
    bare = _bare(term)
    if isinstance(bare, Call) and bare.function == "matmul":
        return bare
    if isinstance(bare, Call) and bare.function in ("add", "multiply", "tanh"):
        return next((p for part in bare.arguments if (p := _first_product(part))), None)
    return None


def _turned_arguments(term: Term) -> list[Term]:
    if isinstance(term, Call) and term.function == "turned":
        return list(term.arguments)
    return [found for part in parts(term) for found in _turned_arguments(part)]
