"""Certificates that were changed: refused, or what they state is still true.

Which of the two is decided without the checker: an accepted certificate's programs are evaluated
at random inputs in floating point, and both sides of every pair must agree. A change can be
harmless because it renames an input or a label, reorders what may stand in any order, changes both
programs alike below a part that the proof leaves unopened, or states another true theorem.
"""

from __future__ import annotations

import ast
import copy
import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import derive.rechecking
from derive.exact.certificate import Certificate
from derive.exact.prover import Proof, prove
from derive.rechecking import Refused, recheck
from derive.straight_line import Variable
from tests.exact import programs
from tests.exact.programs import Claim, Program, pairs

Data = dict[str, Any]


def certified(build: Callable[[Program], Claim]) -> Data:
    program = Program()
    proof = prove(program.recorder, build(program))
    assert isinstance(proof, Proof)
    data: Data = json.loads(proof.certificate.to_json())
    recheck(json.dumps(data))
    return data


def online(program: Program) -> Claim:
    inputs = program.inputs(2, 2)
    return pairs(programs.naive(program, inputs), programs.online(program, inputs, block=1))


def uncut(program: Program) -> Claim:
    """Scores that the two sides compute differently, so that nothing is cut."""
    inputs, record = program.inputs(2, 1), program.recorder
    two = program.number(2)
    naive = programs.naive(program, inputs, scale=record.multiply(two, two))
    score = program.product(program.times(inputs.query, two), program.times(inputs.key, two).T)
    weight = programs.weights(program, score, shifted=True)
    return pairs(naive[:1], [program.product(weight, inputs.value)])


def mixed(program: Program) -> Claim:
    """A square root, a prime root, a reciprocal, a logarithm and an opened function."""
    record = program.recorder
    x, y = record.variable("x"), record.variable("y")
    below = record.add(record.multiply(x, x), record.multiply(y, y), record.one)
    norm = record.square_root(below)
    cap = programs.hyperbolic(program, "sinh / cosh", x)
    scaled = record.multiply(record.root(programs.Fraction(2), 2), norm)
    half = record.exponential(record.logarithm(record.add(record.exponential(y), record.one)))
    return [
        (record.multiply(scaled, scaled), record.multiply(program.number(2), below), "square"),
        (record.inverse(norm), record.multiply(norm, record.inverse(below)), "inverse"),
        (cap, record.apply("tanh", x), "tanh"),
        (half, record.add(record.exponential(y), record.one), "log"),
    ]


def changes(data: Data) -> Iterator[tuple[str, Data]]:
    """Yield every single change: numbers, names, and what is left out, doubled or swapped."""

    def places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        items: Any = ()
        if isinstance(node, dict):
            items = node.items()
        elif isinstance(node, list):
            items = enumerate(node)
        for key, value in items:
            yield (*path, key)
            yield from places(value, (*path, key))

    def edited(path: tuple[Any, ...], change: Callable[[Any, Any], object]) -> Data:
        changed = copy.deepcopy(data)
        parent: Any = changed
        for key in path[:-1]:
            parent = parent[key]
        change(parent, path[-1])
        return changed

    def put(value: Any) -> Callable[[Any, Any], object]:
        return lambda parent, key: parent.__setitem__(key, value)

    def swap(parent: Any, key: Any) -> None:
        parent[key - 1], parent[key] = parent[key], parent[key - 1]

    for path in places(data, ()):
        value: Any = data
        for key in path:
            value = value[key]
        where = "/".join(map(str, path))
        if type(value) is int:
            for other in {value + 1, value - 1, -value} - {value}:
                yield f"{where}: {value} to {other}", edited(path, put(other))
        if type(value) is str:
            yield f"{where}: renamed", edited(path, put(value + "'"))
        yield f"{where}: left out", edited(path, lambda parent, key: parent.pop(key))
        if isinstance(path[-1], int):
            yield (
                f"{where}: doubled",
                edited(path, lambda parent, key: parent.insert(key, copy.deepcopy(parent[key]))),
            )
            if path[-1]:
                yield f"{where}: swapped", edited(path, swap)


def holds(data: Data, trials: int = 3) -> bool:
    """Return whether both sides of each pair agree at random inputs, wherever defined."""
    certificate = Certificate.from_json(json.dumps(data))
    names = [each.name for each in certificate.instructions if isinstance(each, Variable)]
    tried = 0
    for seed in range(50 * trials):
        source = random.Random(seed)
        inputs = {name: source.uniform(-1.5, 1.5) for name in names}
        try:
            values = programs.evaluate(certificate.instructions, inputs)
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
        tried += 1
        for pair in certificate.pairs:
            left, right = values[pair.left], values[pair.right]
            if not math.isclose(left, right, rel_tol=1e-7, abs_tol=1e-9):
                return False
        if tried == trials:
            return True
    return tried > 0


