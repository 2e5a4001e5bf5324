"""Print without the blanks that rich puts after a line: output that can be copied and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment


class Trimmed:
    """A renderable whose lines end where their last visible character ends."""

    def __init__(self, renderable: RenderableType) -> None:
        self.renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for line in console.render_lines(self.renderable, options, pad=False):
            yield from _without_last_blanks(line)
            yield Segment.line()


def _without_last_blanks(line: Iterable[Segment]) -> list[Segment]:
    kept = [segment for segment in line if not segment.control]
    while kept:
        text = kept[-1].text.rstrip(" ")
        if text:
            kept[-1] = Segment(text, kept[-1].style)
            break
        kept.pop()
    return kept
