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

SECONDS = 60.0
"""How long one answer may take; a formula takes milliseconds, a script some seconds."""


class NodeEnded(Exception):
    """There is no answer: the process ended, and so did the next, or it took too long."""


class NodeChild:
    """The process that runs the script named first in ``arguments``, from the first request on.

    Requests take turns, and each has a number that its answer repeats: what else a process may
    print is never taken for an answer. A process that has died, or that answers out of turn, is
    replaced once per request.
    """

    def __init__(self, arguments: Callable[[], Sequence[Path]]) -> None:
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        self._asked = 0
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.forget)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer.

        Raises:
            NodeEnded: If the process ends without an answer, and so does its replacement, or if
                it does not answer in time.
            KatexMissing: If there is no Node.js, or nothing to run.
        """
        with self._turn:
            self._asked += 1
            number = self._asked
            line = json.dumps({**request, "id": number}) + "\n"
            answer = self._exchange(line, number) or self._exchange(line, number)
        if answer is None:
            raise NodeEnded(f"See whether this works: {node()} --version")
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

    def _exchange(self, line: str, number: int) -> dict[str, Any] | None:
        """Return the answer to ``line``, or None if the process has ended or lost count."""
        process = self._process = self._process or self._start()
        requests, replies = _pipes(process)
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(SECONDS, end)
        watch.daemon = True
        watch.start()
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
        finally:
            watch.cancel()
        answer = _read(reply)
        if answer is None or answer.pop("id", None) != number:
            self.close()
            if late.is_set():
                raise NodeEnded(f"It took longer than {SECONDS:.0f} seconds.")
            return None
        return answer

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [node(), *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )


def _read(reply: str) -> dict[str, Any] | None:
    """Return the answer that a whole line holds, or None if it holds none."""
    try:
        answer = json.loads(reply) if reply.endswith("\n") else None
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """Return where to write requests to ``process`` and where to read its replies."""
    return cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
