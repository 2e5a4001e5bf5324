"""Make torch compute attention as matrix products and a softmax, whatever the program chose.

A fused kernel would stay one opaque operation, and after decomposition its backward reads wrong
values without a word.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from threading import RLock
from typing import Any

from numeric.user_code import user_line

ONE_AT_A_TIME = RLock()
FLEX = "torch.nn.attention.flex_attention"
CAPTURE = tuple(
    os.path.join(os.path.dirname(__file__), name)
    for name in ("capturing.py", "plain_attention.py", "subject.py", "tracing.py")
)


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Run in float64, with every form of attention written out."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            float64(),
            sdpa_kernel(SDPBackend.MATH),
            torch.enable_grad(),
            _plain_flex(),
            _watcher()(),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep what running someone's program would change: warnings shown, random numbers drawn.

    What is compiled runs as it was written: a compiler that meets a trace would give up for good.

    One thread at a time: torch's tracing, its default type and its choice of kernels belong to the
    whole process.
    """
    import torch

    with (
        ONE_AT_A_TIME,
        torch.compiler.set_stance("force_eager"),
        _nested_traces(),
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
    ):
        warnings.simplefilter("ignore")
        yield


def _nested_traces() -> contextlib.AbstractContextManager[Any]:
    """Let a trace pass through a function that is compiled; without a compiler there is none."""
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None:
        return contextlib.nullcontext()
    patched: contextlib.AbstractContextManager[Any] = dynamo.config.patch(
        error_on_nested_fx_trace=False
    )
    return patched


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Let tensors that are made without a type be float64."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def forget_line() -> None:
    """Let the operations that follow be of no line: those of the backward program."""
    import torch.fx.traceback

    torch.fx.traceback.current_meta.pop("stack_trace", None)


@contextlib.contextmanager
def _plain_flex() -> Iterator[None]:
    """Exchange the kernel of ``flex_attention`` for torch's own statement of what it computes."""
    flex = sys.modules.get(FLEX)
    if flex is None:  # what is not imported is not called
        yield
        return
    from torch._higher_order_ops.flex_attention import math_attention

    changed: dict[str, Any] = {
        "flex_attention_hop": math_attention,
        "_validate_device": lambda *_: None,  # it refuses gradients on a CPU, for the kernel's sake
        "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG": True,
    }
    before = {name: getattr(flex, name) for name in changed}
    for name, value in changed.items():
        setattr(flex, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(flex, name, value)


@cache
def _watcher() -> Any:
    """Return the mode that notes the line of each call and keeps attention plain."""
    import torch
    import torch.fx.traceback
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.overrides import TorchFunctionMode

    attention = torch.nn.functional.scaled_dot_product_attention
    folder = os.path.dirname(torch.__file__)

    class Watcher(TorchFunctionMode):
        def __torch_function__(
            self,
            func: Any,
            types: Any,
            args: Any = (),
            kwargs: Any = None,
        ) -> Any:
            line = user_line(folder, CAPTURE)
            if line:
                torch.fx.traceback.current_meta["stack_trace"] = line
            if func is attention:
                # The program may have chosen a kernel of its own around this call.
                with sdpa_kernel(SDPBackend.MATH):
                    return func(*args, **(kwargs or {}))
            return func(*args, **(kwargs or {}))

    return Watcher
