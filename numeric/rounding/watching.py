"""Infer a contract by watching a program run: which operations, on what, in which precision.

Each tensor that an operation returns gets a part to play, from those of its operands::

    input --matmul--> score --softmax, exp--> weight --matmul with an input--> output

Views change nothing; sums, products and casts keep the part, and count as a copy where the result
is stored in a precision below float32. A fused kernel is a blind spot: of those that are known, the
contract is stated in ``KERNELS``. Under a compiler the program is watched as it was written; what
the compiler makes of it rounds less often, not more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from typing import Any

from derive.errors import InputError
from numeric.precision import FLOAT32, FLOAT64, PRECISIONS, TFLOAT32, Precision
from numeric.rounding.contract import CONTRACTS, Contract, Stored, default
from numeric.user_code import user_line

CALLERS = tuple(
    os.path.join(os.path.dirname(__file__), name) for name in ("running.py", "assertion.py")
)
"""Modules that call a program to be watched: none of their lines is the program's."""

PARTS = ("", "input", "score", "weight", "output")
"""In order: what depends on several plays the latest part."""

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "matmul", "dot", "mv")
WEIGHING = ("_softmax", "_safe_softmax", "exp", "exp_", "exp2", "exp2_", "softmax")
MAXIMA = ("amax", "max", "maximum", "max.dim")
LOGARITHMS = ("log", "logsumexp", "_log_softmax", "log_softmax", "log1p", "log2")
VIEWS = ("view", "transpose", "expand", "permute", "slice", "select", "unsqueeze", "squeeze", "t",
         "detach", "alias", "_unsafe_view", "clone", "split", "unbind", "reshape", "index",
         "repeat", "cat", "contiguous", "as_strided", "masked_fill", "where", "unsafe_split",
         "copy_",
         "unfold", "diagonal", "stack", "repeat_interleave", "index_select", "gather")  # fmt: skip
"""Operations that copy numbers, round nothing, and are no copy below float32 of anything new."""

TENSOR_CORE = Precision("float32 in tensor cores", 22, -149, 128)
"""Tensor cores align and cut off before they add (Fasi, Higham, Mikaitis and Pranesh 2021,
doi 10.7717/peerj-cs.330). Stated, not measured here."""

GRADIENT_COPIES = 6
"""Copies in the backward pass are not counted: so many with torch's own softmax, one for each
operation that has a score or a weight, and for the sum over heads that share."""

KERNELS: dict[str, Callable[[str], Contract]] = {
    "_scaled_dot_product_flash_attention_for_cpu": lambda dtype: replace(
        CONTRACTS[f"{dtype} fused"], name=f"{dtype}, torch's fused CPU kernel", gradient_block=32
    ),
    **{
        name: lambda dtype: CONTRACTS[f"{dtype} fused"]
        for name in (
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
            "_scaled_dot_product_fused_attention_overrideable",
        )
    },
}
"""Fused kernels of torch by name. The CPU kernel adds gradients up in the type of its inputs, a
block of 32 queries or more at a time."""


UNRECOGNISED = "softmax was not recognised: the widest contract of this type is used"


@dataclass
class Copies:
    """How many results were stored, and how many numbers they held together."""

    results: int = 0
    elements: int = 0

    def times(self, whole: int) -> int:
        """How often each of ``whole`` numbers was stored, at most.

        In a loop over blocks each result holds a part. Blocks that are left out because nothing of
        them is seen are not more than half.
        """
        each = ceil(self.elements / whole)
        return min(self.results, each if each >= self.results else 2 * each + 1)


@dataclass
class Seen:
    """What was noted while a program ran."""

    dtypes: dict[str, dict[str, Copies]] = field(default_factory=dict)
    """What of each part was stored in each precision."""
    weighing: dict[str, str] = field(default_factory=dict)
    """Precision in which softmax or exp ran, with the line that asked for it."""
    blocks: list[int] = field(default_factory=list)
    maxima: int = 0
    logarithms: int = 0
    by_hand: bool = False
    kernel: str = ""


@dataclass(frozen=True)
class Inferred:
    """A contract, and what its reader should know about how it was found."""

    contract: Contract
    remarks: tuple[str, ...]
    recognised: bool = True


