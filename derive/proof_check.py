"""Check the proofs of the properties by a second way, and state each result as evidence."""

from __future__ import annotations

from collections.abc import Sequence

from sympy import Expr, Indexed

from derive.attention import MECHANISMS
from derive.binding import same
from derive.claims.claim import Expansion, MatrixProduct, Proof, Signs
from derive.derivation import Derivation, DerivationError, recheck
from derive.evidence import PropertyResult
from derive.formula import Mechanism, a
from derive.matrix_form import index_form
from derive.properties import Property, all_properties
from derive.witness import Witness
from derive.written_out import fully_substituted, self_attention_shapes


def check_properties() -> tuple[PropertyResult, ...]:
    """Decide every property and check every proof once more.

    A chain's steps are compared entry by entry at small shapes, signs by SymPy's own assumptions,
    matrix products by SymPy's own product. Raises ``DerivationError`` where a proof does not hold.
    """
    return tuple(_result(found) for found in all_properties())


def _result(found: Property) -> PropertyResult:
    if isinstance(found.evidence, Witness):
        method = f"counterexample: {found.evidence}"
    elif found.evidence is None:
        method = "neither a proof nor a counterexample was found"
    else:
        method = recheck_proof(found.evidence, MECHANISMS[found.mechanism])
    return PropertyResult(
        mechanism=found.mechanism,
        name=found.claim.name,
        statement=found.claim.title,
        verdict=found.verdict,
        stated=found.stated,
        conditions=tuple(f"{_named(zero)} is not 0" for zero in found.conditions),
        method=method,
    )


def _named(zero: Expr) -> str:
    if isinstance(zero, Indexed):
        return f"{zero.base}_{''.join(map(str, zero.indices))}"
    return str(zero)


def recheck_proof(proof: Proof, mechanism: Mechanism) -> str:
    """Check each part of ``proof`` a second way; return in words how it was proved and checked."""
    return "; ".join(_recheck_part(part, mechanism) for part in proof)


def _recheck_part(
    part: Derivation | Signs | MatrixProduct | Expansion, mechanism: Mechanism
) -> str:
    if isinstance(part, Derivation):
        entries = recheck(part)
        count = len(part.steps)
        return f"{count} step{'s' * (count > 1)}, {entries} entries compared at small shapes"
    if isinstance(part, Signs):
        return f"signs of the parts, {_recheck_signs(mechanism)} entries positive by SymPy"
    if isinstance(part, Expansion):
        return f"{part.entries} entries equal to SymPy's expansion of the sums"
    row, column = part.stage.target.indices
    if not same(index_form(part.product, row, column), part.stage.value):
        raise DerivationError(f"{part.product} does not have the entries of {part.stage}")
    return "SymPy's matrix product has the same entries"


def _recheck_signs(mechanism: Mechanism, sizes: Sequence[int] = (1, 2, 3)) -> int:
    checked = 0
    for tokens in sizes:
        shapes = self_attention_shapes(mechanism, tokens, 1)
        for entry in fully_substituted(mechanism, shapes)[a].flat:
            if not entry.is_positive:
                raise DerivationError(f"SymPy does not find {entry} positive")
            checked += 1
    return checked
