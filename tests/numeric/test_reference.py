from __future__ import annotations

import ast
import inspect
from collections.abc import Callable

import numpy
import pytest
import torch
from torch import Tensor

from derive.attention import RAW, SCALED, SOFTMAX, SUM_NORMALISED
from derive.examples import Example, load
from derive.formula import D, a, s, z
from derive.worked import Worked, work_out
from numeric import reference

FUNCTIONS = [
    function
    for _, function in inspect.getmembers(reference, inspect.isfunction)
    if function.__module__ == reference.__name__
]


@pytest.fixture(params=["jim-john", "journey"])
def example(request: pytest.FixtureRequest) -> Example:
    return load(request.param)


@pytest.fixture
def inputs(example: Example) -> Tensor:
    return torch.tensor(example.array(float).tolist(), dtype=torch.float64)


def close(found: Tensor, worked: Worked, base: object, row: int | None = None) -> None:
    expected = worked[base] if row is None else worked[base][row]  # type: ignore[index]
    numpy.testing.assert_allclose(
        found.numpy(), numpy.asarray(expected, dtype=object).astype(float), rtol=1e-14
    )


def test_one_query_step_by_step(example: Example, inputs: Tensor) -> None:
    for row, query in enumerate(inputs):
        scores = reference.scores_of_one_query(query, inputs)
        close(scores, work_out(example, RAW), s, row)
        close(reference.context_of_one_query(scores, inputs), work_out(example, RAW), z, row)

        by_sum = work_out(example, SUM_NORMALISED)
        close(reference.sum_of_scores(scores), by_sum, D, row)
        close(reference.normalised_by_sum(scores), by_sum, a, row)

        worked = work_out(example, SOFTMAX)
        close(reference.sum_of_exponentials(scores), worked, D, row)
        close(reference.softmax_by_hand(scores), worked, a, row)
        weights = reference.softmax_by_torch(scores)
        close(weights, worked, a, row)
        close(reference.context_of_one_query(weights, inputs), worked, z, row)

        scaled = reference.scaled_scores_of_one_query(query, inputs)
        close(scaled, work_out(example, SCALED), s, row)


def test_all_queries_at_once(example: Example, inputs: Tensor) -> None:
    worked = work_out(example, SOFTMAX)
    for scores in (reference.scores_of_all_pairs(inputs), reference.scores_by_matrix(inputs)):
        close(scores, worked, s)
        weights = reference.weights_by_matrix(scores)
        close(weights, worked, a)
        close(reference.contexts_by_matrix(weights, inputs), worked, z)
    close(reference.self_attention(inputs), worked, z)
    close(reference.attention(inputs, inputs, inputs), worked, z)


def test_queries_and_keys_are_told_apart() -> None:
    random = torch.Generator().manual_seed(0)
    queries, keys, values = (torch.randn(rows, 3, generator=random) for rows in (2, 5, 5))
    contexts = reference.attention(queries, keys, values)
    assert contexts.shape == (2, 3)
    for query, context in zip(queries, contexts, strict=True):
        weights = reference.softmax_by_torch(reference.scores_of_one_query(query, keys))
        torch.testing.assert_close(context, reference.context_of_one_query(weights, values))


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_results_have_the_type_of_the_inputs(
    function: Callable[..., Tensor], kind: torch.dtype
) -> None:
    shapes = {"query": (3,), "scores": (4, 4), "weights": (4,), "keys": (4, 3)}
    if function is reference.contexts_by_matrix:
        shapes["weights"] = (4, 4)
    arguments = [
        torch.ones(shapes.get(name, (4, 3)), dtype=kind)
        for name in inspect.signature(function).parameters
    ]
    assert function(*arguments).dtype == kind


def test_every_function_reads_on_its_own() -> None:
    tree = ast.parse(inspect.getsource(reference))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(functions) == len(FUNCTIONS)
    for node in functions:
        assert ast.get_docstring(node)
        assert not node.decorator_list
        assert (node.end_lineno or 0) - node.lineno < 12
