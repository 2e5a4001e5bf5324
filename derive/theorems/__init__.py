"""Theorems about attention, each one small file: a statement, and a proof that pages show.

To add one, write a file beside the others and name it here. A theorem is proved when it is first
asked for: importing this package costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from derive.theorems.theorem import Theorem

_MODULES = (
    "dot_product_is_angle",
    "variance_of_a_score",
    "temperature_and_scale",
    "vectors_on_a_line",
    "causal_two_ways",
    "key_value_cache",
    "split_and_merge",
    "grouped_heads",
    "talking_heads_identity",
    "rotary_relative",
    "alibi_shift",
    "sink_as_a_key",
    "sigmoid_of_two",
    "linear_attention_recurrent",
    "retention_recurrent",
    "gated_recurrent",
    "latent_absorbed",
    "dropout_expectation",
    "softmax_backward",
    "gradients_by_hand",
    "row_sum_trick",
    "online_softmax",
    "log_sum_exp_merge",
    "tiled_backward",
)


class _Theorems(Mapping[str, Theorem]):
    """The theorems by name; the name is that of the module, with hyphens."""

    def __getitem__(self, name: str) -> Theorem:
        module = name.replace("-", "_")
        if module not in _MODULES or "_" in name:
            raise KeyError(name)
        found: Theorem = import_module(f"{__name__}.{module}").THEOREM
        return found

    def __iter__(self) -> Iterator[str]:
        return (module.replace("_", "-") for module in _MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


THEOREMS: Mapping[str, Theorem] = _Theorems()
"""Every theorem by its name, in the order in which pages list them."""
