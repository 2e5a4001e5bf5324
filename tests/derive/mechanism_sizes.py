"""A number for each size of a mechanism, different ones as far as its relations let them differ."""

from sympy import IndexedBase, Integer, Symbol, solve

from derive.formula import Mechanism, d, d_e, d_f, d_v, n, n_b, n_g, n_h, n_p, n_q

USUAL = {n_q: 2, n: 3, d: 4, d_v: 2, n_b: 2, n_h: 4, n_g: 2, n_p: 3, d_e: 5, d_f: 3}


def some_sizes(mechanism: Mechanism, usual: dict[Symbol, int] = USUAL) -> dict[Symbol, int]:
    """Return numbers that fulfil the relations; what these leave free is as ``usual`` has it."""
    numbers = {size: Integer(length) for size, length in usual.items()}
    numbers |= {size: value for size, value in mechanism.relations if value.is_Integer}
    for size, value in mechanism.relations:
        unknown = value.free_symbols - numbers.keys()
        if not unknown:
            numbers[size] = value.xreplace(numbers)
        for symbol in unknown:
            (numbers[symbol],) = solve(numbers[size] - value.xreplace(numbers), symbol)
    return {size: int(number) for size, number in numbers.items()}


def some_shapes(
    mechanism: Mechanism, usual: dict[Symbol, int] = USUAL
) -> dict[IndexedBase, tuple[int, ...]]:
    """Return the shape of each input at those sizes."""
    numbers = {size: Integer(length) for size, length in some_sizes(mechanism, usual).items()}
    return {
        base: tuple(int(length.xreplace(numbers)) for length in mechanism.shapes[base])
        for base in mechanism.inputs
    }
