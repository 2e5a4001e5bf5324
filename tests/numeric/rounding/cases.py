"""Problems, contracts of few bits, and orders of evaluation for the adversary, from seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy
import torch
from sympy import Integer, Rational

from derive.options import Options
from numeric.precision import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TFLOAT32, Precision
from numeric.rounding.contract import CONTRACTS, Contract, Stored
from numeric.rounding.designed import Shapes, designed, families
from numeric.rounding.problem import Problem, problem
from tests.numeric.rounding.adversary import Order

WIDE = Precision("wide", 12, -90, 90)
LONG = Precision("long", 10, -60, 60)
FINE = Precision("fine", 22, -60, 60)
SHORT = Precision("short", 7, -40, 60)
SHORT_RANGE = Precision("short range", 8, -18, 30)

SHORTER = {FLOAT64: WIDE, FLOAT32: LONG, TFLOAT32: SHORT, BFLOAT16: SHORT, FLOAT16: SHORT_RANGE}
"""What stands for each precision: few bits, so that float64 can play the exact number."""


def shortened(contract: Contract, long: Precision = LONG) -> Contract:
    """Return a contract with short precisions, short blocks, and a near floor of exp."""
    shorter = {**SHORTER, FLOAT32: long}

    def stored(one: Stored | None) -> Stored | None:
        return None if one is None else Stored(shorter[one.precision], one.times)

    return replace(
        contract,
        output=shorter[contract.output],
        accumulation=shorter[contract.accumulation],
        softmax=shorter[contract.softmax],
        summation=None if contract.summation is None else shorter[contract.summation],
        inputs=stored(contract.inputs),
        scores=stored(contract.scores),
        weights=stored(contract.weights),
        score_gradients=stored(contract.score_gradients),
        block=None if contract.block is None else 2,
        exp_floor=None if contract.exp_floor is None else -8.0,
        gradient_block=None if contract.gradient_block is None else 2,
    )


@dataclass(frozen=True, eq=False)
class Case:
    """What one seed stands for."""

    seed: int
    words: str
    problem: Problem
    contract: Contract
    upstream: Any
    order: Order


def contracts() -> dict[str, Contract]:
    """Return the presets in short precisions, and contracts as they are watched."""
    found = {name: shortened(contract) for name, contract in CONTRACTS.items()}
    for name, contract in CONTRACTS.items():
        if contract.accumulation is FLOAT32:
            found[f"{name}, fine sums"] = shortened(contract, FINE)
    found["watched"] = replace(
        found["float16 eager, fine sums"], inputs=None, gradient_times=6,
        score_gradients=Stored(SHORT_RANGE, 6), differentiates_maximum=True, in_parts=True,
    )  # fmt: skip
    found["inputs twice, fine sums"] = replace(found["watched"], inputs=Stored(SHORT_RANGE, 2))
    found["float16 fused, in blocks"] = replace(found["float16 fused"], gradient_block=2)
    found["long, online"] = replace(found["float32"], block=2, in_parts=True)
    found["softmax narrow"] = replace(
        found["bfloat16 eager"], softmax=SHORT, summation=LONG, inputs=None,
        score_gradients=Stored(SHORT, 6), gradient_times=6, differentiates_maximum=True,
        in_parts=True,
    )  # fmt: skip
    found["logarithmic"] = replace(found["float32"], logarithmic=True)
    found["inputs twice"] = replace(found["float16 eager"], inputs=Stored(SHORT_RANGE, 2))
    found["plain storage"] = replace(
        found["float16 eager"], inputs=None, scores=Stored(SHORT_RANGE), weights=None,
        score_gradients=None, gradient_times=1, output_times=1, differentiates_maximum=True,
    )  # fmt: skip
    return found


def options(random: Any, leading: int) -> Options:
    """Draw options that make sense together."""
    causal = random.choice([None, None, "top-left", "bottom-right"])
    return Options(
        scale=random.choice([None, Integer(1), Rational(1, 8), Integer(3)]),
        causal=causal,
        window=int(random.integers(1, 4)) if causal and random.random() < 0.3 else None,
        soft_cap=random.choice([None, None, Integer(1), Integer(5)]),
        bias=bool(random.random() < 0.3),
        mask=bool(random.random() < 0.3),
        empty_rows=random.choice(["undefined", "zero", "uniform"]),
        leading=leading,
        grouped=random.choice(["consecutive", "interleaved"]) if leading else None,
    )


def order(random: Any, contract: Contract) -> Order:
    """Draw an order of evaluation that keeps the contract."""
    kinds = ["eager"]
    anew = contract.recomputes and random.random() < 0.7
    if contract.in_parts or anew:
        kinds.append("deferred")
        if contract.block is not None:
            kinds += ["online", "online", "split"]
    if contract.logarithmic:
        kinds.append("logarithmic")
    softmax = str(random.choice(kinds))
    return Order(
        scaled=str(random.choice(["scores", "query", "both"])),
        softmax=softmax,
        row_sum="output" if anew or softmax in APART else "weights",
        anew=bool(anew),
        base_two=bool(random.random() < 0.25),
        fused=bool(random.random() < 0.3),
        scale_first=bool(random.random() < 0.5),
        narrow_accumulator=softmax == "deferred" and contract.output_times > 1,
        narrow_shift=contract.scores is not None
        and contract.in_parts
        and bool(random.random() < 0.3),
        seed=int(random.integers(1 << 30)),
    )


def _cancelling_gradient(arrays: dict[str, Any], upstream: Any, random: Any) -> Any:
    """Upstream gradients at right angles to every value: row sums are zero exactly."""
    value = arrays["value"]
    value[...] = value[..., :1] * numpy.array([1.0, 3.0, 5.0])[: value.shape[-1]]
    given = numpy.array([[0.0], [3.0, -1.0], [1.0, 3.0, -2.0]][value.shape[-1] - 1])
    return numpy.broadcast_to(given * float(random.choice([1.0, 8.0])), upstream.shape) + 0.0


def _middle_key(arrays: dict[str, Any], upstream: Any, random: Any) -> Any:
    """The key that wins has a value in the middle; the others' values pull to both sides."""
    value = arrays["value"]
    value[...] = numpy.where(numpy.arange(value.shape[-2]) % 2, 1.0, -1.0)[:, None]
    value[..., 0, :] = 0.0
    arrays["query"][...] = 1.0
    arrays["key"][...] = random.uniform(-0.2, 0.2, arrays["key"].shape)
    arrays["key"][..., 0, :] = float(random.uniform(1.0, 8.0)) / arrays["key"].shape[-1]
    return upstream


