"""What stands in an ``attention`` fence: which sentence or mechanism, and which parts to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from derive.attention import MECHANISMS
from derive.errors import InputError
from derive.examples import Example, example_from, load
from derive.formula import Mechanism
from derive.sentence_file import SentenceFile, load_yaml
from derive.variants import ATLAS
from derive.variants.variant import Variant

SENTENCE_PARTS = (
    "vectors",
    "score",
    "normalise",
    "weighted-sum",
    "heatmap",
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
    "vectors", "score", "normalise", "weighted-sum", "heatmap", "lengths", "printed",
    "formula", "matrix", "written-out", "properties", "code",
    "changes", "shapes", "inputs", "weights", "gradient", "cost", "sources", "implementations",
    "torch-code", "checked",
    "atlas", "atlas-summary", "compare", "theorem",
    "summary", "comparisons", "reproductions", "property-table", "versions",
    "weight", "two-shapes", "torch", "yaml",
    "rounding-output", "rounding-gradients", "rounding-proof", "rounding-constants",
    "rounding-summary", "rounding-bugs", "rounding-alarms", "rounding-tightness",
]  # fmt: skip

DEFAULT_PARTS: tuple[Part, ...] = ("score", "normalise", "weighted-sum", "heatmap")
SENTENCE_KEYS = ("tokens", "vectors", "title", "sentence", "source")


class Block(BaseModel):
    """The keys of a fence. Its sentence is named (``example``), or written (``tokens`` ...)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    example: str | None = None
    tokens: list[str] | None = None
    vectors: list[list[str]] | dict[str, list[str]] | None = None
    title: str | None = None
    sentence: str | None = None
    source: str | None = None
    query: str | None = None
    key: str | None = None
    mechanism: str = "softmax"
    theorem: str | None = None
    show: list[Part] = Field(default_factory=lambda: list(DEFAULT_PARTS))
    digits: int = Field(default=4, ge=1, le=12)
    n: int = Field(default=2, ge=1, le=6)
    d: int = Field(default=2, ge=1, le=6)
    functions: list[str] = Field(default_factory=list)
    printed: list[str] = Field(default_factory=list)
    queries: dict[str, list[str]] | None = None
    keys: dict[str, list[str]] | None = None
    values: dict[str, list[str]] | None = None

    @field_validator("mechanism")
    @classmethod
    def _known(cls, name: str) -> str:
        known = [*MECHANISMS, *ATLAS]
        if name not in known:
            expected = ", ".join(repr(key) for key in known[:-1]) + f" or {known[-1]!r}"
            raise PydanticCustomError("literal_error", "unknown", {"expected": expected})
        return name


@dataclass(frozen=True)
class Request:
    """A checked fence: the block, its sentence if it has one, and the query's position from 0."""

    block: Block
    example: Example | None
    query: int

    @property
    def mechanism(self) -> Mechanism:
        """The mechanism that the fence names."""
        name = self.block.mechanism
        return MECHANISMS[name] if name in MECHANISMS else ATLAS[name].mechanism

    @property
    def variant(self) -> Variant:
        """The mechanism of the atlas that the fence names."""
        name = self.block.mechanism
        if name not in ATLAS:
            raise InputError(
                "attention fence",
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
                "attention fence",
                "example",
                "these parts need a sentence",
                "name one (example: journey) or write tokens: and vectors:",
            )
        return self.example


def read_block(source: str, where: str = "attention fence") -> Request:
    """Read the YAML inside a fence; ``InputError`` says in one line what to change."""
    data = load_yaml(source, where=where)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise InputError(where, "", "this is not a mapping", "write keys such as example: journey")
    block = _validated(data, where)
    example = _sentence(block, data, where)
    query = 0
    if example is not None:
        query = example.query if block.query is None else example.position(block.query, where=where)
    return Request(block, example, query)


def _sentence(block: Block, data: dict[str, Any], where: str) -> Example | None:
    written = {key: data[key] for key in SENTENCE_KEYS if key in data}
    if block.example is not None:
        if written:
            raise InputError(
                where,
                next(iter(written)),
                "the sentence is both named and written",
                "keep example:, or tokens: and vectors:",
            )
        return load(block.example)
    if not written:
        return None
    return example_from(SentenceFile.from_data(written, where=where), "fence", where)


def _validated(data: dict[str, Any], where: str) -> Block:
    try:
        return Block.model_validate(data)
    except ValidationError as error:
        found = error.errors()[0]
        key = ".".join(str(step) for step in found["loc"])
        if found["type"] == "extra_forbidden":
            known = ", ".join(Block.model_fields)
            raise InputError(where, key, "this key is unknown", f"the keys are {known}") from None
        if found["type"] == "literal_error":
            given, expected = found["input"], found["ctx"]["expected"]
            raise InputError(where, key, f"{given!r} is unknown", f"write {expected}") from None
        raise InputError(
            where, key, found["msg"][0].lower() + found["msg"][1:], "correct it"
        ) from None
