"""What a person's own input can get wrong, said in one line."""

from __future__ import annotations


class InputError(Exception):
    """One line: where (file), which key, what is wrong, and what to write instead."""

    def __init__(self, where: str, key: str, problem: str, remedy: str) -> None:
        self.where, self.key, self.problem, self.remedy = where, key, problem, remedy
        place = f"{where}: {key}" if key else where
        super().__init__(f"{place}: {problem}; {remedy}")
