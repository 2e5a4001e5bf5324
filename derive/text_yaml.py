"""YAML whose every scalar stays the text that was written: nothing in it is evaluated."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import yaml

from derive.errors import InputError
from derive.visible import quoted

MOST_CHARACTERS = 500_000
"""The longest text that is read as YAML, which takes some seconds."""


class _TextLoader(yaml.SafeLoader):
    """YAML whose scalars stay text: ``0.10`` keeps its zero, and ``no`` is a word."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, "an alias (*name) may not stand for a value", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        # A tag may call anything a mapping; what is none, the loader itself refuses.
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {quoted(key.value)} stands twice", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        """Return the text; two halves of one character, as JSON escapes it, become that one."""
        text = super().construct_scalar(node)
        try:
            text.encode()
        except UnicodeEncodeError:
            with suppress(UnicodeDecodeError):
                return text.encode("utf-16", "surrogatepass").decode("utf-16")
        return text

    def flatten_mapping(self, node: Any) -> None:
        """Leave a mapping as it is written: ``<<`` is a key like any other."""


_TextLoader.yaml_implicit_resolvers = {}
# Tags such as !!int or !!python/object would build other values than text.
_TextLoader.yaml_constructors = {
    tag: build
    for tag, build in yaml.SafeLoader.yaml_constructors.items()
    if tag in (None, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")))
}


def compose(text: str) -> yaml.Node | None:
    """Return YAML as nodes, which know their lines; what is no YAML is a ``yaml.YAMLError``."""
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError("it is too long")
    try:
        return yaml.compose(text, Loader=_TextLoader)
    except (RecursionError, ValueError, OverflowError) as error:
        raise yaml.YAMLError(str(error)) from None


def load_yaml(text: str, *, where: str) -> Any:
    """Load YAML with every scalar as text; a syntax error becomes an ``InputError``."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            where, "", f"it has {len(text):,} characters", f"give at most {MOST_CHARACTERS:,}"
        )
    try:
        return yaml.load(text, Loader=_TextLoader)  # noqa: S506 - a SafeLoader that builds only text
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}" if mark else ""
        problem = error.problem or error.context or "it cannot be read"
        raise InputError(where, line, f"not YAML: {problem}", "correct that line") from None
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise InputError(where, "", f"not YAML: {problem}", "write it as plain text") from None
    except RecursionError:
        raise InputError(
            where, "", "it is nested too deeply", "write tokens: and vectors:"
        ) from None
    except (ValueError, OverflowError):
        # PyYAML's own scanner lets these through for a %YAML version or a \U escape out of range.
        raise InputError(
            where, "", "not YAML: a number or an escape in it is out of range", "correct it"
        ) from None
