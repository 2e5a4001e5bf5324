"""What stands in an ``attention`` fence: which sentence or mechanism, and which parts to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from derive.attention import MECHANISMS
from derive.composition import Composition
from derive.errors import InputError
from derive.examples import Example, example_from, load
from derive.formula import Mechanism
from derive.sentence_file import SentenceFile, check_texts, in_one_line
from derive.settings import MECHANISM_NAMES, Settings, SettingsKeys
from derive.text_yaml import load_yaml
from derive.variants import ATLAS
from derive.variants.variant import Variant

SENTENCE_PARTS = (
    "numbers",
    "vectors",
    "matrices",
    "projection",
    "score",
    "normalise",
    "weighted-sum",
    "heatmap",
    "step-through",
    "lengths",
    "printed",
)
MECHANISM_PARTS = ("formula", "matrix", "written-out", "properties", "code")
VARIANT_PARTS = (
    "changes", "shapes", "inputs", "weights", "gradient", "cost", "sources", "implementations",
    "torch-code", "checked",
)  # fmt: skip
ATLAS_PARTS = ("atlas", "atlas-summary", "compare", "theorem")
EVIDENCE_PARTS = ("summary", "comparisons", "reproductions", "property-table", "versions")
LONE_PARTS = ("weight", "two-shapes", "torch", "yaml")
ROUNDING_PARTS = (
    "rounding-output",
    "rounding-gradients",
    "rounding-proof",
    "rounding-constants",
)
MEASURED_PARTS = ("rounding-summary", "rounding-bugs", "rounding-alarms", "rounding-tightness")

Part = Literal[
    "numbers", "vectors", "matrices", "projection", "score", "normalise", "weighted-sum",
    "heatmap", "step-through", "lengths", "printed",
    "formula", "matrix", "written-out", "properties", "code",
    "changes", "shapes", "inputs", "weights", "gradient", "cost", "sources", "implementations",
    "torch-code", "checked",
    "atlas", "atlas-summary", "compare", "theorem",
    "summary", "comparisons", "reproductions", "property-table", "versions",
    "weight", "two-shapes", "torch", "yaml",
    "rounding-output", "rounding-gradients", "rounding-proof", "rounding-constants",
    "rounding-summary", "rounding-bugs", "rounding-alarms", "rounding-tightness",
]  # fmt: skip

StageName = Literal["projection", "score", "normalise", "weighted-sum"]

DEFAULT_PARTS: tuple[Part, ...] = ("numbers", "heatmap")
SENTENCE_KEYS = ("tokens", "vectors", "title", "sentence", "source")


class Block(SettingsKeys):
    """The keys of a fence. Its sentence is named (``example``), or written (``tokens`` ...).

    ``stages`` are those that ``numbers`` and ``formula`` show; all of them unless it is given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    example: str | None = None
    tokens: list[str] | None = None
    vectors: list[list[str]] | dict[str, list[str]] | None = None
    title: str | None = None
    sentence: str | None = None
    source: str | None = None
    query: str | None = None
    key: str | None = None
    stages: list[StageName] | None = None
    theorem: str | None = None
    show: list[Part] = Field(default_factory=lambda: list(DEFAULT_PARTS))
    digits: int = Field(default=4, ge=1, le=12)
    language: str | None = None
    n: int = Field(default=2, ge=1, le=6)
    d: int = Field(default=2, ge=1, le=6)
    functions: list[str] = Field(default_factory=list)
    printed: list[str] = Field(default_factory=list)
    queries: dict[str, list[str]] | None = None
    keys: dict[str, list[str]] | None = None
    values: dict[str, list[str]] | None = None

    @field_validator("mechanism")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        known = [*MECHANISMS, *ATLAS]
        if name is not None and name not in known:
            expected = ", ".join(repr(key) for key in known[:-1]) + f" or {known[-1]!r}"
            raise PydanticCustomError("literal_error", "unknown", {"expected": expected})
        return name


