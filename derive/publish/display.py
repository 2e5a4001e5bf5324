"""How formulas, derivations, sentences and their numbers show themselves in a notebook."""

from __future__ import annotations

import base64
from functools import singledispatch
from typing import Any

from derive.composition import Composition
from derive.derivation import Derivation
from derive.examples import Example
from derive.formula import Mechanism, a, s, z
from derive.publish.document.document import Document, Equations, Maths, Paragraph
from derive.publish.document.of_sentence import sentence_document, vectors_table
from derive.publish.document.to_markdown import block, to_markdown
from derive.publish.heatmap_svg import heatmap_svg
from derive.publish.markdown import markdown_text
from derive.publish.notation import Latex
from derive.publish.proof_writing import written
from derive.publish.telling import tell_worked
from derive.publish.writing import equation
from derive.worked import Worked


@singledispatch
def markdown_of(value: Any) -> str:
    """Return a value as Markdown with maths between dollar signs; every text in it is escaped."""
    raise TypeError(f"{type(value).__name__} has no display")


@markdown_of.register
def _mechanism(mechanism: Mechanism) -> str:
    rows = Equations(tuple(Maths(equation(stage)) for stage in mechanism.stages))
    return f"**{markdown_text(mechanism.title)}**\n\n{block(rows)}\n"


@markdown_of.register
def _derivation(derivation: Derivation) -> str:
    """Return the chain, each step with the rule that leads to it."""
    given = [Maths(equation(stage)) for stage in derivation.definitions]
    lines = [block(Equations(tuple(given)))] if given else []
    lines.append(block(Equations((Maths(written(derivation.goal[0])),))))
    for step in derivation.steps:
        lines.append(block(Equations((Maths(f"= {written(step.after)}"),))))
        lines.append(block(Paragraph((step.rule,))))
    return "\n\n".join(lines) + "\n"


@markdown_of.register
def _example(example: Example) -> str:
    return to_markdown(Document(example.title, (vectors_table(example),)))


@markdown_of.register
def _worked(worked: Worked) -> str:
    """Return formulas and the query's numbers, and all weights as a drawing."""
    if not {s, a, z} <= worked.arrays.keys() or worked[a].ndim != 2:
        return markdown_of(worked.mechanism)
    telling = tell_worked(worked, notation=Latex())
    drawing = base64.b64encode(heatmap_svg(telling).encode()).decode()
    text = to_markdown(sentence_document(telling, with_weights=False))
    return f'{text}\n<img alt="All attention weights" src="data:image/svg+xml;base64,{drawing}">\n'


@markdown_of.register
def _composition(composition: Composition) -> str:
    return markdown_of(composition.mechanism)
