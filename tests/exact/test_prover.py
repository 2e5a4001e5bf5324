"""Pairs that must be proved, pairs that must not be, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy
import pytest

from derive.exact.certificate import Certificate, CertificateError
from derive.exact.cutting import cuts
from derive.exact.prover import Proof, Stuck, prove
from derive.rechecking import recheck
from derive.straight_line import Recorder
from tests.exact import programs
from tests.exact.programs import Claim, Inputs, Program, pairs

Builder = Callable[[Program], Claim]


def against_naive(
    other: Callable[[Program, Inputs], list[programs.Array]], tokens: int = 3, dims: int = 2
) -> Builder:
    def build(program: Program) -> Claim:
        inputs = program.inputs(tokens, dims)
        return pairs(programs.naive(program, inputs), other(program, inputs))

    return build


def against_causal(
    other: Callable[[Program, Inputs], list[programs.Array]], tokens: int = 3, dims: int = 2
) -> Builder:
    def build(program: Program) -> Claim:
        inputs = program.inputs(tokens, dims)
        seen = programs.causal(tokens)
        return pairs(programs.naive(program, inputs, seen), other(program, inputs))

    return build


def soft_caps(form: str) -> Builder:
    def build(program: Program) -> Claim:
        inputs = program.inputs(2, 2)
        return pairs(
            programs.soft_capped(program, inputs, "opaque"),
            programs.soft_capped(program, inputs, form, shifted=True),
        )

    return build


def plus_one(program: Program) -> Claim:
    inputs = program.inputs(3, 2)
    return pairs(programs.naive(program, inputs, extra=1), programs.zero_column(program, inputs))


def normed_queries(spelling: str) -> Builder:
    def build(program: Program) -> Claim:
        inputs = program.inputs(3, 2)
        one, other = (
            replace(inputs, query=programs.normed(program, inputs.query, each))
            for each in ("mean", spelling)
        )
        return pairs(programs.naive(program, one), programs.flash(program, other))

    return build


def norm_gradient(program: Program) -> Claim:
    """The gradient of x / rms(x), with the norm as a factor and with its third power."""
    record, share = program.recorder, program.number(Fraction(1, 3))
    x, g = program.matrix("x", 3), program.matrix("g", 3)
    mean = record.add(record.multiply(share, program.dot(x, x)), program.number(Fraction(1, 10**6)))
    inverse = record.inverse(record.square_root(mean))
    y = program.times(x, inverse)
    inner = record.multiply(share, program.dot(g, y))
    factored = program.times(inverse, program.minus(g, program.times(y, inner)))
    cube = record.inverse(record.multiply(mean, record.square_root(mean)))
    outer = record.multiply(share, program.dot(g, x), cube)
    written_out = program.minus(program.times(g, inverse), program.times(x, outer))
    return pairs([factored], [written_out])


def grouped_heads(program: Program) -> Claim:
    query, gradient = (program.matrix(name, 4, 3, 2) for name in ("q", "g"))
    key, value = (program.matrix(name, 2, 3, 2) for name in ("k", "v"))
    claim: Claim = []
    for head in range(4):
        inputs = Inputs(query[head], key[head // 2], value[head // 2], gradient[head])
        found = pairs(programs.naive(program, inputs), programs.flash(program, inputs))
        claim += [(left, right, f"head {head}: {label}") for left, right, label in found]
    return claim


def roots_as_scale(program: Program) -> Claim:
    """Query and key each times 6^(-1/4), against scores over the square root of 6."""
    inputs, record = program.inputs(2, 2), program.recorder
    scale = record.inverse(record.square_root(program.number(6)))
    naive = programs.naive(program, inputs, scale=scale)[0]
    part = record.root(Fraction(1, 6), 4)
    score = program.product(program.times(inputs.query, part), program.times(inputs.key, part).T)
    weight = programs.weights(program, score, shifted=True)
    return pairs([naive], [program.product(weight, inputs.value)])


def related_roots(program: Program) -> Claim:
    record = program.recorder
    two, three = (record.root(Fraction(number), 2) for number in (2, 3))
    eighth = record.multiply(program.number(Fraction(1, 2)), record.root(Fraction(8), 4))
    return [
        (record.multiply(two, three), record.root(Fraction(6), 2), "sqrt 2 sqrt 3 = sqrt 6"),
        (record.inverse(record.root(Fraction(2), 4)), eighth, "2^(-1/4) = 8^(1/4) / 2"),
        (record.root(Fraction(4, 9), 2), program.number(Fraction(2, 3)), "sqrt 4/9 = 2/3"),
    ]


def two_layers(program: Program) -> Claim:
    inputs = program.inputs(2, 2)

    def layer(rows: programs.Array, shifted: bool) -> programs.Array:
        score = program.times(program.product(rows, rows.T), program.scale(2))
        return program.product(programs.weights(program, score, shifted=shifted), rows)

    plain, shifted = (layer(layer(inputs.query, how), how) for how in (False, True))
    return pairs([plain], [shifted])


def softmax_of_softmax(program: Program) -> Claim:
    score = program.matrix("s", 2, 2)
    plain, shifted = (
        programs.weights(program, programs.weights(program, score, shifted=how), shifted=how)
        for how in (False, True)
    )
    return pairs([plain], [shifted])


def rows_then_columns(program: Program) -> Claim:
    score = program.matrix("s", 2, 2)

    def both(shifted: bool) -> programs.Array:
        weight = programs.weights(program, score, shifted=shifted)
        return program.over(weight, program.array([program.total(row) for row in weight.T]))

    return pairs([both(False)], [both(True)])


def merge_of_three(program: Program) -> Claim:
    """Three blocks, each with its own log-sum-exp, merged by a softmax over these."""
    record = program.recorder
    score, value = program.matrix("s", 6), program.matrix("v", 6)
    raised = program.exponential(score)
    sums = program.array([program.total(raised[k : k + 2]) for k in (0, 2, 4)])
    parts = program.array([program.dot(raised[k : k + 2], value[k : k + 2]) for k in (0, 2, 4)])
    logs = program.each(record.logarithm, sums)
    merged = record.logarithm(program.total(program.exponential(logs)))
    share = program.exponential(program.minus(logs, merged))
    whole = program.total(raised)
    output = record.multiply(program.dot(raised, value), record.inverse(whole))
    return [
        (program.dot(share, program.over(parts, sums)), output, "output"),
        (merged, record.logarithm(whole), "log-sum-exp"),
    ]


def linear_attention(program: Program) -> Claim:
    inputs = program.inputs(3, 2)
    query = inputs.query[:1]
    score = program.product(query, inputs.key.T)
    one = program.over(program.product(score, inputs.value), program.total(score[0]))
    keys = program.array([program.total(column) for column in inputs.key.T])
    state = program.product(inputs.key.T, inputs.value)
    other = program.over(program.product(query, state), program.dot(query[0], keys))
    return pairs([one], [other])


def cosine(program: Program) -> Claim:
    record = program.recorder
    x, y = program.matrix("x", 3), program.matrix("y", 3)
    squares = [program.dot(each, each) for each in (x, y)]
    norms = [record.inverse(record.square_root(square)) for square in squares]
    dot = program.dot(x, y)
    last = record.multiply(dot, *norms)
    first = program.dot(program.times(x, norms[0]), program.times(y, norms[1]))
    once = record.multiply(dot, record.inverse(record.square_root(record.multiply(*squares))))
    return [(last, first, "normed before"), (last, once, "one root")]


def swish(program: Program) -> Claim:
    record = program.recorder
    x = record.variable("x")
    grown, shrunk = record.exponential(x), record.exponential(record.negate(x))
    below = record.multiply(x, record.inverse(record.add(record.one, shrunk)))
    above = record.multiply(x, grown, record.inverse(record.add(grown, record.one)))
    gate = record.multiply(x, record.apply("sigmoid", x))
    return [(below, above, "x / (1 + 1/E) = x E / (1 + E)"), (below, gate, "x sigmoid(x)")]


def constants_in_exponents(program: Program) -> Claim:
    record = program.recorder
    x = record.variable("x")
    half = record.exponential(record.multiply(program.number(Fraction(1, 2)), x))
    later = record.exponential(record.add(x, record.one))
    return [
        (record.multiply(half, half), record.exponential(x), "exp(x/2)^2"),
        (later, record.multiply(record.exponential(x), record.exponential(record.one)), "e^(x+1)"),
    ]


PROVED: dict[str, Builder] = {
    "shifted by the maximum": against_naive(
        lambda p, inputs: programs.naive(p, inputs, shifted=True)
    ),
    "online in blocks of two": against_naive(programs.online, 4),
    "online in blocks of one": against_naive(lambda p, inputs: programs.online(p, inputs, block=1)),
    "flash": against_naive(programs.flash),
    "log-sum-exp": against_naive(programs.log_sum_exp),
    "log-sum-exp, shifted": against_naive(
        lambda p, inputs: programs.log_sum_exp(p, inputs, shifted=True)
    ),
    "causal, flash": against_causal(
        lambda p, inputs: programs.flash(p, inputs, programs.causal(3))
    ),
    "causal, online": against_causal(
        lambda p, inputs: programs.online(p, inputs, programs.causal(3))
    ),
    "soft cap, opaque": soft_caps("opaque"),
    "soft cap, (E - 1) / (E + 1)": soft_caps("(E - 1) / (E + 1)"),
    "soft cap, (1 - 1/E) / (1 + 1/E)": soft_caps("(1 - 1/E) / (1 + 1/E)"),
    "soft cap, sinh / cosh": soft_caps("sinh / cosh"),
    "soft cap, sigmoid": soft_caps("sigmoid"),
    "softmax-plus-one": plus_one,
    "normed queries, root of the sum": normed_queries("sum"),
    "normed queries, power -1/2": normed_queries("power"),
    "gradient of a norm": norm_gradient,
    "grouped heads": grouped_heads,
    "roots as scale": roots_as_scale,
    "related roots": related_roots,
    "two layers": two_layers,
    "softmax of softmax": softmax_of_softmax,
    "rows, then columns": rows_then_columns,
    "merge of three blocks": merge_of_three,
    "linear attention": linear_attention,
    "cosine": cosine,
    "swish": swish,
    "constants in exponents": constants_in_exponents,
}


@pytest.mark.parametrize("name", PROVED)
def test_proved_and_checked_again(name: str) -> None:
    program = Program()
    claim = PROVED[name](program)
    proof = prove(program.recorder, claim)
    assert isinstance(proof, Proof), proof
    checked = recheck(proof.certificate.to_json())
    assert list(checked.labels) == [label for *_, label in claim]


def wrong_mask(program: Program) -> Claim:
    inputs = program.inputs(3, 2)
    off_by_one = [[0], [0, 1], [0, 1]]
    return pairs(
        programs.naive(program, inputs, programs.causal(3)),
        programs.naive(program, inputs, off_by_one),
    )


def transposed(program: Program) -> Claim:
    inputs = program.inputs(2, 2)
    output = programs.naive(program, inputs)[0]
    return pairs([output], [output.T])


def transposed_gradient(program: Program) -> Claim:
    inputs = program.inputs(2, 2)
    found = programs.naive(program, inputs)[1]
    return pairs([found], [found.T])


def absolute_value(program: Program) -> Claim:
    record = program.recorder
    x = record.variable("x")
    return [(record.square_root(record.multiply(x, x)), x, "sqrt(x^2) = x")]


def wrong_cap(program: Program) -> Claim:
    inputs, record = program.inputs(2, 2), program.recorder
    x = inputs.query[0, 0]
    twice = record.multiply(program.number(2), record.apply("tanh", x))
    return [(twice, record.apply("tanh", record.multiply(program.number(2), x)), "2 tanh x")]


NOT_PROVED: dict[str, Builder] = {
    "no scale": against_naive(lambda p, i: programs.naive(p, i, scale=p.recorder.one), 2),
    "no rescale": against_naive(lambda p, i: programs.online(p, i, rescale=False), 3),
    "1e-9 in the denominator": against_naive(
        lambda p, i: programs.naive(p, i, extra=Fraction(1, 10**9)), 2
    ),
    "half the denominator": against_naive(
        lambda p, i: programs.naive(p, i, factor=Fraction(1, 2)), 2
    ),
    "causal against full": against_causal(programs.naive, 2),
    "mask off by one": wrong_mask,
    "transposed output": transposed,
    "transposed gradient": transposed_gradient,
    "sqrt(x^2) is not x": absolute_value,
    "2 tanh(x) is not tanh(2 x)": wrong_cap,
}


@pytest.mark.parametrize("name", NOT_PROVED)
def test_what_is_different_is_not_proved(name: str) -> None:
    program = Program()
    found = prove(program.recorder, NOT_PROVED[name](program))
    assert isinstance(found, Stuck)
    assert found.reason


def test_a_different_normal_form_names_the_pair() -> None:
    program = Program()
    found = prove(program.recorder, NOT_PROVED["mask off by one"](program))
    assert isinstance(found, Stuck)
    assert found.label == "output[2, 0]"
    assert found.reason == "the two sides of output[2, 0] have different normal forms"


def test_limits_are_named() -> None:
    program = Program()
    claim = against_naive(programs.flash, 4, 4)(program)
    in_time = prove(program.recorder, claim, limit_seconds=0.0)
    assert isinstance(in_time, Stuck)
    assert in_time.reason == "the time limit was reached"
    in_terms = prove(program.recorder, claim, limit_terms=20)
    assert isinstance(in_terms, Stuck)
    assert "20 terms" in in_terms.reason


def test_nothing_to_prove_is_no_proof() -> None:
    assert isinstance(prove(Recorder(), []), Stuck)


@pytest.mark.parametrize("build", [against_causal, against_naive])
def test_speed_and_size_at_four_tokens(build: Callable[..., Builder]) -> None:
    start = time.perf_counter()
    program = Program()
    seen = programs.causal(4) if build is against_causal else None
    claim = build(lambda p, i: programs.flash(p, i, seen), 4, 4)(program)
    proof = prove(program.recorder, claim)
    assert time.perf_counter() - start < 1
    assert isinstance(proof, Proof)
    assert len(proof.certificate.to_json()) < 28_000


@pytest.mark.parametrize("other", [programs.flash, programs.online])
def test_speed_and_size_at_eight_tokens(
    other: Callable[[Program, Inputs], list[programs.Array]],
) -> None:
    start = time.perf_counter()
    program = Program()
    proof = prove(program.recorder, against_naive(other, 8, 4)(program))
    assert time.perf_counter() - start < 10
    assert isinstance(proof, Proof)
    text = proof.certificate.to_json()
    assert len(text) < 120_000
    start = time.perf_counter()
    recheck(text)
    assert time.perf_counter() - start < 3


def test_a_certificate_reads_as_it_was_written() -> None:
    for name in ("flash", "related roots", "soft cap, sigmoid", "merge of three blocks"):
        program = Program()
        proof = prove(program.recorder, PROVED[name](program))
        assert isinstance(proof, Proof)
        assert Certificate.from_json(proof.certificate.to_json()) == proof.certificate


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"format"', '"shape"'),
        ('"expanded":[]', '"expanded":[],"more":[]'),
        ('"expanded":[],\n', ""),
        ("version 1", "version 2"),
        ('["input","q[0, 0]"]', '["input","q[0, 0]",1]'),
        ('["input","q[0, 0]"]', '["surprise","q[0, 0]"]'),
        ('["value",0]', '["value",0.0]'),
        ('["value",0]', '["value",true]'),
        ('["value",0]', "[]"),
        ('["value",0]', '["value",0,0]'),
        ('"expanded":[]', '"expanded":[],"expanded":[]'),
    ],
)
def test_what_is_not_exactly_a_certificate_is_not_read(old: str, new: str) -> None:
    program = Program()
    proof = prove(program.recorder, PROVED["shifted by the maximum"](program))
    assert isinstance(proof, Proof)
    text = proof.certificate.to_json()
    assert text.count(old) == 1
    with pytest.raises(CertificateError):
        Certificate.from_json(text.replace(old, new))


def test_cuts_are_shared_and_whole() -> None:
    program = Program()
    inputs = program.inputs(2, 2)
    claim = pairs(programs.naive(program, inputs), programs.flash(program, inputs))
    sides = [(left, right) for left, right, _ in claim]
    instructions = program.recorder.instructions
    assert cuts(instructions, sides, "none") == frozenset()
    exponents = cuts(instructions, sides, "exponents")
    dots = program.product(inputs.query, inputs.key.T)
    assert exponents == set(dots.flat)
    assert exponents <= cuts(instructions, sides, "all")


def test_one_pair_with_itself_needs_no_definitions() -> None:
    program = Program()
    output = programs.naive(program, program.inputs(2, 2))[0]
    proof = prove(program.recorder, pairs([output], [numpy.copy(output)]))
    assert isinstance(proof, Proof)
    assert not proof.certificate.definitions
