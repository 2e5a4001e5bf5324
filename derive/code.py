"""Write a mechanism as array code, for NumPy or for torch, from its index form.

A sum of products becomes a matrix product or an ``einsum``, any other sum a reduction along an
axis, and arrays that lack an index are broadcast along it. A bracket such as [j <= i] becomes a
mask, an index in a value the array of its places, and rows that are counted in blocks a reshape.
The code that is printed is the code that ``function`` and ``result_function`` run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import ModuleType
from typing import Any

from sympy import Expr, Symbol

from derive.coding.pieces import DIALECTS
from derive.coding.scope import Scope, array_name
from derive.coding.size_lines import size_lines
from derive.coding.writer import ArrayWriter
from derive.formula import FormulaError, Mechanism, Stage
from derive.symbolic_shapes import lengths_in_letters, same_sizes

LONGEST_LINE = 92
"""How long a line of a function's body may be before it is broken."""


def source(
    mechanism: Mechanism, library: str, name: str = "attention", *, result_only: bool = False
) -> str:
    """Return the source of a function from the input arrays to every array, in order.

    With ``result_only`` it returns the last array alone. ``library`` is "numpy" or "torch".
    """
    inputs = ", ".join(map(array_name, mechanism.inputs))
    outputs = ", ".join(array_name(stage.array) for stage in mechanism.stages)
    if result_only:
        outputs = array_name(mechanism.stages[-1].array)
    elif len(mechanism.stages) == 1:
        outputs = f"({outputs},)"
    body = [*_lines(mechanism, library), f"return {outputs}"]
    return "\n".join([f"def {name}({inputs}):", *map(_indented, body)]) + "\n"


def line(stage: Stage, library: str) -> str:
    """Return the one line of code that computes a stage."""
    names = sorted(map(array_name, stage.reads))
    scope = Scope(None, (), frozenset(), frozenset(names))
    writer = ArrayWriter(DIALECTS[library], scope, names[0] if names else "")
    return f"{array_name(stage.array)} = {writer.stage(stage)}"


def function(mechanism: Mechanism, library: ModuleType) -> Callable[..., dict[str, Any]]:
    """Return the generated code as a function from input arrays by name to all arrays by name.

    ``library`` is the module ``numpy`` or ``torch``, whose arrays the function takes.
    """
    compute = _run(mechanism, library, source(mechanism, library.__name__))
    names = [str(base) for base in mechanism.inputs]
    targets = [str(stage.array) for stage in mechanism.stages]

    def attention(**inputs: Any) -> dict[str, Any]:
        if set(inputs) != set(names):
            raise TypeError(f"{mechanism.title} takes {', '.join(names)}")
        arrays = compute(*(inputs[name] for name in names))
        return dict(zip(targets, arrays, strict=True))

    return attention


def result_function(mechanism: Mechanism, library: ModuleType) -> Callable[..., Any]:
    """Return the generated code as a function from input arrays, in order, to the last array."""
    return _run(mechanism, library, source(mechanism, library.__name__, result_only=True))


def _run(mechanism: Mechanism, library: ModuleType, text: str) -> Callable[..., Any]:
    namespace: dict[str, Any] = {library.__name__: library}
    exec(compile(text, f"<{mechanism.title}>", "exec"), namespace)  # noqa: S102 - our own formulas
    found: Callable[..., Any] = namespace["attention"]
    return found


def _lines(mechanism: Mechanism, library: str) -> list[str]:
    """Return the lines of the function: sizes, places, masks, then one line for each stage."""
    dialect, same = DIALECTS[library], same_sizes(mechanism)
    stages = [Stage(s.target, s.value.xreplace(same), s.shape) for s in mechanism.stages]
    first = array_name(mechanism.inputs[0])
    scope = Scope(
        lengths_in_letters(mechanism),
        mechanism.relations,
        mechanism.indicators,
        _names(mechanism) | {library},
    )
    writer = ArrayWriter(dialect, scope, first)
    for stage in stages:
        writer.stage(stage)
    # Which masks are worth a name is known once all stages are written.
    scope.name_masks()
    lines = [f"{array_name(stage.array)} = {writer.stage(stage)}" for stage in stages]
    where = f", device={first}.device" if library == "torch" else ""
    places = defaultdict[Expr, list[str]](list)
    for (_, length), name in sorted(scope.positions.items(), key=str):
        places[length].append(name)
    masks = [f"{name} = {text}" for (text, _), name in scope.masks.items()]
    positions = [
        f"{' = '.join(names)} = {library}.arange(1, {writer.number(length + 1).text}{where})"
        for length, names in places.items()
    ]
    sizes = size_lines(mechanism, scope.sizes, array_name, writer.number)
    return [*sizes, *positions, *masks, *lines]


def _indented(line: str) -> str:
    """Return a line of the function's body; a long sum has a line for each term."""
    if len(line) <= LONGEST_LINE:
        return f"    {line}"
    target, _, value = line.partition(" = ")
    terms, depth = [""], 0
    for word in value.split(" "):
        if depth == 0 and word in ("+", "-"):
            terms.append(word)
        else:
            terms[-1] += f" {word}" if terms[-1] else word
        depth += sum(map(word.count, "([")) - sum(map(word.count, ")]"))
    if len(terms) == 1:
        return f"    {line}"
    return "\n".join([f"    {target} = (", *(f"        {term}" for term in terms), "    )"])


def _names(mechanism: Mechanism) -> frozenset[str]:
    """Return the names of all arrays and sizes, which must differ."""
    arrays = [*mechanism.inputs, *(stage.array for stage in mechanism.stages)]
    lengths = [size for base in mechanism.inputs for size in mechanism.shapes[base]]
    lengths += [size for pair in mechanism.relations for size in pair]
    sizes = {size.name for size in set[Symbol]().union(*(t.free_symbols for t in lengths))}
    both = sizes & set(map(array_name, arrays))
    if both:
        raise FormulaError(f"{mechanism.title}: {min(both)} is an array and a size; rename one")
    return frozenset(sizes).union(map(array_name, arrays))
