"""The programs of the theorems compute them; loop bodies with a mistake are refuted."""

import math
from dataclasses import replace

import pytest
import torch

from derive.formula import FormulaError, array, d, i, k, n
from derive.theorems import THEOREMS
from derive.theorems.theorem import Recurrence
from numeric import theorem_programs as programs
from numeric.theorems import check_program, check_theorem_programs, one_step, theorem_programs

NAMES = [program.function.__name__ for program in theorem_programs()]


@pytest.mark.parametrize("program", theorem_programs(), ids=NAMES)
def test_a_program_computes_what_its_theorem_says(program):
    found = check_program(program)
    assert (found.verdict, found.passed) == ("proved", True)
    assert found.source.startswith(f"def {found.program}(")
    assert found.theorem in THEOREMS
    assert found.shapes


def test_a_loop_is_proved_at_several_numbers_of_tokens():
    (loop,) = (p for p in theorem_programs() if p.function is programs.attention_by_blocks)
    # Blocks of two: one alone, one and a half, two, and two and a half.
    assert loop.tokens == (2, 3, 4, 5)
    assert check_program(loop).shapes.count("Q K") == 4


def test_the_programs_of_one_theorem_are_found_by_its_name():
    told = []
    found = check_theorem_programs(told.append, theorem="dropout-expectation")
    assert [(row.theorem, row.program) for row in found] == [("dropout-expectation", "dropped_out")]
    assert told == ["dropout-expectation: dropped_out"]
    assert check_theorem_programs(theorem="vectors-on-a-line") == ()
    with pytest.raises(KeyError, match="is no theorem"):
        check_theorem_programs(theorem="no-such-theorem")


def merge_without_shrinking(s, V, m, m_1, D_1, o_1):
    D, o = programs.merge_block(s, V, m, m_1, D_1, 0 * o_1)
    return D, o + o_1


def merge_shrinking_the_wrong_way(s, V, m, m_1, D_1, o_1):
    D, o = programs.merge_block(s, V, m, 2 * m - m_1, D_1, o_1)
    return D, o


def blocks_that_forget_the_last(Q, K, V):
    even = len(K) // 2 * 2
    return programs.attention_by_blocks(Q, K[:even], V[:even])


def halves_of_equal_weight(Q, K, V):
    half = len(K) // 2
    if not half:
        return programs.decode_step(Q, K, V)
    parts = (programs.decode_step(Q, K[part], V[part]) for part in (slice(half), slice(half, None)))
    return sum(parts) / 2


def masked_and_not_mended(Q, K, V):
    weights = torch.softmax(Q @ K.T / math.sqrt(Q.shape[1]), dim=1)
    return torch.tril(weights) @ V


def decoding_before_the_key_is_there(Q, K, V):
    keys = torch.cat([K[:1], K[:-1]])
    values = torch.cat([V[:1], V[:-1]])
    return programs.decode(Q, keys, values)


def state_without_the_new_value(S, u, G, V):
    return S + G[:, None] + 0 * V, u + G


def state_that_keeps_nothing(Q, K, V):
    F, G = torch.exp(Q), torch.exp(K)
    return torch.stack([F[t] @ torch.outer(G[t], V[t]) / (F[t] @ G[t]) for t in range(len(Q))])


def decay_of_the_new(S, g, K, V):
    return torch.exp(g)[:, None, None] * (S + K[:, :, None] * V[:, None, :])


def gate_on_the_values(S, f, K, V):
    return torch.exp(f)[:, None] * S + torch.outer(K * torch.exp(f), V)


def gradient_without_the_mean(a, abar):
    return a * abar


def gradient_with_the_mean_of_a_column(a, abar):
    return a * (abar - (a * abar).sum(dim=0, keepdim=True))


def block_without_the_row_sum(Q, K, V, zbar, m, D_m, R):
    return programs.backward_block(Q, K, V, zbar, m, D_m, 0 * R)


def block_with_the_block_s_own_sum(Q, K, V, zbar):
    parts = [
        programs.backward_by_blocks(Q, K[start : start + 2], V[start : start + 2], zbar)
        for start in range(0, len(K), 2)
    ]
    Qbar = sum((part[0] for part in parts[1:]), parts[0][0])
    return Qbar, torch.cat([part[1] for part in parts]), torch.cat([part[2] for part in parts])