def inferred(run: Callable[[], Any], inputs: Sequence[Any]) -> Inferred:
    """Run a program, and return the contract that what it did amounts to."""
    import torch

    seen = Seen()
    # A compiler that meets a watcher would give up on the program for good.
    with torch.compiler.set_stance("force_eager"), _watcher()(seen, inputs):
        run()
    dtype = str(inputs[0].dtype).removeprefix("torch.")
    on_gpu = bool(inputs[0].is_cuda)
    if seen.kernel:
        contract = KERNELS[seen.kernel](dtype)
        remarks: tuple[str, ...] = (
            f"{seen.kernel} is one opaque operation: its contract is stated, not seen",
        )
        if contract.gradient_block is not None and dtype not in ("float32", "float64"):
            remarks += (f"this kernel adds gradients up in {dtype}, block by block",)
    elif not seen.dtypes.get("weight"):
        return Inferred(default(dtype), (UNRECOGNISED,), recognised=False)
    else:
        contract, remarks = _from(seen, dtype, inputs)
    if on_gpu and dtype == "float32" and _reduces_float32():
        contract = replace(contract, name=f"{contract.name}, TF32", inputs=Stored(TFLOAT32),
                           weights=Stored(TFLOAT32))  # fmt: skip
        remarks += ("matrix products may round their operands to TF32",)
    if on_gpu and (contract.inputs is not None or dtype in ("bfloat16", "float16")):
        contract = replace(contract, accumulation=TENSOR_CORE)
        remarks += ("tensor cores cut off what they align: sums are taken to have 22 bits",)
    return Inferred(contract, remarks)


def _from(seen: Seen, dtype: str, inputs: Sequence[Any]) -> tuple[Contract, tuple[str, ...]]:
    output = PRECISIONS[dtype]
    wide = FLOAT64 if dtype == "float64" else FLOAT32
    softmax, where = _softmax(seen, wide)
    remarks = []
    if softmax.bits < wide.bits:
        remarks.append(f"your softmax ran in {softmax.name} ({where})")
    query, key, value = inputs[:3]
    rows = query.numel() // query.shape[-1]
    whole = {"score": rows * key.shape[-2], "weight": rows * key.shape[-2]}
    whole["output"] = rows * value.shape[-1]
    whole["input"] = min(tensor.numel() for tensor in (query, key, value))
    stored = {part: _stored(seen, part, whole[part]) for part in PARTS[1:]}
    narrow = output.bits < FLOAT32.bits or any(stored.values())
    if dtype in ("float32", "float64"):
        for part, words in (("input", "inputs"), ("score", "scores"), ("weight", "weights")):
            found = stored[part]
            if found is not None and found.precision.bits < output.bits:
                remarks.append(f"{words} were rounded to {found.precision.name}")
    block = min(seen.blocks) if len(seen.blocks) > 1 else None
    lowest = min(
        (found.precision for found in stored.values() if found),
        key=lambda p: p.bits,
        default=output,
    )
    written = stored["output"]
    if written is not None and written.precision.bits < output.bits:
        remarks.append(f"the output was rounded to {written.precision.name}")
        output = written.precision
    copies = GRADIENT_COPIES
    if seen.by_hand:
        # One operation going forward is at most one copy on each way back.
        copies += sum(found.times for found in stored.values() if found is not None)
    contract = Contract(
        name=f"{dtype}, as watched",
        output=output,
        accumulation=wide,
        softmax=softmax,
        summation=wide,
        inputs=stored["input"],
        scores=stored["score"],
        weights=stored["weight"],
        score_gradients=Stored(lowest, copies) if narrow else None,
        output_times=written.times if written is not None else 1,
        gradient_times=copies if narrow else 1,
        gradients=Stored(PRECISIONS[dtype]) if output != PRECISIONS[dtype] else None,
        block=block,
        exp_ulp=2,
        in_parts=seen.by_hand or seen.maxima > 0 or seen.logarithms > 0,
        logarithmic=seen.logarithms > 0,
        differentiates_maximum=seen.maxima > 0,
    )
    return contract, tuple(remarks)


