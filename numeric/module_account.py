"""Take a program's account: capture it, run it on an example, explain it, and compare it."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import numpy
import torch

from derive.errors import InputError
from derive.explaining import explain
from derive.module_account import ModuleAccount, staged
from numeric.capturing import capture, eager
from numeric.tasks import Task, example_inputs, going_on, load, prove
from numeric.verifying import versions

AGREES = 1e-9
"""Torch and the explanation may differ by so much, of 1 or of the largest result."""


def account(task: Task, progress: Callable[[str], None]) -> ModuleAccount:
    """Return what is known of the program that a task names; it is proved where a formula is named.

    The example has small numbers of one decimal, so that they can be followed by hand. Raises
    ``InputError`` for a program that cannot be captured, and where torch's own results differ from
    those of the explanation.
    """
    with going_on(task.target):
        return _account(task, progress)


def _account(task: Task, progress: Callable[[str], None]) -> ModuleAccount:
    progress("capturing the program")
    subject = load(task.target)
    inputs = subject.inputs if subject.inputs is not None else example_inputs(task)
    captured = capture(subject.function, inputs, backward=task.backward, fixed=task.fixed)
    progress("explaining it")
    explanation = explain(captured.graph, task.target)
    chance = random.Random(task.seed)
    example = {item.name: _small_numbers(item.type.shape, chance) for item in captured.graph.inputs}
    stages, results = staged(captured.graph, explanation, example)
    own = eager(
        subject.function,
        inputs,
        [torch.from_numpy(numbers) for numbers in example.values()],
        backward=task.backward,
        fixed=task.fixed,
    )
    difference = max(
        (_difference(ours, theirs.numpy()) for ours, theirs in zip(results, own, strict=True)),
        default=0.0,
    )
    if not difference <= AGREES:
        raise InputError(
            task.target,
            "",
            f"torch's own result differs from the explanation's by {difference:.1e}",
            "this is a defect of attention-derived; please tell how to reproduce it",
        )
    compared = task.formula is not None or task.against is not None
    return ModuleAccount(
        target=task.target,
        explanation=explanation,
        inputs=example,
        stages=stages,
        difference=difference,
        report=prove(task, progress) if compared else None,
        versions=versions(),
        source=_source(subject.function),
    )


def _small_numbers(shape: Any, chance: random.Random) -> Any:
    numbers = [chance.randint(-9, 9) / 10 for _ in range(int(numpy.prod(shape, dtype=int)))]
    return numpy.array(numbers, dtype=float).reshape(tuple(shape))


def _difference(ours: Any, theirs: Any) -> float:
    """Return the largest difference of two results, of 1 or of the largest number."""
    same = (ours == theirs) | (numpy.isnan(ours) & numpy.isnan(theirs))
    with numpy.errstate(invalid="ignore"):
        apart = numpy.where(same, 0.0, numpy.abs(ours - theirs))
    finite = numpy.abs(theirs[numpy.isfinite(theirs)])
    size = max(1.0, float(finite.max(initial=0.0)))
    return float(numpy.max(apart, initial=0.0)) / size


def _source(function: Any) -> str:
    try:
        return inspect.getsource(
            type(function) if isinstance(function, torch.nn.Module) else function
        )
    except (OSError, TypeError):
        return ""
