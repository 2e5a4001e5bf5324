"""x-transformers: its function of queries, keys and values, with softmax written out."""

from __future__ import annotations

from typing import Any

from numeric.implementations.adapting import batched
from numeric.implementations.implementation import Implementation, Program

NAME = "x_transformers.attend.Attend"


def _attend(
    key: str, call: str = "", *, heads: bool = True, more: Any = None, **options: Any
) -> Implementation:
    def build() -> Program:
        from x_transformers.attend import Attend

        own = Attend(**options).double().eval()
        return batched(lambda *arrays: own(*arrays), heads=heads)

    return Implementation(key, "x-transformers", NAME, build, call, **(more or {}))


X_TRANSFORMERS = (
    _attend("dot-product", "scale=1", heads=False, scale=1),
    _attend("scaled-dot-product", heads=False),
    _attend("causal", "causal=True", heads=False, causal=True),
)
