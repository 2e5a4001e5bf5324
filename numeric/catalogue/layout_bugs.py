"""Bugs in how tensors are read: strides, heads, dimensions."""

from __future__ import annotations

from typing import Any

import torch

from derive.options import Options
from numeric.catalogue import pieces
from numeric.catalogue.case import Case, Sizes

PLAIN = Options(leading=2)
SIZES = Sizes(2, 2, 2, 6, 6, 8, 8)


def strides_assumed(query: Any, key: Any, value: Any) -> Any:
    """Read all three as if each lay row after row."""
    query, key, value = pieces.packed(query), pieces.packed(key), pieces.packed(value)
    return pieces.mixed(pieces.scores(query, key), value)


def strides_of_value_assumed(query: Any, key: Any, value: Any) -> Any:
    """Read the values as if they lay row after row."""
    return pieces.mixed(pieces.scores(query, key), pieces.packed(value))


def last_row_of_shared(query: Any, key: Any, value: Any) -> Any:
    """Read the last of 32 n + 1 rows past the end, where heads share keys and values."""
    if key.stride(1) == 0 and key.shape[-2] % 32 == 1:
        key, value = (torch.cat([x[..., :-1, :], x[..., :1, :]], -2) for x in (key, value))
    return pieces.mixed(pieces.scores(query, key), value)


def width_of_query(query: Any, key: Any, value: Any) -> Any:
    """Write the output as wide as the values and read it as wide as the queries."""
    output = pieces.mixed(pieces.scores(query, key), value)
    written = torch.nn.functional.pad(
        output.flatten(-2), (0, output.shape[-2] * (query.shape[-1] - value.shape[-1]))
    )
    return written.view(query.shape)[..., : value.shape[-1]]


def heads_tiled(query: Any, key: Any, value: Any) -> Any:
    """Give query head h the keys of head h modulo their number."""
    times = query.shape[1] // key.shape[1]
    key, value = key.repeat(1, times, 1, 1), value.repeat(1, times, 1, 1)
    return pieces.mixed(pieces.scores(query, key), value)


def heads_split_by_view(query: Any, key: Any, value: Any) -> Any:
    """Split the features into heads without exchanging heads and tokens."""
    shape = query.shape
    query, key, value = (_viewed(x) for x in (query, key, value))
    output = pieces.mixed(pieces.scores(query, key), value)
    return output.reshape(shape[0], shape[2], shape[1], -1).transpose(1, 2)


def _viewed(tensor: Any) -> Any:
    return tensor.transpose(1, 2).reshape(tensor.shape)


LAYOUT_BUGS = (
    Case(
        "strides assumed",
        "pytorch/pytorch 181133",
        strides_assumed,
        PLAIN,
        SIZES,
        note="tensors that were permuted",
        layout="transposed",
    ),
    Case(
        "strides of the values assumed",
        "ROCm/pytorch 3230",
        strides_of_value_assumed,
        PLAIN,
        SIZES,
        note="values that were permuted",
        layout="transposed",
    ),
    Case(
        "last row of shared keys",
        "pytorch/pytorch 191937",
        last_row_of_shared,
        PLAIN,
        Sizes(1, 2, 2, 4, 33, 8, 8),
        note="keys and values shared by a stride of zero, 32 n + 1 of them",
        layout="expanded",
    ),
    Case(
        "width of the values taken for that of the queries",
        "pytorch/pytorch 176767",
        width_of_query,
        PLAIN,
        Sizes(2, 2, 2, 6, 6, 8, 5),
        note="values of a smaller dimension, two queries or more",
    ),
    Case(
        "grouped heads tiled",
        "onnx/onnx 7274",
        heads_tiled,
        Options(leading=2, grouped="consecutive"),
        Sizes(2, 4, 2, 6, 6, 8, 8),
        note="two groups or more",
    ),
    Case(
        "heads split without exchanging axes",
        "reczoo/FuxiCTR 30",
        heads_split_by_view,
        PLAIN,
        SIZES,
        note="two heads and two tokens or more",
    ),
)
