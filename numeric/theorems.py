"""Prove that the programs of the theorems compute them: each loop's body, and the whole loop.

A theorem says that a step, taken again and again, gives the whole for any number of tokens. What is
left is that a program's loop body is that step. The exact prover decides it at a small shape, and
the whole loop against the whole formula at several numbers of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import getsource
from typing import Any

import torch
from sympy import Expr, Indexed, IndexedBase, Rational, Symbol

from derive.formula import (
    UPPER_LIMIT,
    Choice,
    D,
    FormulaError,
    K,
    Mechanism,
    Q,
    Stage,
    V,
    a,
    array,
    c,
    d,
    d_e,
    d_v,
    i,
    j,
    k,
    m,
    n,
    n_h,
    n_p,
    n_q,
    s,
    z,
)
from derive.gradients import gradient_of, vector_jacobian_product
from derive.small_sizes import shapes_at, small_sizes
from derive.theorems import THEOREMS
from derive.theorems.dropout_expectation import MEAN, B, r
from derive.theorems.gated_recurrent import STATE as GATED_STATE
from derive.theorems.gradients_by_hand import BY_KEY, BY_QUERY, BY_VALUE, SCORE
from derive.theorems.linear_attention_recurrent import STATE, SUM
from derive.theorems.online_softmax import TAKEN_D, TAKEN_O
from derive.theorems.retention_recurrent import STATE as RETENTION_STATE
from derive.theorems.softmax_backward import SCORE_GRADIENT
from derive.theorems.theorem import Recurrence
from derive.theorems.tiled_backward import REBUILT, SCORES
from derive.variants import ATLAS
from derive.verdict import Report, Verdict
from numeric import theorem_programs as programs
from numeric.verifying import verify

TWO_HEADS = {n_h: 2, d_v: 2}

Given = tuple[tuple[IndexedBase, tuple[Expr, ...]], ...]


@dataclass(frozen=True)
class TheoremProgram:
    """A program that a theorem is about, and the formulas of what it returns.

    ``formulas`` are mechanisms whose last arrays are the program's results, in order; the arrays
    they take have the names of its parameters. ``tokens`` are the numbers of tokens to try,
    ``sizes`` the sizes that must be larger for two ways to differ at all.
    """

    theorem: str
    function: Callable[..., Any]
    formulas: tuple[Mechanism, ...]
    tokens: tuple[int, ...] = (3,)
    backward: bool = False
    sizes: Mapping[Symbol, int] = field(default_factory=dict)

    def shapes(self, formula: Mechanism, tokens: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what a formula takes, by name."""
        found = shapes_at(formula, {**small_sizes(formula, tokens), **self.sizes})
        return {str(base): shape for base, shape in found.items()}


@dataclass(frozen=True)
class ProgramResult:
    """What the prover found about a program of a theorem."""

    theorem: str
    program: str
    source: str
    verdict: str
    shapes: str
    passed: bool


def check_theorem_programs(
    progress: Callable[[str], None] | None = None, theorem: str | None = None
) -> tuple[ProgramResult, ...]:
    """Prove every program of the theorems, or those of one."""
    if theorem is not None and theorem not in THEOREMS:
        raise KeyError(f"{theorem!r} is no theorem; there are {', '.join(THEOREMS)}")
    found = []
    for program in theorem_programs():
        if theorem in (None, program.theorem):
            if progress:
                progress(f"{program.theorem}: {program.function.__name__}")
            found.append(check_program(program))
    return tuple(found)


def check_program(program: TheoremProgram) -> ProgramResult:
    """Prove one program at each of its numbers of tokens; the weakest verdict counts."""
    reports = [
        _verified(program, result, formula, tokens)
        for tokens in program.tokens
        for result, formula in enumerate(program.formulas)
    ]
    verdict = min((report.verdict for report in reports), key=lambda word: word.strength)
    shapes = dict.fromkeys(claim.shape for report in reports for claim in report.claims)
    return ProgramResult(
        theorem=program.theorem,
        program=program.function.__name__,
        source=getsource(program.function),
        verdict=str(verdict),
        shapes="; ".join(shapes),
        passed=verdict is Verdict.PROVED,
    )