def _far_apart(arrays: dict[str, Any], upstream: Any, random: Any) -> Any:
    """Queries and keys, or keys and gradients, at opposite ends of the range."""
    power = int(random.integers(10, 40))
    one, other = random.permutation(["query", "key", "upstream"])[:2]
    for name, sign in ((one, 1), (other, -1)):
        if name == "upstream":
            upstream = upstream * 2.0 ** (sign * power)
        else:
            arrays[name] = arrays[name] * 2.0 ** (sign * power)
    return upstream


def _unit_values(arrays: dict[str, Any], upstream: Any, random: Any) -> Any:
    """Equal scores and gradients of weights that nearly cancel."""
    arrays["query"][...] = 0.0
    arrays["value"][...] = random.choice([-1.0, 0.0, 1.0], arrays["value"].shape)
    return numpy.ones_like(upstream)


APART = ("deferred", "online", "split")
"""Orders in which the division comes last: gradients have their row sums from the output."""

DIRECTED = (_cancelling_gradient, _middle_key, _far_apart, _unit_values)


def case(seed: int) -> Case:
    """Return the case of this seed."""
    random = numpy.random.default_rng([17, seed])
    n_q, n, d, d_v = (int(random.integers(1, top + 1)) for top in (5, 6, 4, 3))
    if random.random() < 0.5:
        n_q = n
    leading = int(random.integers(0, 2))
    heads, kv_heads = (1, 1)
    if leading:
        kv_heads = int(random.integers(1, 3))
        heads = kv_heads * int(random.integers(1, 3))
    chosen = options(random, leading)
    name = str(random.choice(list(contracts())))
    contract = contracts()[name]
    lead, kv_lead = ((heads,), (kv_heads,)) if leading else ((), ())
    scores = (*lead, n_q, n)
    own = lambda: tuple(scores[int(random.integers(0, len(scores) - 1)) :])  # noqa: E731
    shapes = Shapes(
        (*lead, n_q, d),
        (*kv_lead, n, d),
        (*kv_lead, n, d_v),
        own() if chosen.bias else None,
        own() if chosen.mask else None,
    )
    family = str(random.choice(families()))
    drawn = next(iter(designed(shapes, chosen, torch.float64, seed=seed, only=(family,))))
    arrays = dict(drawn.arrays)
    upstream = drawn.upstream
    directed = None
    if random.random() < 0.5:
        directed = DIRECTED[int(random.integers(len(DIRECTED)))]
        upstream = directed(arrays, upstream, random)
    magnify = directed is None and random.random() < 0.25
    if magnify:
        for key in ("query", "key", "value"):
            arrays[key] = arrays[key] * 2.0 ** int(random.integers(-16, 9))
        upstream = upstream * 2.0 ** int(random.integers(-16, 9))
    posed = problem(
        arrays["query"], arrays["key"], arrays["value"], chosen,
        bias=arrays.get("bias"), mask=arrays.get("mask"),
    )  # fmt: skip
    taken = order(random, contract)
    how = "magnified" if magnify else directed.__name__ if directed else "as drawn"
    words = f"seed {seed}: {name}, {family}, {how}, {shapes}, {chosen}"
    flat = upstream.reshape(len(posed.query), n_q, d_v)
    return Case(seed, words, posed, contract, flat, taken)