def dropped_and_not_divided(a, B, V):
    return a * B @ V


def view_without_transpose(x, W_q, W_k, W_v, W_o):
    heads, tokens = 2, len(x)
    Q, K, V = ((x @ weights.T).view(heads, tokens, -1) for weights in (W_q, W_k, W_v))
    a = torch.softmax(Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2]), dim=2)
    return (a @ V).transpose(0, 1).reshape(tokens, -1) @ W_o.T


def keys_tiled_instead_of_repeated(x, W_q, W_k, W_v, W_o):
    tokens = len(x)
    Q = (x @ W_q.T).view(tokens, 4, -1).transpose(0, 1)
    K, V = ((x @ weights.T).view(tokens, 2, -1).transpose(0, 1) for weights in (W_k, W_v))
    K, V = K.repeat(2, 1, 1), V.repeat(2, 1, 1)
    a = torch.softmax(Q @ K.transpose(1, 2) / math.sqrt(Q.shape[2]), dim=2)
    return (a @ V).transpose(0, 1).reshape(tokens, -1) @ W_o.T


def bias_with_the_other_sign(Q, K, V, m):
    return programs.key_bias(Q, K, V, -m)


def sink_with_a_value(Q, K, V, b):
    return programs.one_key_more(Q, K, V, b) + 1


def sigmoid_against_the_bias(Q, K, V, b):
    return programs.one_of_two(Q, K, V, 0 * b)


def absorbed_with_the_scale_of_keys(Q, C, W_uk, W_uv, R_q, R_k):
    scale = math.sqrt((Q.shape[2] + R_q.shape[2]) / Q.shape[2])
    return programs.absorbed(Q * scale, C, W_uk, W_uv, R_q * scale, R_k)


def halves_not_sorted(Q, K, V, theta):
    order = torch.tensor([0, 2, 1, 3])
    return programs.halves_sorted(Q[:, order], K[:, order], V, theta)


BROKEN = {
    merge_without_shrinking: programs.merge_block,
    merge_shrinking_the_wrong_way: programs.merge_block,
    blocks_that_forget_the_last: programs.attention_by_blocks,
    halves_of_equal_weight: programs.merged_halves,
    masked_and_not_mended: programs.mended,
    decoding_before_the_key_is_there: programs.decode,
    state_without_the_new_value: programs.linear_step,
    state_that_keeps_nothing: programs.linear_recurrence,
    decay_of_the_new: programs.retention_step,
    gate_on_the_values: programs.gated_step,
    gradient_without_the_mean: programs.softmax_gradient,
    gradient_with_the_mean_of_a_column: programs.softmax_gradient,
    block_without_the_row_sum: programs.backward_block,
    block_with_the_block_s_own_sum: programs.backward_by_blocks,
    dropped_and_not_divided: programs.dropped_out,
    view_without_transpose: programs.multi_head,
    keys_tiled_instead_of_repeated: programs.grouped_query,
    bias_with_the_other_sign: programs.key_bias,
    sink_with_a_value: programs.one_key_more,
    sigmoid_against_the_bias: programs.one_of_two,
    absorbed_with_the_scale_of_keys: programs.absorbed,
    halves_not_sorted: programs.halves_sorted,
}


def test_every_theorem_with_programs_has_a_broken_one():
    broken = {p.theorem for p in theorem_programs() if p.function in BROKEN.values()}
    assert broken == {p.theorem for p in theorem_programs()}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda function: function.__name__)
def test_a_program_with_a_mistake_is_refuted(broken):
    (program,) = (p for p in theorem_programs() if p.function is BROKEN[broken])
    found = check_program(replace(program, function=broken, tokens=program.tokens[-1:]))
    assert (found.verdict, found.passed) == ("refuted", False)


def test_a_step_that_reads_two_places_of_one_array_has_no_program_of_its_own():
    S, f = array("S"), array("f")
    made = Recurrence(S[i, k], i, f[1, k], S[i - 1, k] + f[i - 1, k] * f[i, k], (n, d))
    with pytest.raises(FormulaError, match="reads S, f at the place before"):
        one_step("the state", made)
