"""Where the programs of a statement are defined, in words.

This reads instructions alone, and the replay does not use it. It decides which conditions are
listed as assumptions and which as visibly met, and refuses programs that are visibly defined
nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from derive.rechecking.layout import refuse
from derive.rechecking.statement import Instruction

CONDITIONS = {
    "1/": ("a denominator", "not zero"),
    "log": ("the argument of a logarithm", "positive"),
    "sqrt": ("the argument of a square root", "not negative"),
}


def stated_conditions(program: Sequence[Instruction]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what must hold for the programs to be defined, and what of it always does."""
    signs = _signs(program)
    assumptions: list[str] = []
    visible: Counter[str] = Counter()
    for instruction in program:
        if instruction.operation not in CONDITIONS:
            continue
        what, condition = CONDITIONS[instruction.operation]
        (place,) = instruction.operands
        sign, operand = signs[place], program[place]
        if operand.operation == "number":
            number = operand.number
            holds = {"1/": number != 0, "log": number > 0, "sqrt": number >= 0}
            if not holds[instruction.operation]:
                refuse(f"{what} is {number}: the programs are defined nowhere")
            visible[f"{what} is a number that is {condition}"] += 1
        elif _exponentials(program, place):
            visible[f"{what} is a sum of exponentials, always positive"] += 1
        elif sign == "positive" or (sign == condition):
            visible[
                f"{what} is made of exponentials, squares and positive numbers, always {sign}"
            ] += 1
        else:
            assumptions.append(f"{_words(program, place)} is {condition}")
    return tuple(assumptions), tuple(f"{text} ({n} times)" for text, n in visible.items())


def _exponentials(program: Sequence[Instruction], place: int) -> bool:
    """Return whether this is an exponential, or a sum of such and of positive numbers."""
    instruction = program[place]
    if instruction.operation == "+":
        return all(_exponentials(program, each) for each in instruction.operands)
    return instruction.operation == "exp" or (
        instruction.operation == "number" and instruction.number > 0
    )


def _signs(program: Sequence[Instruction]) -> list[str]:
    """Return for each instruction "positive", "not negative" or "unknown", as far as is plain."""
    signs: list[str] = []
    for instruction in program:
        inner = [signs[operand] for operand in instruction.operands]
        sign = "unknown"
        match instruction.operation:
            case "exp" | "root":
                sign = "positive"
            case "number" if instruction.number >= 0:
                sign = "positive" if instruction.number else "not negative"
            case "+" if "unknown" not in inner:
                sign = "positive" if "positive" in inner else "not negative"
            case "*":
                counts = Counter(instruction.operands)
                if all(signs[g] == "positive" for g in counts):
                    sign = "positive"
                elif all(n % 2 == 0 or signs[g] != "unknown" for g, n in counts.items()):
                    sign = "not negative"
            case "1/" if inner[0] != "unknown":
                sign = "positive"
            case "sqrt":
                sign = inner[0] if inner[0] == "positive" else "not negative"
        signs.append(sign)
    return signs


def _words(program: Sequence[Instruction], place: int, depth: int = 3) -> str:
    """Return an instruction as a short formula."""
    instruction = program[place]
    operation = instruction.operation
    if operation == "input":
        return instruction.name
    if operation == "number":
        return str(instruction.number)
    if depth == 0:
        return f"[{place}]"
    inner = [_words(program, each, depth - 1) for each in instruction.operands[:4]]
    if len(instruction.operands) > 4:
        inner.append("...")
    if operation in ("+", "*"):
        return f"({f' {operation} '.join(inner)})"
    if operation == "root":
        return f"{instruction.number}^(1/{instruction.degree})"
    name = instruction.name or {"1/": "1/"}.get(operation, operation)
    return f"{name}({', '.join(inner)})"
