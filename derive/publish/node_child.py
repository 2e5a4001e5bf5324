"""A Node.js process that stays alive between requests: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from derive.publish.katex_package import node

_SECONDS_TO_END = 2.0


class NodeEnded(Exception):
    """The process ended without an answer, and so did the one that replaced it."""


class NodeChild:
    """The process that runs the script named first in ``arguments``, from the first request on.

    Requests take turns. A process that has died is replaced once per request.
    """

    def __init__(self, arguments: Callable[[], Sequence[Path]]) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            NodeEnded: If the process ends without an answer, and so does its replacement.
            KatexMissing: If there is no Node.js, or nothing to run.
        """
        line = json.dumps(request) + "\n"
        with self._turn:
            reply = self._exchange(line) or self._exchange(line)
        if not reply:
            raise NodeEnded(f"See whether this works: {node()} --version")
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

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [node(), *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return where to write requests to ``process`` and where to read its replies."""
    return cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
