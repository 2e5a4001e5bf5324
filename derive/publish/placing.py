"""Where a mistake stands: the line of a fence in its page, and of a key in its fence."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from derive.text_yaml import compose

_OPENING = re.compile(r"^(?P<before>[ \t>]*)(?P<ticks>`{3,}|~{3,})[ \t]*\{?[ .]*attention\b")
_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")


def fence_line(page: str, source: str) -> int | None:
    """Return the line, from 1, of the fence that holds ``source``; None where there is none."""
    wanted = _squeezed(source)
    for line, body in _fences(page):
        if _squeezed(body) == wanted:
            return line
    return None


def inline_line(page: str, request: str) -> int | None:
    """Return the line, from 1, on which an inline request stands."""
    for number, line in enumerate(page.splitlines(), start=1):
        if request in line:
            return number
    return None


def key_line(source: str, key: str) -> int | None:
    """Return the line, from 1, of a key such as ``query``, ``vectors[2]`` or ``show.0``.

    The nearest key above it that is there, where it is not; None where none is.
    """
    # What cannot be read as YAML has no keys: the line is told in place of one.
    told = re.fullmatch(r"line (\d{1,9})", key)
    found = int(told[1]) if told else None
    try:
        node = compose(source)
    except yaml.YAMLError:
        return found
    for number, name in _STEP.findall(key):
        if isinstance(node, yaml.MappingNode):
            named = {k.value: (k, v) for k, v in node.value if isinstance(k, yaml.ScalarNode)}
            below = named.get(name or number)
            if below is None:
                break
            found, node = below[0].start_mark.line + 1, below[1]
        elif isinstance(node, yaml.SequenceNode):
            # Our own reader counts from 1, in brackets; pydantic from 0, after a dot.
            place = _whole(number) - 1 if number else _whole(name)
            if not 0 <= place < len(node.value):
                break
            node = node.value[place]
            found = node.start_mark.line + 1
        else:
            break
    return found


def _whole(text: str) -> int:
    """Return the number that a step of a key is; -1 where it is none that a list could have."""
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1


def _fences(page: str) -> Iterator[tuple[int, str]]:
    """Yield each fence's first line, and what stands in it."""
    lines = page.splitlines()
    for number, line in enumerate(lines, start=1):
        opening = _OPENING.match(line)
        if opening is None:
            continue
        body = []
        for inside in lines[number:]:
            if inside.strip(" \t>").startswith(opening["ticks"]):
                break
            body.append(inside.removeprefix(opening["before"]))
        yield number, "\n".join(body)


def _squeezed(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]