@pytest.mark.parametrize("build", [online, uncut, mixed])
@pytest.mark.slow
def test_whatever_is_accepted_after_one_change_is_true(build: Callable[[Program], Claim]) -> None:
    data = certified(build)
    count, accepted = 0, 0
    for change, changed in changes(data):
        count += 1
        try:
            recheck(json.dumps(changed))
        except Refused:
            continue
        accepted += 1
        assert holds(changed), change
    assert count > 300
    assert accepted < count / 10


def test_the_judge_of_changes_can_fail() -> None:
    data = certified(online)
    left, right = data["pairs"][0], data["pairs"][1]
    left[1], right[1] = right[1], left[1]
    assert not holds(data)
    with pytest.raises(Refused, match="come out different"):
        recheck(json.dumps(data))


@pytest.mark.parametrize("key", ["definitions", "vectors"])
@pytest.mark.parametrize("build", [online, uncut, mixed])
def test_no_definition_and_no_vector_can_be_left_out(
    build: Callable[[Program], Claim], key: str
) -> None:
    data = certified(build)
    for place in range(len(data[key])):
        changed = copy.deepcopy(data)
        del changed[key][place]
        with pytest.raises(Refused):
            recheck(json.dumps(changed))


FORMAT = "attention-derived exact proof, version 1"


def text(
    instructions: list[Any],
    pairs: list[Any],
    definitions: list[Any],
    vectors: list[Any] | None = None,
    expanded: list[str] | None = None,
) -> str:
    return json.dumps(
        {
            "format": FORMAT,
            "instructions": instructions,
            "pairs": pairs,
            "expanded": expanded or [],
            "definitions": definitions,
            "vectors": vectors or [],
        }
    )


X, Y = ["input", "x"], ["input", "y"]
ZERO, ONE = ["number", 0], ["number", 1]

