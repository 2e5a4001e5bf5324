"""Maths rendered to HTML at build time, so that readers need neither JavaScript nor a network.

KaTeX runs in one Node.js process that stays alive between formulas; hundreds of them cost little
more than one. ``python -m derive.publish.katex`` fetches KaTeX into the environment, once.

The HTML has two halves: MathML for screen readers, and a visual half hidden from them. It needs
``katex.min.css`` and the fonts beside it, from :func:`assets`.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from derive.publish.katex_package import (
    KATEX_VERSION,
    SCRIPT,
    KatexError,
    KatexMissing,
    assets,
    install,
    node,
)

__all__ = ["KATEX_VERSION", "KatexError", "KatexMissing", "assets", "install", "main", "render"]

_CHILD_SCRIPT = Path(__file__).with_name("katex_child.js")
_SECONDS_TO_END = 2.0


def render(latex: str, *, display: bool = False) -> str:
    r"""Render one formula.

    The only HTML extensions understood are ``\htmlData{key=value}{...}`` (attributes
    ``data-key="value"``) and ``\htmlClass{name}{...}``. Links, images, ids and inline styles are
    refused. Everything that LaTeX itself would not accept is an error, except that ``\text{...}``
    may hold any Unicode.

    Args:
        latex: LaTeX as in maths mode, without dollar signs.
        display: Whether the formula stands in a block of its own (limits above and below a sum).

    Returns:
        One HTML element, ``<span class="katex">`` or ``<span class="katex-display">``.

    Raises:
        KatexError: If KaTeX refuses the formula, or its process ends twice while rendering it.
        KatexMissing: If KaTeX or Node.js is not installed.
    """
    return _render(latex, display)


@lru_cache(maxsize=8192)
def _render(latex: str, display: bool) -> str:
    answer = _child.ask({"latex": latex, "display": display})
    if "error" in answer:
        raise KatexError(f"KaTeX cannot render {latex}\n{answer['error']}")
    html: str = answer["html"]
    return html


class _Child:
    """The Node.js process, started at the first formula.

    Requests take turns. A process that has died is replaced once per request.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            KatexError: If the process ends without an answer, and so does its replacement.
            KatexMissing: If there is nothing to start.
        """
        line = json.dumps(request) + "\n"
        with self._turn:
            reply = self._exchange(line) or self._exchange(line)
        if not reply:
            raise KatexError(
                f"The KaTeX process ended twice while rendering {request['latex']}\n"
                f"See whether this works: {node()} --version"
            )
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def close(self) -> None:
        """End the process and wait for it; the next request starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in _pipes(process):
            # What cannot be flushed to a dead process is of no interest.
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """Leave the process to the parent; called in the child of a fork."""
        if self._process is not None:
            # Only its parent may wait for it; as it is, this copy would warn that nobody did.
            self._process.returncode = 0
        self._process = None
        # Another thread of the parent may have held the lock at the fork.
        self._turn = threading.Lock()

    def _exchange(self, line: str) -> str:
        """Return the reply to ``line``, or an empty string if the process has ended."""
        process = self._process = self._process or self._start()
        requests, replies = _pipes(process)
        try:
            requests.write(line)
            requests.flush()
            reply = replies.readline()
        except BrokenPipeError:
            reply = ""
        except BaseException:
            # The answer to an interrupted request would be taken for that to the next one.
            self.close()
            raise
        if not reply.endswith("\n"):
            self.close()
            return ""
        return reply

    @staticmethod
    def _start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [node(), _CHILD_SCRIPT, assets() / SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return where to write requests to ``process`` and where to read its replies."""
    return cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)


_child = _Child()
atexit.register(_child.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_child.forget)


def main() -> None:
    """Fetch KaTeX into this environment and say where it is."""
    try:
        print(f"KaTeX {KATEX_VERSION} is in {install()}")
    except KatexError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
