"""What a person's own input can get wrong, said in one line."""

from __future__ import annotations

from derive.visible import shortened, visible

MOST_CHARACTERS = 200
"""The longest that each part of a message gets; what it quotes may be of any length."""


class InputError(Exception):
    """One line: where (file), which key, what is wrong, and what to write instead.

    ``said`` is the line without the place, for who knows a better one.
    """

    def __init__(self, where: str, key: str, problem: str, remedy: str) -> None:
        self.where, self.key, self.problem, self.remedy = where, key, problem, remedy
        place, what, instead = (
            visible(shortened(part, MOST_CHARACTERS))
            for part in (f"{where}: {key}" if key else where, problem, remedy)
        )
        self.said = f"{what}; {instead}"
        super().__init__(f"{place}: {self.said}")