FALSE = {
    "Z := x + Z, whence x = 0": (
        text([X, ZERO], [[0, 1, "x"]], [["value", 0], ["name", [[1, 0, 1], [1, 1, 1]], [0, 1]]]),
        "a generator in definition 1",
    ),
    "a name that rests on a later one": (
        text(
            [X, ZERO],
            [[0, 1, "x"]],
            [
                ["value", 0],
                ["name", [[1, 0, 1], [1, 2, 1]], [0, 1]],
                ["name", [[1, 1, 1]], [1, 1]],
            ],
        ),
        "a generator in definition 1",
    ),
    "an exponential of itself": (
        text([X, ZERO], [[0, 1, "x"]], [["value", 0], ["exp", [[1, 1, 1]]]]),
        "a generator in definition 1",
    ),
    "two inputs with one name": (
        text([X, X], [[0, 1, "x"]], [["value", 0], ["value", 1]]),
        "two inputs have one name",
    ),
    "two generators for one input": (
        text([X, ZERO], [[0, 1, "x"]], [["value", 0], ["value", 0]]),
        "a second generator",
    ),
    "one generator for two inputs": (
        text([X, Y], [[0, 1, "x"]], [["value", 0]]),
        "instruction 1, an input, has no generator",
    ),
    "an opaque function without regard to its operands": (
        text(
            [X, Y, ["apply", "f", 0], ["apply", "f", 1]],
            [[2, 3, "f"]],
            [["value", 0], ["value", 1], ["value", 2]],
        ),
        "has no generator",
    ),
    "an exponential with the vector of another": (
        text(
            [X, Y, ["exp", 0], ["exp", 1]],
            [[2, 3, "exp"]],
            [["value", 0], ["value", 1], ["exp", [[1, 0, 1]]]],
            [[2, [2, 1]], [3, [2, 1]]],
        ),
        "does not give its exponent",
    ),
    "the root of a square": (
        text(
            [X, ["*", 0, 0], ["sqrt", 1]],
            [[0, 2, "x"]],
            [["value", 0]],
        ),
        "the sign of a factor is not known",
    ),
    "exp(log u) = u where nothing shows that u is positive": (
        text(
            [X, ["+", 0, 0], ["exp", 1], ["*", 0, 0]],
            [[2, 3, "exp"]],
            [["value", 0], ["log", [[1, 0, 1]]]],
            [[2, [1, 2]]],
        ),
        "before its conditions are known",
    ),
    "log(u^2) = 2 log u for negative u": (
        text(
            [X, ["*", 0, 0], ["log", 1], ZERO],
            [[2, 3, "log"]],
            [["value", 0], ["log", [[1, 0, 1]]]],
            [[2, [1, 2]]],
        ),
        "it is not known that each factor is positive",
    ),
    "a reciprocal before anything shows its denominator": (
        text(
            [X, ["exp", 0], ONE],
            [[1, 2, "exp"]],
            [["value", 0], ["1/", [[1, 0, 1], [-1]], 0], ["exp", [[1, 1, 1]]]],
            [[1, [2, 1]]],
        ),
        "does not give its exponent|before its conditions are known",
    ),
    "a name divided by what may be zero": (
        text(
            [X, Y, ["apply", "f", 0], ["apply", "f", 1]],
            [[2, 3, "f"]],
            [["value", 0], ["value", 1], ["value", 2], ["name", [[1, 0, 1, 1, 1]], [0, 1]]],
        ),
        "before its conditions are known",
    ),
    "a lead that divides two terms": (
        text(
            [X, ZERO],
            [[0, 1, "x"]],
            [["value", 0], ["name", [[1, 0, 1], [1, 0, 2]], [0, 1]]],
        ),
        "divides 2 of its terms",
    ),
    "one generator replaced twice": (
        text(
            [X, ZERO],
            [[0, 1, "x"]],
            [["value", 0], ["name", [[1, 0, 1]], [0, 1]], ["name", [[2, 0, 1]], [0, 1]]],
        ),
        "which is replaced already",
    ),
    "one over zero": (
        text([ZERO, ["1/", 0], ONE], [[1, 2, "x"]], []),
        "neither a monomial nor",
    ),
    "the root of minus one, unopened on both sides": (
        text([["number", -1], ["sqrt", 0], ["*", 1, 1]], [[2, 0, "i"], [1, 1, "j"]], []),
        "no generator|has no|root|sign",
    ),
    "an unopened root of minus one": (
        text([["number", -1], ["sqrt", 0]], [[1, 1, "i"]], []),
        "defined nowhere",
    ),
    "an opened function that is none of those": (
        text([X, ["apply", "f", 0]], [[1, 0, "f"]], [["value", 0]], [], ["f"]),
        "can be opened",
    ),
    "an instruction that reads itself": (
        text([X, ["exp", 1]], [[0, 1, "x"]], [["value", 0]]),
        "an operand of instruction 1",
    ),
    "an exponent that spills into its neighbour": (
        text(
            [X, *(["*", k, k] for k in range(8)), ONE],
            [[8, 9, "x^256 = 1"]],
            [["value", 0]],
        ),
        "greater than 31",
    ),
    "a square root of minus one as a name": (
        text(
            [X, ZERO],
            [[0, 1, "x"]],
            [["value", 0], ["name", [[-1, 0, 2], [-1]], [0, 2]], ["sqrt", 1]],
        ),
        "come out different",
    ),
    "the sign of a factor where another may be zero": (
        # sqrt(sqrt(x) y) says that y is not negative only where x is not zero.
        text(
            [
                X,
                Y,
                ["input", "z"],
                ["sqrt", 0],
                ["*", 1, 3],
                ["sqrt", 4],
                ["exp", 2],
                ["+", 1, 6],
                ["*", 7, 7],
                ["log", 8],
                ["number", "1/2"],
                ["*", 9, 10],
                ["exp", 11],
                ["+", 5, 12],
                ["+", 5, 7],
            ],
            [[13, 14, "abs"]],
            [
                ["value", 0],
                ["value", 1],
                ["value", 2],
                ["sqrt", 0],
                ["sqrt", 3],
                ["sqrt", 1],
                ["exp", [[1, 2, 1]]],
                ["log", [[1, 6, 1], [1, 5, 2]]],
            ],
            [[6, [6, 1]], [9, [7, 2]], [12, [7, 1]]],
        ),
        "the sign of a factor is not known",
    ),
    "a root that a name replaces, before what the name rests on is known": (
        text(
            [["input", "y"], ["root", 2, 4], ["+", 0, 1], ["*", 2, 2], ["sqrt", 3]],
            [[4, 2, "abs"]],
            [
                ["value", 0],
                ["prime root", 2],
                ["sqrt", 0],
                ["name", [[1, 1, 1], [1, 2, 2]], [1, 1]],
            ],
        ),
        "before its conditions are known",
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_theorems_are_refused(name: str) -> None:
    certificate, reason = FALSE[name]
    with pytest.raises(Refused, match=reason):
        recheck(certificate)


def test_rewriting_without_end_is_refused() -> None:
    """Each of two rules makes what the other replaces."""
    definitions = [
        ["value", 0],
        ["value", 1],
        ["name", [[1, 0, 1], [1, 1, 2]], [0, 1]],
        ["name", [[1, 0, 2], [1, 1, 1]], [1, 1]],
    ]
    with pytest.raises(Refused):
        recheck(text([X, Y, ["*", 0, 1], ZERO], [[2, 3, "xy"]], definitions))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        text([], [], []),
        text([X], [], []),
        text([X, Y], [[0, 0, "x"]], []),
        text([X], [[0, 0, ""]], []),
        text([X], [[0, 0, "a"], [0, 0, "a"]], []),
        text([X], [[0, True, "a"]], []),
        text([X, ["+", 0, "0"]], [[0, 1, "a"]], []),
        text([X, ["root", -2, 2]], [[0, 1, "a"]], []),
        text([X, ["root", 2, 3]], [[0, 1, "a"]], []),
        text([X, ["number", "2/4"]], [[0, 1, "a"]], []),
        text([X, ["number", "1/0"]], [[0, 1, "a"]], []),
        text([X, ["number", 0.5]], [[0, 1, "a"]], []),
        text([X], [[0, 0, "a"]], [["value", []]]),
        text([X], [[0, 0, "a"]], [[[], 1]]),
        text([X], [[0, 0, "a"]], [["name", [], []]]),
        text([X], [[0, 0, "a"]], [["exp", [[0]]]]),
        text([X], [[0, 0, "a"]], [["exp", [[1, 0, 0]]]]),
        text([X], [[0, 0, "a"]], [], [[[], []]]),
        text([X], [[0, 0, "a"]], [], [[0, []]]),
    ],
)
def test_what_is_no_certificate_is_refused(broken: str) -> None:
    with pytest.raises(Refused):
        recheck(broken)