def _softmax(seen: Seen, wide: Precision) -> tuple[Precision, str]:
    """Return the narrowest precision in which exp ran; torch's own softmax widens 16 bits."""
    name = min(seen.weighing, key=lambda n: PRECISIONS[n].bits, default=wide.name)
    precision = PRECISIONS[name]
    return (precision if precision.bits <= wide.bits else wide), seen.weighing.get(name, "")


def _stored(seen: Seen, part: str, whole: int) -> Stored | None:
    narrow = {
        name: copies
        for name, copies in seen.dtypes.get(part, {}).items()
        if PRECISIONS[name].bits < FLOAT32.bits
    }
    if not narrow:
        return None
    lowest = min(narrow, key=lambda n: PRECISIONS[n].bits)
    return Stored(PRECISIONS[lowest], sum(copies.times(whole) for copies in narrow.values()))


def _reduces_float32() -> bool:
    import torch

    return torch.get_float32_matmul_precision() != "highest" or bool(
        torch.backends.cuda.matmul.allow_tf32
    )


@cache
def _watcher() -> Callable[[Seen, Sequence[Any]], AbstractContextManager[Any]]:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.weak import WeakTensorKeyDictionary

    folder = os.path.dirname(torch.__file__)

    class Watcher(TorchDispatchMode):
        def __init__(self, seen: Seen, inputs: Sequence[Any]) -> None:
            super().__init__()
            self.seen = seen
            self.parts: Any = WeakTensorKeyDictionary()
            for tensor in inputs:
                if isinstance(tensor, torch.Tensor):
                    self.parts[tensor] = "input"

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = func(*args, **(kwargs or {}))
            self.note(func, args, result)
            return result

        def note(self, func: Any, args: Any, result: Any) -> None:
            name = func.__name__.split(".")[0]
            operands = [self.parts.get(t, "") for t in _tensors(args)]
            part = max(operands, key=PARTS.index, default="")
            results = [t for t in _tensors(result) if t.is_floating_point()]
            if not part or not results:
                return
            if name in KERNELS:
                self.seen.kernel = name
            first = results[0]
            dtype = str(first.dtype).removeprefix("torch.")
            if dtype not in PRECISIONS:
                raise InputError(
                    dtype, name, "no contract is known for this type", "declare one with --contract"
                )
            if name in PRODUCTS:
                part = self.product(operands, first)
            elif name in WEIGHING and part == "score":
                part = "weight"
                self.weigh(name, dtype)
            elif name in MAXIMA and part == "score":
                self.seen.maxima += 1
            elif name in LOGARITHMS and part in ("score", "weight"):
                self.seen.logarithms += 1
                part = "score"
            for tensor in results:
                self.parts[tensor] = part
            if not self.copies(name, args, first):
                kept = self.seen.dtypes.setdefault(part, {}).setdefault(dtype, Copies())
                kept.results += 1
                kept.elements += first.numel()

        def product(self, operands: Sequence[str], result: Any) -> str:
            if "weight" in operands or "output" in operands:
                return "output"
            self.seen.blocks.append(int(result.shape[-1]))
            return "score"

        def weigh(self, name: str, dtype: str) -> None:
            self.seen.by_hand |= "softmax" not in name
            if "softmax" in name and PRECISIONS[dtype].bits < FLOAT32.bits:
                dtype = "float32"  # inside, torch's softmax computes in float32
            self.seen.weighing.setdefault(dtype, user_line(folder, CALLERS, (__file__,)) or name)

        def copies(self, name: str, args: Any, result: Any) -> bool:
            """Whether the operation rounds nothing: a view, or a cast to a wider type."""
            if name in VIEWS:
                return True
            if name in ("_to_copy", "to"):
                source = next(iter(_tensors(args)), None)
                return source is not None and _bits(source) <= _bits(result)
            return False

    def _tensors(values: Any) -> list[Any]:
        if isinstance(values, torch.Tensor):
            return [values]
        if isinstance(values, tuple | list):
            return [tensor for value in values for tensor in _tensors(value)]
        return []

    def _bits(tensor: Any) -> int:
        name = str(tensor.dtype).removeprefix("torch.")
        return PRECISIONS[name].bits if name in PRECISIONS else 0

    return Watcher
