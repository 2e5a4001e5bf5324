"""Check the proofs of the properties by a second way, and state each result as evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sympy import Expr, Indexed, IndexedBase, Integer, Symbol

from derive.algebras.symbolic import Symbolic
from derive.argument_check import Masks, no_masks, recheck_argument
from derive.attention import MECHANISMS
from derive.binding import same
from derive.brackets import Bracket
from derive.claims.claim import Expansion, Part, Proof, Signs, Structural
from derive.claims.subject import Subject
from derive.derivation import Derivation, DerivationError, recheck
from derive.elements import Elements
from derive.evidence import PropertyResult
from derive.formula import a, n, n_q
from derive.matrix_form import index_form
from derive.properties import Property, all_properties
from derive.small_sizes import small_sizes
from derive.trials import fixed_inputs
from derive.variant_properties import subject_of, variant_properties
from derive.variants.variant import Variant
from derive.witness import Witness
from derive.written_out import named_entries


def check_properties() -> tuple[PropertyResult, ...]:
    """Decide every property of the notes' mechanisms and check every proof once more.

    A chain's steps are compared entry by entry at small shapes, signs by SymPy's own assumptions,
    matrix products by SymPy's own product, arguments as ``argument_check`` says. Raises
    ``DerivationError`` where a proof does not hold.
    """
    return tuple(_result(found, Subject(MECHANISMS[found.mechanism])) for found in all_properties())


def check_variant(variant: Variant) -> tuple[PropertyResult, ...]:
    """Decide every property of a mechanism of the atlas and check every proof once more."""
    masks = masks_of(variant)
    subject = subject_of(variant)
    return tuple(_result(found, subject, masks) for found in variant_properties(variant))


def masks_of(variant: Variant) -> Masks:
    """Return what gives the masks of a mechanism, as its page prints them."""

    def masks(tokens: int, sizes: Mapping[Symbol, int]) -> Mapping[IndexedBase, Any]:
        fixed = fixed_inputs(variant, tokens, sizes) or {}
        return {base: fixed[base] for base in variant.mechanism.indicators}

    return masks


def _result(found: Property, subject: Subject, masks: Masks = no_masks) -> PropertyResult:
    if isinstance(found.evidence, Witness):
        method = f"counterexample: {found.evidence}"
    elif found.evidence is None:
        method = "neither a proof nor a counterexample was found"
    else:
        method = recheck_proof(found.evidence, subject, masks)
    return PropertyResult(
        mechanism=found.mechanism,
        name=found.claim.name,
        statement=found.claim.title,
        verdict=found.verdict,
        stated=found.stated,
        conditions=tuple(map(_condition, found.conditions)),
        method=method,
    )


def _condition(nonzero: Expr) -> str:
    if isinstance(nonzero, Bracket):
        left, right = map(_named, nonzero.args)
        return f"{left} {nonzero.relation} {right}"
    return f"{_named(nonzero)} is not 0"


def _named(entry: Expr) -> str:
    if isinstance(entry, Indexed):
        return f"{entry.base}_{''.join(map(str, entry.indices))}"
    return str(entry)


def recheck_proof(proof: Proof, subject: Subject, masks: Masks = no_masks) -> str:
    """Check each part of ``proof`` a second way; return in words how it was proved and checked."""
    return "; ".join(_recheck_part(part, subject, masks) for part in proof)


def _recheck_part(part: Part, subject: Subject, masks: Masks) -> str:
    if isinstance(part, Derivation):
        entries = recheck(part, subject.shapes, ((n_q, n), *subject.mechanism.relations))
        count = len(part.steps)
        return f"{count} step{'s' * (count > 1)}, {entries} entries compared at small shapes"
    if isinstance(part, Signs):
        word = "positive" if part.strict else "not negative"
        return f"signs of the parts, {_recheck_signs(part, subject, masks)} entries {word} by SymPy"
    if isinstance(part, Expansion):
        return f"{part.entries} entries equal to SymPy's expansion of the sums"
    if isinstance(part, Structural):
        return f"equation by equation, {recheck_argument(part, subject, masks)}"
    row, column = part.stage.target.indices
    if not same(index_form(part.product, row, column), part.stage.value):
        raise DerivationError(f"{part.product} does not have the entries of {part.stage}")
    return "SymPy's matrix product has the same entries"


def _recheck_signs(
    part: Signs, subject: Subject, masks: Masks, tokens: Sequence[int] = (1, 2, 3)
) -> int:
    """Write the weights out, and ask SymPy for their signs.

    They are written in final scores that may be anything; where that does not tell the sign, in
    the names of all inputs.
    """
    checked = 0
    for count in tokens:
        sizes = small_sizes(subject.mechanism, count, 1)
        numbers = {size: Integer(length) for size, length in sizes.items()}
        for given in ({entry.base for entry in subject.finals}, set(subject.mechanism.inputs)):
            stages = subject.upstream([a], given)
            made = {stage.array for stage in stages}
            named = {base for stage in stages for base in stage.reads} - made
            arrays = {
                base: named_entries(base, [int(m.xreplace(numbers)) for m in subject.shapes[base]])
                for base in named
            }
            arrays |= {base: mask for base, mask in masks(count, sizes).items() if base in named}
            weights = list(Elements(Symbolic(), arrays, sizes).run(stages)[a].flat)
            if all(w.is_positive if part.strict else w.is_nonnegative for w in weights):
                checked += len(weights)
                break
        else:
            raise DerivationError(f"SymPy does not find {weights[0]} positive")
    return checked
