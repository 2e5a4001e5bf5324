"""Every published result of the notes' sentences, made again from the same input in two ways.

The note's own steps run in torch's float32, and the derived value is worked out to 50 digits; both
must give the printed digits. ``published`` has what a book prints for the second sentence.
"""

from __future__ import annotations

from torch import Tensor

from derive.attention import SUM_NORMALISED
from derive.evidence import Reproduction
from derive.examples import BUILT_IN, Example, load
from derive.formula import a, s, z
from numeric import reference
from numeric.published import PUBLISHED
from numeric.reproduction import (
    Printed,
    fraction,
    numbers,
    put_numbers,
    reproductions,
    shown_numbers,
)

__all__ = [
    "PRINTED",
    "Printed",
    "fraction",
    "numbers",
    "put_numbers",
    "reproduce",
    "reproductions",
]

IN_THE_NOTE = "printed in the note"
FOR_THIS_SENTENCE = "published for this sentence"


def reproduce(example: Example) -> tuple[Reproduction, ...]:
    """Make every printed result of a built-in sentence again; other sentences have none."""
    if example.name not in BUILT_IN or example != load(example.name):
        return ()
    wanted = [printed for printed in (*PRINTED, *PUBLISHED) if printed.example == example.name]
    return tuple(row for printed in wanted for row in reproductions(printed, example))


def _scores_of_query(inputs: Tensor, query: int) -> Tensor:
    return reference.scores_of_one_query(inputs[query], inputs)


def _jim_scores(inputs: Tensor) -> Tensor:
    return _scores_of_query(inputs, 0)


def _jim_weights(inputs: Tensor) -> Tensor:
    return reference.softmax_by_torch(_jim_scores(inputs))


def _all_weights(inputs: Tensor) -> Tensor:
    return reference.weights_by_matrix(reference.scores_of_all_pairs(inputs))


def _journey_weights(inputs: Tensor) -> Tensor:
    return reference.softmax_by_hand(_scores_of_query(inputs, 1))


