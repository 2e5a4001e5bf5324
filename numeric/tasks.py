"""Programs named by text, proved here or on any executor: a task holds nothing but plain data."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derive.errors import InputError
from derive.formula import FormulaError, Mechanism
from derive.options import Options
from derive.scaled_dot_product import FORMULAS
from derive.verdict import Report
from numeric.examples import input_tensors, plain_tensors

if TYPE_CHECKING:
    from numeric.capturing import Captured

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What ``derive prove`` is asked of one target; it travels to other processes as it is."""

    target: str
    formula: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    against: str | None = None
    sizes: tuple[tuple[str, int], ...] = ()
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    backward: bool = False
    fixed: tuple[str, ...] = ()
    other_shapes: bool = True
    boundaries: tuple[int, ...] = ()
    seed: int = 0
    dtypes: tuple[str, ...] = ()
    contract: str | None = None
    hidden_anything: bool = False


@dataclass(frozen=True)
class Subject:
    """A callable with its example inputs, if it brings any."""

    function: Any
    inputs: Any = None


def prove(task: Task, progress: Progress | None = None) -> Report:
    """Load what a task names, and verify it."""
    from numeric.verifying import verify

    subject = load(task.target)
    reference: Any = formula(task) if task.against is None else load(task.against).function
    inputs = subject.inputs
    if inputs is None:
        inputs = _inputs(task, reference)
    elif task.sizes or task.inputs:
        raise InputError(
            task.target, "", "it brings its own inputs", "leave out --shape and --input"
        )
    window = dict(task.options).get("window")
    return verify(
        subject.function,
        reference,
        inputs,
        backward=task.backward,
        fixed=task.fixed,
        other_shapes=task.other_shapes,
        boundaries=(*task.boundaries, *((window,) if window else ())),
        seed=task.seed,
        dtypes=task.dtypes,
        contract=task.contract,
        hidden_anything=task.hidden_anything,
        progress=progress,
    )


def captured(task: Task) -> Captured:
    """Load what a task names, and capture it at the task's shapes."""
    from numeric.capturing import capture

    with going_on(task.target):
        subject = load(task.target)
        inputs = subject.inputs if subject.inputs is not None else _inputs(task, None)
        return capture(subject.function, inputs, backward=task.backward, fixed=task.fixed)


@contextmanager
def going_on(target: str) -> Generator[None, None, None]:
    """Refuse a program that ends the process: it would end with a status of the program's own."""
    try:
        yield
    except SystemExit:
        raise InputError(target, "", "it ends the process", "leave out sys.exit") from None


def example_inputs(task: Task) -> Any:
    """Return example tensors of the shapes that a task names."""
    return _inputs(task, None if task.formula is None else formula(task))


def reports(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[str, Report | None, str]]:
    """Yield target and report of each task as it is done, or what was wrong with it.

    With an executor, such as that of a Dask client, tasks go to it; else to ``jobs`` processes.
    """
    tell = progress or (lambda _: None)
    if executor is None and jobs == 1:
        for task in tasks:
            yield (task.target, *_attempt(task, partial(_tell, tell, task.target)))
        return
    own = executor is None
    pool = executor or ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        waiting = {pool.submit(_attempt, task): task for task in tasks}
        tell(f"0 of {len(tasks)} done")
        for done, future in enumerate(as_completed(waiting), start=1):
            tell(f"{done} of {len(tasks)} done, last {waiting[future].target}")
            yield (waiting[future].target, *future.result())
    finally:
        if own:
            pool.shutdown(cancel_futures=True)


def _tell(tell: Progress, target: str, line: str) -> None:
    tell(f"{target}: {line}")


def _attempt(task: Task, progress: Progress | None = None) -> tuple[Report | None, str]:
    try:
        with going_on(task.target):
            return prove(task, progress), ""
    except InputError as error:
        return None, str(error)


def load(target: str) -> Subject:
    """Import ``package.module:callable`` or ``file.py:callable``.

    A function without arguments is called: it returns a module or function, with its example
    inputs as a tuple or dictionary beside it.

    Raises:
        InputError: There is no such thing; the line says what to write.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise InputError(target, "", "it names no callable", "write MODULE:CALLABLE")
    found: Any = _module(place, target)
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(target, part, "there is no such name", "look at its spelling")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(target, "", "it is not callable", "name a function, or a module's factory")
    return _made(found, target) if _is_factory(found) else Subject(found)


_loaded: dict[str, Any] = {}
"""Modules of files, by name: they stand in ``sys.modules``, and are not what an import finds."""


def _module(place: str, target: str) -> Any:
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        if place.endswith(".py"):
            return _file(Path(place), target)
        if place in _loaded and sys.modules.get(place) is _loaded[place]:
            del sys.modules[place]
        return importlib.import_module(place)
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(
            target, "", f"there is no module {error.name}", "install it, or look at its spelling"
        ) from None
    except Exception as error:
        # Whatever a stranger's module raises when it is imported, one line says so.
        raise InputError(
            target, "", f"importing it fails: {type(error).__name__}: {error}", "mend the module"
        ) from error


def _file(path: Path, target: str) -> Any:
    if not path.is_file():
        raise InputError(target, "", "there is no such file", "give the path of a Python file")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(target, "", "it is not a Python file", "give the path of one")
    module = importlib.util.module_from_spec(spec)
    # Some of Python finds a module by its name; one that can be imported under it goes before.
    if sys.modules.get(name) is _loaded.get(name):
        sys.modules[name] = _loaded[name] = module
    spec.loader.exec_module(module)
    return module


def _is_factory(found: Any) -> bool:
    if isinstance(found, type):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    return not any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    ) and not any(p.kind is p.VAR_POSITIONAL for p in parameters)


def _made(factory: Any, target: str) -> Subject:
    made = factory()
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]):
        inputs = made[1]
        return Subject(made[0], inputs if isinstance(inputs, tuple | list | dict) else (inputs,))
    raise InputError(
        target,
        "",
        "it takes no arguments and does not return a module and its inputs",
        "return (module, (tensor, ...)), or name a function of tensors",
    )


def formula(task: Task) -> Mechanism:
    """Return the formula that a task names, with its options."""
    name = task.formula or ""
    if name not in FORMULAS:
        raise InputError(
            "--formula", name, "there is no such formula", f"write one of {', '.join(FORMULAS)}"
        )
    if name != "scaled-dot-product":
        if task.options:
            option = task.options[0][0]
            raise InputError("--formula", name, f"it has no option {option}", "leave it out")
        return FORMULAS[name]()
    sizes = dict(task.sizes)
    leading = 2 if "batch" in sizes else 1 if "heads" in sizes or "kv_heads" in sizes else 0
    try:
        return FORMULAS[name](Options(leading=leading, **dict(_exact(task.options))))
    except FormulaError as error:
        raise InputError("--formula", name, str(error), "see 'derive prove --help'") from None


def _exact(options: Sequence[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    from fractions import Fraction

    from sympy import Rational

    for name, value in options:
        exact = isinstance(value, Fraction)
        yield name, Rational(value.numerator, value.denominator) if exact else value


def _inputs(task: Task, reference: Any) -> Any:
    if task.inputs:
        return plain_tensors(task.inputs)
    if not task.sizes:
        raise InputError(
            task.target,
            "",
            "nothing says how large its inputs are",
            "add --shape batch=1,heads=2,tokens=4,dim=4, or --input NAME=1x2x4x4 for each",
        )
    return input_tensors(dict(task.sizes), reference if isinstance(reference, Mechanism) else None)