def test_conditions_are_said_in_words() -> None:
    def build(program: Program) -> Claim:
        record = program.recorder
        x, y = record.variable("x"), record.variable("y")
        quotient = record.multiply(x, record.inverse(y))
        root = record.square_root(x)
        return [
            (record.multiply(quotient, y), x, "quotient"),
            (record.multiply(root, root), x, "root"),
            (record.exponential(record.logarithm(x)), x, "logarithm"),
            *online(program),
        ]

    found = recheck(json.dumps(certified(build)))
    assert found.assumptions == ("y is not zero", "x is not negative", "x is positive")
    assert any("a sum of exponentials, always positive" in line for line in found.always)
    assert found.opaque == ("max",)
    assert found.statement == (
        "19 pairs of values are equal for all real inputs at which both programs are defined"
    )
    assert found.pairs == 19


def test_an_opened_function_is_not_opaque() -> None:
    assert recheck(json.dumps(certified(mixed))).opaque == ()


def foreign(source: str) -> set[str]:
    """Return what a module imports from neither the standard library nor the checker itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    own = derive.rechecking.__name__
    return {
        name
        for name in found
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not f"{name}.".startswith(f"{own}.")
    }


CHECKER = Path(derive.rechecking.__file__).parent
MODULES = sorted(path.relative_to(CHECKER).as_posix() for path in CHECKER.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_the_checker_uses_the_standard_library_and_itself_alone(module: str) -> None:
    assert foreign((CHECKER / module).read_text(encoding="utf-8")) == set()


def test_every_module_of_the_checker_is_read() -> None:
    used = {
        name.removeprefix("derive.rechecking.") + ".py"
        for name in sys.modules
        if name.startswith("derive.rechecking.")
    }
    assert len(used) > 4
    assert set(MODULES) >= used | {"__init__.py"}


@pytest.mark.parametrize(
    "offender",
    [
        "import numpy",
        "import derive",
        "import json, derive.exact.prover",
        "from derive import recheck",
        "from derive.exact.polynomials import Polynomial",
        "from derive.rechecking_otherwise import layout",
        "from . import layout",
        "from ..exact import prover",
        "def read():\n    from derive.exact.certificate import Certificate",
    ],
)
def test_an_import_from_elsewhere_is_noticed(offender: str) -> None:
    assert foreign(f"import json\nfrom derive.rechecking.layout import refuse\n{offender}")


def test_imports_from_the_checker_are_no_offence() -> None:
    assert not foreign("import derive.rechecking\nfrom derive.rechecking.layout import refuse")