def _verified(program: TheoremProgram, result: int, formula: Mechanism, tokens: int) -> Report:
    """Compare one result of a program with its formula, at one number of tokens."""
    shapes = program.shapes(formula, tokens)
    # What this result does not depend on is held at zero.
    idle = {
        name: torch.zeros(shape, dtype=torch.float64)
        for other in program.formulas
        for name, shape in program.shapes(other, tokens).items()
        if name not in shapes
    }

    def computed(*tensors: Any) -> Any:
        found = program.function(**idle, **dict(zip(shapes, tensors, strict=True)))
        return found[result] if isinstance(found, tuple) else found

    return verify(
        computed,
        formula,
        [torch.zeros(shape, dtype=torch.float64) for shape in shapes.values()],
        backward=program.backward,
        names=list(shapes),
        other_shapes=False,
    )


@cache
def theorem_programs() -> tuple[TheoremProgram, ...]:
    """Return the programs of the theorems, in the order of ``THEOREMS``."""
    scaled = _formula("scaled-dot-product")
    rows = (
        TheoremProgram("causal-two-ways", programs.mended, (_formula("causal"),), (2, 3), True),
        TheoremProgram("key-value-cache", programs.decode_step, (scaled,), (1, 3)),
        TheoremProgram("key-value-cache", programs.decode, (_formula("causal"),), (2, 3, 4)),
        TheoremProgram(
            "split-and-merge", programs.multi_head, (_formula("multi-head"),), (2,), True
        ),
        TheoremProgram("grouped-heads", programs.grouped_query, (_formula("grouped-query"),), (2,)),
        TheoremProgram(
            "rotary-relative",
            programs.halves_sorted,
            (_formula("rotary-interleaved"),),
            (2,),
            sizes={n_p: 2, d: 4},
        ),
        TheoremProgram(
            "alibi-shift", programs.key_bias, (_formula("alibi"),), (3,), sizes=TWO_HEADS
        ),
        TheoremProgram(
            "sink-as-a-key", programs.one_key_more, (_formula("sink"),), (3,), sizes=TWO_HEADS
        ),
        TheoremProgram(
            "sigmoid-of-two", programs.one_of_two, (_formula("sigmoid"),), (2,), sizes=TWO_HEADS
        ),
        TheoremProgram(
            "linear-attention-recurrent",
            programs.linear_step,
            (one_step("the state", STATE), one_step("the sum of features", SUM)),
        ),
        TheoremProgram(
            "linear-attention-recurrent",
            programs.linear_recurrence,
            (_formula("linear-causal"),),
            (1, 2, 3, 4),
        ),
        TheoremProgram(
            "retention-recurrent",
            programs.retention_step,
            (one_step("the state", RETENTION_STATE),),
            sizes=TWO_HEADS,
        ),
        TheoremProgram(
            "retention-recurrent",
            programs.retention_recurrence,
            (_formula("retention"),),
            (1, 2, 3, 4),
            sizes=TWO_HEADS,
        ),
        TheoremProgram(
            "gated-recurrent", programs.gated_step, (one_step("the state", GATED_STATE),)
        ),
        TheoremProgram(
            "gated-recurrent", programs.gated_recurrence, (_formula("gated-linear"),), (1, 2, 3, 4)
        ),
        TheoremProgram(
            "latent-absorbed",
            programs.absorbed,
            (_formula("latent"),),
            (2, 3),
            sizes={n_h: 2, d_v: 2, d_e: 3},
        ),
        TheoremProgram("dropout-expectation", programs.dropped_out, (_dropout(),)),
        TheoremProgram("softmax-backward", programs.softmax_gradient, (_softmax_gradient(),)),
        TheoremProgram("online-softmax", programs.merge_block, (_taken_in(D), _taken_in(z))),
        TheoremProgram("online-softmax", programs.attention_by_blocks, (scaled,), (2, 3, 4, 5)),
        TheoremProgram("log-sum-exp-merge", programs.merged_halves, (scaled,), (2, 3, 4)),
        TheoremProgram(
            "tiled-backward", programs.backward_block, tuple(map(_from_stored, (Q, K, V)))
        ),
        TheoremProgram(
            "tiled-backward",
            programs.backward_by_blocks,
            tuple(map(_gradient, (Q, K, V))),
            (2, 3, 4),
        ),
    )
    return tuple(row for name in THEOREMS for row in rows if row.theorem == name)


def _formula(key: str) -> Mechanism:
    return ATLAS[key].mechanism