@dataclass(frozen=True)
class Request:
    """A checked fence: the block, its sentence if it has one, and the query's position from 0.

    ``settings`` are those of the fence, and of its sentence's file where the fence says nothing.
    """

    block: Block
    example: Example | None
    query: int
    settings: Settings

    @property
    def name(self) -> str:
        """The name of the mechanism: as the fence or the sentence's file says it, or softmax."""
        return self.settings.mechanism or "softmax"

    @property
    def composition(self) -> Composition:
        """The attention that the fence's sentence is worked with."""
        sentence, block = self.sentence, self.block
        said_here = (block.mechanism, block.scale, block.mask, block.projections)
        where = sentence.where if said_here == (None,) * 4 else FENCE
        return self.settings.composition(sentence.shape[1], where)

    @property
    def mechanism(self) -> Mechanism:
        """The mechanism that the fence names, composed where it says more of one."""
        if self.name in MECHANISM_NAMES and self.example is not None:
            return self.composition.mechanism
        unused = [
            key
            for key, value in (
                ("scale", self.settings.scale),
                ("mask", self.settings.causal),
                ("projections", self.settings.projections),
            )
            if value is not None
        ]
        if unused:
            raise InputError(
                FENCE,
                unused[0],
                "this is about a sentence that is worked with softmax, sum, raw or shifted",
                f"leave {unused[0]} out, or name a sentence (example: journey)",
            )
        return MECHANISMS[self.name] if self.name in MECHANISMS else ATLAS[self.name].mechanism

    @property
    def variant(self) -> Variant:
        """The mechanism of the atlas that the fence names."""
        name = self.name
        if name not in ATLAS:
            raise InputError(
                FENCE,
                "mechanism",
                f"{name} is not in the atlas",
                "run 'derive list' for the mechanisms that are",
            )
        return ATLAS[name]

    @property
    def sentence(self) -> Example:
        """The sentence; parts that need one raise ``InputError`` where there is none."""
        if self.example is None:
            raise InputError(
                FENCE,
                "example",
                "these parts need a sentence",
                "name one (example: journey) or write tokens: and vectors:",
            )
        return self.example


FENCE = "attention fence"
"""What a message calls a fence that nothing more is known of."""


def read_block(source: str, where: str = FENCE, folder: Path | None = None) -> Request:
    """Read the YAML inside a fence; ``InputError`` says in one line what to change.

    ``folder`` is where the files lie that it may name.
    """
    data = load_yaml(source, where=where)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise InputError(where, "", "this is not a mapping", "write keys such as example: journey")
    check_texts(data, where)
    block = _validated(data, where)
    for key in ("show", "functions"):
        _check_once(getattr(block, key), where, key)
    example = _sentence(block, data, where, folder)
    query = 0
    if example is not None:
        query = example.query if block.query is None else example.position(block.query, where=where)
    settings = block.settings(where)
    return Request(block, example, query, settings.over(example.settings) if example else settings)


def _check_once(names: Sequence[str], where: str, key: str) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(where, f"{key}.{place}", f"{name} stands twice", "leave one out")


def _sentence(
    block: Block, data: dict[str, Any], where: str, folder: Path | None
) -> Example | None:
    written = {key: data[key] for key in SENTENCE_KEYS if key in data}
    if block.example is not None:
        if written:
            raise InputError(
                where,
                next(iter(written)),
                "the sentence is both named and written",
                "keep example:, or tokens: and vectors:",
            )
        return load(block.example, folder)
    if not written:
        return None
    return example_from(SentenceFile.from_data(written, where=where), "fence", where)


def _validated(data: dict[str, Any], where: str) -> Block:
    try:
        return Block.model_validate(data)
    except ValidationError as error:
        # A misspelt key says more than what it made of the others.
        found = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        key = ".".join(str(step) for step in found["loc"])
        if found["type"] == "extra_forbidden":
            settings = SettingsKeys.model_fields
            own = [name for name in Block.model_fields if name not in settings]
            known = ", ".join([*own, *settings])
            raise InputError(where, key, "this key is unknown", f"the keys are {known}") from None
        if found["type"] == "literal_error":
            given, expected = found["input"], found["ctx"]["expected"]
            raise InputError(where, key, f"{given!r} is unknown", f"write {expected}") from None
        if found["type"] == "string_type" or found["loc"][0] in (*SENTENCE_KEYS, "projections"):
            raise in_one_line(error, where) from None
        problem, remedy = _WRONG_TYPES.get(
            found["type"], (found["msg"][0].lower() + found["msg"][1:], "correct it")
        )
        raise InputError(where, key, problem, remedy) from None


_WRONG_TYPES = {
    "list_type": ("this is not a list", "write it in brackets, as in [first, second]"),
    "dict_type": ("these are no rows with labels", "write them as in who: [1, 0]"),
    "int_type": ("this is not a whole number", "write one such as 4"),
    "int_parsing": ("this is not a whole number", "write one such as 4"),
}
