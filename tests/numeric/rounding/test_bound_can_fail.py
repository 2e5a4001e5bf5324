"""Each term of the bound is needed: without it, some adversary exceeds what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy
import pytest
import torch
from sympy import Integer

from derive.options import Options
from numeric.precision import Precision
from numeric.rounding import backward, forward, scores
from numeric.rounding.contract import Contract, Stored
from numeric.rounding.problem import problem
from tests.numeric.rounding.adversary import Order, attack
from tests.numeric.rounding.cases import FINE, LONG, SHORT, SHORT_RANGE

FAR = Precision("far", 22, -400, 60)

PLAIN = Contract("plain", FINE, FINE, FINE, exp_ulp=0.0, tanh_ulp=0.0)
"""One precision for everything, and an exact exp: a mutation takes one term away."""


EAGER, PLAIN_OPTIONS = Order(), Options()


@dataclass(frozen=True)
class Mutation:
    """A term taken away, and where that shows.

    Attributes:
        patch: What takes the term away.
        contract: The contract whose bound lacks the term.
        order: The order of evaluation that needs it.
        options: Of the attention; ``sizes`` are n_q, n, d, d_v, query heads and key heads.
        inputs: Change the arrays drawn, and the upstream gradient.
        results: What must exceed the mutated bound.
    """

    patch: Callable[[pytest.MonkeyPatch], None]
    contract: Contract
    order: Order = EAGER
    options: Options = PLAIN_OPTIONS
    sizes: tuple[int, ...] = (3, 4, 2, 2, 1, 1)
    inputs: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None
    results: tuple[str, ...] = ("output",)


def worst(mutation: Mutation) -> dict[str, float]:
    """Return the largest ratio of each result over a few drawn inputs."""
    found: dict[str, float] = {}
    n_q, n, d, d_v, heads, kv_heads = mutation.sizes
    lead, kv_lead = ((heads,), (kv_heads,)) if mutation.options.leading else ((), ())
    for seed in range(4):
        random = numpy.random.default_rng(seed)
        arrays = {
            "query": random.standard_normal((*lead, n_q, d)),
            "key": random.standard_normal((*kv_lead, n, d)),
            "value": random.standard_normal((*kv_lead, n, d_v)),
            "upstream": random.standard_normal((*lead, n_q, d_v)),
        }
        if mutation.options.bias:
            arrays["bias"] = random.standard_normal((*lead, n_q, n))
        if mutation.inputs is not None:
            arrays.update(mutation.inputs(arrays))
        posed = problem(
            arrays["query"], arrays["key"], arrays["value"], mutation.options,
            bias=arrays.get("bias"),
        )  # fmt: skip
        upstream = arrays["upstream"].reshape(-1, n_q, d_v)
        order = replace(mutation.order, seed=seed)
        attacks = attack(posed, mutation.contract, order, upstream, seed=seed, targets=40)
        for name, one in attacks.items():
            found[name] = max(found.get(name, 0.0), one.ratio)
    return found


def term_left_out(module: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what puts ``value`` in the place of a function or a constant of a module."""
    return lambda monkeypatch: monkeypatch.setattr(module, name, value)


