"""llms-from-scratch: the modules of the book's chapters. Their tokenizer is not needed."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from numeric.implementations.adapting import NO_PROJECTIONS, Adapted, in_columns, with_parameters
from numeric.implementations.implementation import Implementation, Program
from numeric.implementations.importing import standing_in

PACKAGE = "llms-from-scratch"
WEIGHTS = ("W_query", "W_key", "W_value")


def _chapter(name: str) -> Any:
    with standing_in("tiktoken.load"):
        return importlib.import_module(f"llms_from_scratch.{name}")


def _plain() -> Program:
    module = in_columns(_chapter("ch03").SelfAttention_v2(2, 2), dict.fromkeys(WEIGHTS, 2))

    def attend(*arrays: Any) -> Any:
        return module(torch.cat(arrays, -1))

    return attend


def _first_version() -> Program:
    """Its parameters are the matrices as they stand beside the tokens."""

    def attend(module: Any, x: Any, *weights: Any) -> Any:
        parameters = {name: w.T for name, w in zip(WEIGHTS, weights, strict=True)}
        return with_parameters(module, parameters, x)

    return Adapted(_chapter("ch03").SelfAttention_v1(3, 2).double().eval(), attend)


def _second_version() -> Program:
    def attend(module: Any, x: Any, *weights: Any) -> Any:
        parameters = {f"{name}.weight": w for name, w in zip(WEIGHTS, weights, strict=True)}
        return with_parameters(module, parameters, x)

    return Adapted(_chapter("ch03").SelfAttention_v2(3, 2).double().eval(), attend)


def _causal() -> Program:
    module = in_columns(_chapter("ch03").CausalAttention(2, 2, 3, 0.0), dict.fromkeys(WEIGHTS, 2))

    def attend(*arrays: Any) -> Any:
        return module(torch.cat(arrays, -1)[None])[0]

    return attend


def _unturned(tokens: int, dimensions: int) -> tuple[Any, Any]:
    """Return cosines of one and sines of zero: each token stays as it is."""
    table = torch.ones(tokens, dimensions, dtype=torch.float64)
    return table, torch.zeros_like(table)


def _grouped() -> Program:
    module = _chapter("llama3").GroupedQueryAttention(4, 8, 4, 2).double().eval()

    def attend(module: Any, x: Any, *weights: Any) -> Any:
        names = (*WEIGHTS, "out_proj")
        parameters = {f"{n}.weight": w for n, w in zip(names, weights, strict=True)}
        nothing_hidden = torch.zeros(2, 2, dtype=torch.bool)
        return with_parameters(module, parameters, x[None], nothing_hidden, *_unturned(2, 2))[0]

    return Adapted(module, attend)


def _turned() -> Program:
    """One head, in one group of keys; the mask hides nothing."""
    module = _chapter("llama3").GroupedQueryAttention(4, 4, 1, 1)
    in_columns(module, dict.fromkeys(WEIGHTS, 4), "out_proj")

    def attend(query: Any, key: Any, value: Any, cosine: Any, sine: Any) -> Any:
        tables = (torch.cat([table, table], -1) for table in (cosine, sine))
        nothing_hidden = torch.zeros(3, 3, dtype=torch.bool)
        return module(torch.cat([query, key, value], -1)[None], nothing_hidden, *tables)[0]

    return attend


LLMS_FROM_SCRATCH = (
    Implementation("projected", PACKAGE, "llms_from_scratch.ch03.SelfAttention_v1",
                   _first_version),
    Implementation("projected", PACKAGE, "llms_from_scratch.ch03.SelfAttention_v2",
                   _second_version),
    Implementation("scaled-dot-product", PACKAGE, "llms_from_scratch.ch03.SelfAttention_v2",
                   _plain, NO_PROJECTIONS, sizes={"n_q": 3}),
    Implementation("causal", PACKAGE, "llms_from_scratch.ch03.CausalAttention", _causal,
                   NO_PROJECTIONS, sizes={"n_q": 3}),
    Implementation(
        "grouped-query", PACKAGE, "llms_from_scratch.llama3.GroupedQueryAttention", _grouped,
        "a mask that hides nothing, cosines one and sines zero",
        sizes={"n": 2, "d_e": 4, "d_f": 8},
    ),
    Implementation(
        "rotary-halves", PACKAGE, "llms_from_scratch.llama3.GroupedQueryAttention", _turned,
        f"a mask that hides nothing; {NO_PROJECTIONS}", without=("angles",),
        sizes={"d": 4, "d_v": 4},
    ),
)  # fmt: skip