PRINTED = (
    Printed(
        "jim-john",
        "scores of jim",
        IN_THE_NOTE,
        "tensor([0.1400, 0.2000, 0.2600, 0.3200, 0.3800, 0.4400, 0.5000, 0.5600])",
        lambda inputs: str(_jim_scores(inputs)),
        lambda arrays: arrays[s][0],
    ),
    Printed(
        "jim-john",
        "weights of jim, normalised by the sum",
        IN_THE_NOTE,
        "tensor([0.0500, 0.0714, 0.0929, 0.1143, 0.1357, 0.1571, 0.1786, 0.2000])",
        lambda inputs: str(reference.normalised_by_sum(_jim_scores(inputs))),
        lambda arrays: arrays[a][0],
        SUM_NORMALISED,
    ),
    Printed(
        "jim-john",
        "weights of jim, softmax by hand",
        IN_THE_NOTE,
        "[0.10037188 0.10657853 0.11316898 0.12016696 0.12759766 0.13548787\n"
        " 0.14386596 0.15276214]",
        lambda inputs: str(reference.softmax_by_hand(_jim_scores(inputs)).numpy()),
        lambda arrays: arrays[a][0],
        every_digit=True,
    ),
    Printed(
        "jim-john",
        "weights of jim, torch.softmax",
        IN_THE_NOTE,
        "tensor([0.1004, 0.1066, 0.1132, 0.1202, 0.1276, 0.1355, 0.1439, 0.1528])",
        lambda inputs: str(_jim_weights(inputs)),
        lambda arrays: arrays[a][0],
    ),
    Printed(
        "jim-john",
        "sum of the weights of jim",
        IN_THE_NOTE,
        "sum is :1.0",
        lambda inputs: f"sum is :{_jim_weights(inputs).sum()}",
        lambda arrays: [sum(arrays[a][0])],
    ),
    Printed(
        "jim-john",
        "context vector of jim",
        IN_THE_NOTE,
        "tensor([0.4814, 0.5814, 0.6814])",
        lambda inputs: str(reference.context_of_one_query(_jim_weights(inputs), inputs)),
        lambda arrays: arrays[z][0],
    ),
    Printed(
        "jim-john",
        "scores of all pairs",
        IN_THE_NOTE,
        """\
tensor([[0.1400, 0.2000, 0.2600, 0.3200, 0.3800, 0.4400, 0.5000, 0.5600],
        [0.2000, 0.2900, 0.3800, 0.4700, 0.5600, 0.6500, 0.7400, 0.8300],
        [0.2600, 0.3800, 0.5000, 0.6200, 0.7400, 0.8600, 0.9800, 1.1000],
        [0.3200, 0.4700, 0.6200, 0.7700, 0.9200, 1.0700, 1.2200, 1.3700],
        [0.3800, 0.5600, 0.7400, 0.9200, 1.1000, 1.2800, 1.4600, 1.6400],
        [0.4400, 0.6500, 0.8600, 1.0700, 1.2800, 1.4900, 1.7000, 1.9100],
        [0.5000, 0.7400, 0.9800, 1.2200, 1.4600, 1.7000, 1.9400, 2.1800],
        [0.5600, 0.8300, 1.1000, 1.3700, 1.6400, 1.9100, 2.1800, 2.4500]])""",
        lambda inputs: str(reference.scores_of_all_pairs(inputs)),
        lambda arrays: arrays[s].ravel(),
    ),
    Printed(
        "jim-john",
        "weights of all pairs",
        IN_THE_NOTE,
        """\
tensor([[0.1004, 0.1066, 0.1132, 0.1202, 0.1276, 0.1355, 0.1439, 0.1528],
        [0.0893, 0.0977, 0.1069, 0.1170, 0.1280, 0.1401, 0.1533, 0.1677],
        [0.0791, 0.0892, 0.1006, 0.1134, 0.1278, 0.1441, 0.1625, 0.1832],
        [0.0698, 0.0810, 0.0942, 0.1094, 0.1271, 0.1477, 0.1716, 0.1993],
        [0.0612, 0.0733, 0.0878, 0.1051, 0.1258, 0.1506, 0.1803, 0.2159],
        [0.0535, 0.0660, 0.0815, 0.1005, 0.1240, 0.1530, 0.1887, 0.2328],
        [0.0466, 0.0592, 0.0753, 0.0957, 0.1217, 0.1547, 0.1967, 0.2500],
        [0.0404, 0.0529, 0.0693, 0.0908, 0.1190, 0.1559, 0.2042, 0.2675]])""",
        lambda inputs: str(_all_weights(inputs)),
        lambda arrays: arrays[a].ravel(),
    ),
    Printed(
        "jim-john",
        "context vectors of all words",
        IN_THE_NOTE,
        """\
tensor([[0.4814, 0.5814, 0.6814],
        [0.4968, 0.5968, 0.6968],
        [0.5120, 0.6120, 0.7120],
        [0.5269, 0.6269, 0.7269],
        [0.5413, 0.6413, 0.7413],
        [0.5553, 0.6553, 0.7553],
        [0.5688, 0.6688, 0.7688],
        [0.5817, 0.6817, 0.7817]])""",
        lambda inputs: str(reference.contexts_by_matrix(_all_weights(inputs), inputs)),
        lambda arrays: arrays[z].ravel(),
    ),
    Printed(
        "journey",
        "scores of journey",
        FOR_THIS_SENTENCE,
        "0.9544 1.4950 1.4754 0.8434 0.7070 1.0865",
        lambda inputs: shown_numbers(_scores_of_query(inputs, 1)),
        lambda arrays: arrays[s][1],
    ),
    Printed(
        "journey",
        "weights of journey",
        FOR_THIS_SENTENCE,
        "0.1385 0.2379 0.2333 0.1240 0.1082 0.1581",
        lambda inputs: shown_numbers(_journey_weights(inputs)),
        lambda arrays: arrays[a][1],
    ),
    Printed(
        "journey",
        "context vector of journey",
        FOR_THIS_SENTENCE,
        "0.4419 0.6515 0.5683",
        lambda inputs: shown_numbers(
            reference.context_of_one_query(_journey_weights(inputs), inputs)
        ),
        lambda arrays: arrays[z][1],
    ),
)
"""The results as they stand in the first note; the second note prints none, so those published
elsewhere for its sentence stand here."""