def contract_without(**fields: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Return what has both bounds computed for another contract."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (forward, backward):
            name = f"{module.__name__.split('.')[-1]}_bound"
            own = getattr(module, name)

            def bound(*given: Any, own: Any = own) -> Any:
                return own(*given[:-1], replace(given[-1], **fields))

            monkeypatch.setattr(f"numeric.rounding.judging.{name}", bound)

    return patch


def halved_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Contract.growth
    monkeypatch.setattr(Contract, "growth", lambda self, m, p: own(self, m, p) / 2)


def flat(size: float) -> Callable[[dict[str, Any]], Mapping[str, Any]]:
    """Return inputs whose scores are all equal, so that errors of scores do not count."""
    return lambda arrays: {
        "query": numpy.zeros_like(arrays["query"]),
        "value": numpy.full_like(arrays["value"], size),
    }


def wide_scores(arrays: dict[str, Any]) -> Mapping[str, Any]:
    return {"query": 3 * arrays["query"]}


def middle(arrays: dict[str, Any]) -> Mapping[str, Any]:
    """One key with no share in the error wins; the others lie far below, to both sides."""
    key = 1e-3 * arrays["key"]
    key[..., 0, :] = 40.0
    value = numpy.where(numpy.arange(key.shape[-2]) % 2, 1.0, -1.0)[:, None] + 0 * arrays["value"]
    value[..., 0, :] = 0.0
    return {"query": numpy.ones_like(arrays["query"]), "key": key, "value": value}


def at_right_angles(arrays: dict[str, Any]) -> Mapping[str, Any]:
    value = arrays["value"][..., :1] * numpy.array([1.0, 3.0])
    return {"value": value, "upstream": numpy.array([3.0, -1.0]) + 0 * arrays["upstream"]}


MUTATIONS = {
    "no error of the scores' sums": Mutation(
        term_left_out(scores, "compounded", lambda *_: 0.0), PLAIN, sizes=(2, 3, 6, 1, 1, 1),
        inputs=lambda a: {"query": 40 * abs(a["query"]), "key": 1 + 0.01 * a["key"]},
    ),
    "growth halved": Mutation(
        halved_growth, replace(PLAIN, exp_ulp=0.0), sizes=(2, 6, 1, 2, 1, 1), inputs=flat(1.0),
        results=("output",),
    ),
    "growth halved, gradients": Mutation(
        halved_growth, PLAIN, sizes=(40, 2, 1, 1, 1, 1),
        inputs=lambda a: {**flat(1.0)(a),
                             "upstream": 2.0 ** (-10 * (numpy.arange(40.0) > 0))[:, None]},
        results=("value",),
    ),
    "no copies of inputs": Mutation(
        contract_without(inputs=None), replace(PLAIN, inputs=Stored(SHORT)),
        results=("output", "query", "key", "value"),
    ),
    "no copies of scores": Mutation(
        contract_without(scores=None), replace(PLAIN, scores=Stored(SHORT)), inputs=wide_scores,
        results=("output", "query", "key", "value"),
    ),
    "no copies of weights": Mutation(
        contract_without(weights=None), replace(PLAIN, weights=Stored(SHORT)),
        results=("output", "query", "key", "value"),
    ),
    "no copies of scores' gradients": Mutation(
        contract_without(score_gradients=None), replace(PLAIN, score_gradients=Stored(SHORT)),
        results=("query", "key"),
    ),
    "output stored once, not twice": Mutation(
        contract_without(output_times=1), replace(PLAIN, output=SHORT, output_times=2),
        inputs=flat(1.0),
    ),
    "gradients stored once, not four times": Mutation(
        contract_without(gradient_times=1), replace(PLAIN, output=SHORT, gradient_times=4),
        results=("query", "key", "value"),
    ),
    "gradients stored whole, not in parts": Mutation(
        contract_without(gradient_block=None),
        replace(PLAIN, output=SHORT, gradient_block=1), sizes=(5, 5, 2, 2, 1, 1),
        results=("query", "key", "value"),
    ),
    "no error of exp": Mutation(
        contract_without(exp_ulp=0.0), replace(PLAIN, exp_ulp=16.0), results=("output", "value"),
    ),
    "one block": Mutation(
        contract_without(block=None), replace(PLAIN, block=1, exp_ulp=64.0),
        Order(softmax="online", row_sum="output"), sizes=(2, 6, 2, 1, 1, 1),
        inputs=lambda a: {"query": 1 + 0 * a["query"],
                             "key": numpy.arange(6.0)[:, None] / 8 + 0 * a["key"]},
    ),
    "exp is never lost": Mutation(
        contract_without(exp_floor=None), replace(PLAIN, exp_floor=-2.0), inputs=wide_scores,
        results=("output", "query", "key", "value"),
    ),
    "subnormal exp is never lost": Mutation(
        term_left_out(Contract, "exp_lost", 0.0),
        replace(PLAIN, softmax=Precision("near", 22, -26, 60)), inputs=wide_scores,
    ),
    "no error of tanh": Mutation(
        contract_without(tanh_ulp=0.0), replace(PLAIN, tanh_ulp=64.0),
        options=Options(soft_cap=Integer(2)), inputs=wide_scores,
    ),
    "the cap is flat": Mutation(
        term_left_out(scores, "_slope", lambda *_: 0.0), replace(PLAIN, scores=None),
        options=Options(soft_cap=Integer(50)), sizes=(2, 3, 6, 1, 1, 1),
        inputs=lambda a: {"query": 10 * abs(a["query"]), "key": 1 + 0.01 * a["key"]},
    ),
    "an exact slope of the cap": Mutation(
        lambda monkeypatch: monkeypatch.setattr(
            backward, "_through_cap",
            lambda exact, *given: (
                given[-1].score * (1 - exact.value**2), given[-1].score_error * (1 - exact.value**2)
            ),
        ),
        replace(PLAIN, tanh_ulp=64.0), options=Options(soft_cap=Integer(2)),
        inputs=lambda a: {"query": 8 * abs(a["query"])},
        results=("query", "key"),
    ),
    "no error of adding the bias": Mutation(
        term_left_out(scores, "unit", lambda _: 0.0), PLAIN, options=Options(bias=True),
        inputs=lambda a: {"query": 0 * a["query"], "bias": 300 + a["bias"]},
    ),
    "no distance from the largest score": Mutation(
        term_left_out(forward, "unit", lambda _: 0.0),
        replace(PLAIN, output=FAR, accumulation=FAR, softmax=FAR), sizes=(2, 5, 1, 1, 1, 1),
        inputs=middle,
    ),
    "no spread": Mutation(
        term_left_out(forward, "_grown", lambda _at, _exponent, upper: 0 * upper), PLAIN,
        inputs=wide_scores,
    ),
    "nothing but the spread": Mutation(
        term_left_out(forward, "_relative", lambda *_: 0.0), PLAIN, inputs=flat(1.0),
    ),
    "exact weights where the exponent is large": Mutation(
        term_left_out(forward, "_grown", lambda at, x, _: at.weights.magnitude * x.clip(0, 1)),
        replace(PLAIN, inputs=Stored(SHORT)), sizes=(1, 2, 2, 1, 1, 1),
        options=Options(scale=Integer(1)),
        inputs=lambda _: {"query": numpy.ones((1, 2)), "value": numpy.array([[0.0], [1.0]]),
                             "key": numpy.array([[5.0, 5.0], [320.0, -320.0]])},
    ),
    "nothing underflows": Mutation(
        term_left_out(forward, "stored_underflow", lambda _: 0.0),
        replace(PLAIN, weights=Stored(SHORT_RANGE)), sizes=(2, 3, 1, 1, 1, 1),
        inputs=lambda a: {"query": 1 + 0 * a["query"], "value": numpy.array([[0.0], [1], [1]]),
                             "key": numpy.array([[12.0], [0.0], [0.1]])},
    ),
    "stored gradients never underflow": Mutation(
        lambda monkeypatch: monkeypatch.setattr(Stored, "underflow", 0.0),
        replace(PLAIN, output=SHORT_RANGE, gradient_times=6),
        inputs=lambda a: {"upstream": 2.0**-16 * a["upstream"]},
        results=("query", "key", "value"),
    ),
    "row sums from the output": Mutation(
        contract_without(recomputes=False),
        replace(PLAIN, output=SHORT, recomputes=True),
        Order(softmax="eager", row_sum="output", anew=True), inputs=at_right_angles,
        results=("query", "key"),
    ),
    "nothing passes the maximum": Mutation(
        contract_without(differentiates_maximum=False),
        replace(PLAIN, differentiates_maximum=True, softmax=LONG),
        sizes=(2, 9, 1, 1, 1, 1),
        inputs=lambda a: {"query": 0 * a["query"] + 1, "upstream": 1 + 0 * a["upstream"],
                             "value": numpy.array([0.0, 1, -1, 1, -1, 1, -1, 1, -1])[:, None],
                             "key": 0.125 * (numpy.arange(9.0)[:, None] < 1)},
        results=("query", "key"),
    ),
    "heads that share are not added up": Mutation(
        lambda monkeypatch: monkeypatch.setattr(
            backward._Finish, "__call__",
            lambda self, *given, own=backward._Finish.__call__, **_: own(self, *given),
        ),
        replace(PLAIN, output=SHORT), options=Options(leading=1, grouped="consecutive"),
        sizes=(1, 2, 1, 1, 4, 1),
        inputs=lambda a: {"upstream": numpy.array([1.0, -1, 1, -1])[:, None, None],
                             "query": 0 * a["query"]},
        results=("value",),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_term_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation = MUTATIONS[name]
    whole = worst(mutation)
    assert max(whole.values()) <= 1, whole
    mutation.patch(monkeypatch)
    found = worst(mutation)
    for result in mutation.results:
        assert found[result] > 1, (result, found, whole)
