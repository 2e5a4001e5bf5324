"""The claim that a formula's two forms, index form and written out, are the same."""

from __future__ import annotations

from derive.claims.claim import Claim, Expansion, Proof, never, of_nothing
from derive.claims.subject import Subject
from derive.expansion import compare_forms


def _same_entries(subject: Subject) -> Proof:
    return (Expansion(compare_forms(subject.mechanism)),)


FORMS_AGREE = Claim(
    "written-out-is-index-form",
    "Written out for 1, 2 and 3 tokens, every entry is what the sums say",
    _same_entries,
    never,
    (),
    "The entries on these pages are written by our own interpreter; SymPy expands the same sums.",
    about=of_nothing,
)
