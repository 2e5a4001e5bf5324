"""Why a torch program was not captured, in one line with the remedy."""

from __future__ import annotations

from derive.errors import InputError


class CaptureError(InputError):
    """A program that no graph can stand for.

    ``reason`` is a short fixed name of the cause: ``"random"``, ``"value-dependent"``.
    """

    def __init__(self, reason: str, where: str, key: str, problem: str, remedy: str) -> None:
        self.reason = reason
        super().__init__(where, key, problem, remedy)
