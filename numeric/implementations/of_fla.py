"""flash-linear-attention: the functions in plain torch that its kernels are tested against.

The package itself needs Triton; these files do not, and are run by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numeric.implementations.adapting import one_head, tokens_first
from numeric.implementations.implementation import Implementation, Program
from numeric.implementations.importing import file_of

PACKAGE = "fla-core"
SELF = {"n_q": 3}


def _function(place: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(file_of("fla", f"ops/{place}/naive.py"), name)
    return function


def _name(place: str, name: str) -> str:
    return f"fla.ops.{place.replace('/', '.')}.naive.{name}"


def _naive(
    key: str,
    place: str,
    name: str,
    call: str = "",
    *,
    heads: bool = True,
    more: Any = None,
    **options: Any,
) -> Implementation:
    """A function of (batch, tokens, heads, ...)."""

    def build() -> Program:
        function = _function(place, name)
        program = tokens_first(lambda *arrays: function(*arrays, **options))
        return program if heads else one_head(program)

    return Implementation(key, PACKAGE, _name(place, name), build, call, **(more or {}))


def _sinks() -> Program:
    function = _function("attn", "naive_parallel_attn")

    def attend(query: Any, key: Any, value: Any, sinks: Any) -> Any:
        return tokens_first(lambda *arrays: function(*arrays, causal=False, sink_bias=sinks))(
            query, key, value
        )

    return attend


def _forgetting() -> Program:
    function = _function("attn", "naive_parallel_attn")
    return tokens_first(lambda query, key, value, gates: function(query, key, value, g=gates))


def _retention() -> Program:
    """Its gates may differ from token to token; here they do not."""
    function = _function("simple_gla", "naive_parallel_simple_gla")

    def attend(query: Any, key: Any, value: Any, gates: Any) -> Any:
        return tokens_first(lambda *arrays: function(*arrays, scale=1))(
            query, key, value, gates[:, None].expand(-1, query.shape[1])
        )

    return attend


def _gated_linear() -> Program:
    function = _function("gla", "naive_recurrent_gla")

    def attend(query: Any, key: Any, value: Any, gates: Any) -> Any:
        return tokens_first(function)(query * query.shape[-1] ** 0.5, key, value, gates)

    return one_head(attend)


def _of_features() -> Program:
    function = _function("linear_attn", "naive_recurrent_linear_attn")

    def attend(value: Any, of_query: Any, of_key: Any) -> Any:
        return tokens_first(lambda *arrays: function(*arrays, normalize=True))(
            of_query, of_key, value
        )

    return one_head(attend)


FLA = (
    _naive("scaled-dot-product", "attn", "naive_parallel_attn", "causal=False",
           heads=False, causal=False, more={"sizes": SELF}),
    _naive("shifted-softmax", "attn", "naive_parallel_attn", "causal=False",
           heads=False, causal=False, more={"sizes": SELF}),
    _naive("causal", "attn", "naive_parallel_attn", heads=False, more={"sizes": SELF}),
    _naive("sliding-window", "attn", "naive_parallel_attn", "window_size=3", heads=False,
           window_size=3, more={"sizes": {"n_q": 5, "n": 5}}),
    Implementation("sink", PACKAGE, _name("attn", "naive_parallel_attn"), _sinks,
                   "causal=False, sink_bias=", sizes=SELF),
    Implementation("forgetting", PACKAGE, _name("attn", "naive_parallel_attn"), _forgetting,
                   "the logarithms of the gates as g"),
    _naive("forgetting", "forgetting_attn", "naive_forgetting_attn"),
    Implementation(
        "linear-causal", PACKAGE, _name("linear_attn", "naive_recurrent_linear_attn"),
        _of_features, "normalize=True", without=("features",),
        differs="it adds 1e-10 to each denominator",
    ),
    Implementation("retention", PACKAGE, _name("simple_gla", "naive_parallel_simple_gla"),
                   _retention, "scale=1, the same gate at each token"),
    _naive("state-space", "simple_gla", "naive_parallel_simple_gla", "scale=1", heads=False,
           scale=1),
    _naive("state-space", "simple_gla", "naive_recurrent_simple_gla", "scale=1", heads=False,
           scale=1),
    Implementation("gated-linear", PACKAGE, _name("gla", "naive_recurrent_gla"), _gated_linear,
                   "the queries times sqrt(d), by which it divides"),
)  # fmt: skip