def _mechanism(title: str, stages: tuple[Stage, ...], given: Given) -> Mechanism:
    """Make a mechanism of a program's own equations."""
    return Mechanism(title, (Choice("step", title, stages),), given)


def one_step(title: str, made: Recurrence) -> Mechanism:
    """Return one step of a recurrence: what it makes of the state before, at any one place."""
    place = {made.index, made.index - 1}
    earlier = {
        entry.base for entry in made.following.atoms(Indexed) if made.index - 1 in entry.indices
    }
    if earlier != {made.array}:
        names = ", ".join(sorted(map(str, earlier)))
        raise FormulaError(f"one step of {made.array} reads {names} at the place before")

    def here(entry: Indexed) -> Indexed:
        return entry.base[tuple(index for index in entry.indices if index not in place)]

    value = made.following.xreplace({entry: here(entry) for entry in made.following.atoms(Indexed)})
    read = {entry.base: entry.indices for entry in value.atoms(Indexed)}
    order = sorted(read, key=lambda base: (base != made.array, str(base).swapcase()))
    given = tuple((base, tuple(UPPER_LIMIT[index] for index in read[base])) for base in order)
    target = here(made.target)
    return _mechanism(title, (Stage(array("next")[target.indices], value),), given)


def _taken_in(result: IndexedBase) -> Mechanism:
    """Return what a block of keys makes of a state's denominator, or of its numerator."""
    m_1, D_1, o_1 = (array(name) for name in ("m_1", "D_1", "o_1"))
    if result == D:
        stage = Stage(D[i], TAKEN_D.goal[1])
        values: Given = ()
        own: Given = ((D_1, (n_q,)),)
    else:
        stage = Stage(z[i, c], TAKEN_O.goal[1])
        values = ((V, (n, d_v)),)
        own = ((o_1, (n_q, d_v)),)
    given = ((s, (n_q, n)), *values, (m, (n_q,)), (m_1, (n_q,)), *own)
    return _mechanism("a block taken into a state", (stage,), given)


def _softmax_gradient() -> Mechanism:
    abar, sbar = gradient_of(a), gradient_of(s)
    stage = Stage(sbar[i, j], SCORE_GRADIENT.goal[1])
    given = ((a, (n_q, n)), (abar, (n_q, n)))
    return _mechanism("the gradient by a score", (stage,), given)


def _dropout() -> Mechanism:
    stage = Stage(z[i, c], MEAN.goal[0].body.xreplace({r: Rational(3, 4)}))
    given = ((a, (n_q, n)), (B, (n_q, n)), (V, (n, d_v)))
    return _mechanism("weights dropped out", (stage,), given)


def _from_stored(base: IndexedBase) -> Mechanism:
    """Return the gradient by Q, K or V as the backward pass makes it from what was stored."""
    zbar, D_m, R = gradient_of(z), array("D_m"), array("R")
    target, value = {
        Q: (gradient_of(Q)[i, k], BY_QUERY.goal[1]),
        K: (gradient_of(K)[j, k], BY_KEY.goal[1]),
        V: (gradient_of(V)[j, c], BY_VALUE.goal[1]),
    }[base]
    stages = [SCORE, Stage(a[i, j], REBUILT.goal[0])]
    given: Given = ((Q, (n_q, d)), (K, (n, d)))
    if base == V:
        given = (*given, (zbar, (n_q, d_v)), (m, (n_q,)), (D_m, (n_q,)))
    else:
        stages.append(Stage(gradient_of(s)[i, j], SCORES.goal[1]))
        given = (*given, (V, (n, d_v)), (zbar, (n_q, d_v)), (m, (n_q,)), (D_m, (n_q,)), (R, (n_q,)))
    return _mechanism(f"the gradient by {base}", (*stages, Stage(target, value)), given)


def _gradient(base: IndexedBase) -> Mechanism:
    """Return the gradient of scaled dot-product attention by Q, K or V."""
    whole = vector_jacobian_product(_formula("scaled-dot-product"))
    others = {f"gradient by {other}" for other in whole.gradients if other != base}
    kept = [choice for choice in whole.mechanism if choice.role not in others]
    kept.sort(key=lambda choice: choice.role == f"gradient by {base}")
    return Mechanism(
        f"the gradient by {base}", tuple(kept), whole.mechanism.given, whole.mechanism.relations
    )
