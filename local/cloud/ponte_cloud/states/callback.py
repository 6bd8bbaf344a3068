"""Task tokens: a task that waits for SendTaskSuccess or SendTaskFailure.

Stock: never looks at HeartbeatSeconds, so a silent worker hangs the execution for ever; gives all attempts of a task
one token, so a late answer completes the next attempt; accepts answers for stopped executions; forgets tokens at a
restart.
AWS: a token is good for one attempt, until it is answered, expires, or the execution ends. Then ``TaskTimedOut``; what
never was a token is ``InvalidToken``.
Checks: callbacks.test.ts and survival.test.ts, "continues an execution that waits for a token".
"""

import base64
import json
import threading
import time
import uuid
from typing import Any

from ponte_cloud.states.journal import MISSING
from ponte_cloud.states.lifetime import Aborted, Lifetime
from ponte_cloud.states.run import Run, StateError

_open: dict[str, "Callback"] = {}
_open_lock = threading.Lock()


def new_token(execution_arn: str) -> str:
    """Opaque to its holder, but recognisable as a token long after it has expired."""
    return base64.urlsafe_b64encode(json.dumps([execution_arn, str(uuid.uuid4())]).encode()).decode()


def is_token(text: str) -> bool:
    try:
        arn, _ = json.loads(base64.urlsafe_b64decode(text.encode()))
        return str(arn).startswith("arn:aws:states:")
    except ValueError:
        return False


class Callback:
    """One attempt of one task, waiting for its answer. Answers are journaled before they are acknowledged."""

    def __init__(self, run: Run, step: str, token: str) -> None:
        self._journal, self._step, self._token = run.journal, step, token
        # Until the interpreter arrives at the task again, after a restart, the token lives as long as the execution.
        self._lifetime = run.lifetime
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._closed = False
        self._beat = time.time()

    def answer(self, reply: dict[str, str]) -> bool:
        """``{"output": json}`` or ``{"error", "cause"}``. False when the task is not waiting any more."""
        with self._lock:
            if self._closed or self._lifetime.over or self._journal.get(self._step + "@reply") is not MISSING:
                return False
            self._journal.put(self._step + "@reply", reply)
        self._changed.set()
        return True

    def beat(self) -> bool:
        with self._lock:
            if self._closed or self._lifetime.over:
                return False
            self._beat = time.time()
            return True

    def wait(self, lifetime: Lifetime, expires_at: float | None, heartbeat_seconds: float | None) -> Any:
        """Blocks until the answer, the deadline (seconds since the epoch) or a missed heartbeat."""
        self._lifetime = lifetime
        try:
            with lifetime.signalling(self._changed):
                while True:
                    remaining = self._remaining(expires_at, heartbeat_seconds)
                    reply = self._journal.get(self._step + "@reply")
                    if reply is not MISSING:
                        return self._result(reply)
                    if lifetime.over:
                        raise Aborted
                    self._changed.wait(remaining)
        finally:
            self._close()

    def _remaining(self, expires_at: float | None, heartbeat_seconds: float | None) -> float | None:
        """Seconds until the next deadline. Raises once one has passed without an answer; that closes the token."""
        with self._lock:
            if self._journal.get(self._step + "@reply") is not MISSING or self._lifetime.over:
                return 0
            deadlines: list[tuple[float, str]] = []
            if expires_at is not None:
                deadlines.append((expires_at, "States.Timeout"))
            if heartbeat_seconds is not None:
                deadlines.append((self._beat + heartbeat_seconds, "States.HeartbeatTimeout"))
            if not deadlines:
                return None
            moment, error = min(deadlines)
            if moment <= time.time():
                self._closed = True
                raise StateError(error, "")
            return moment - time.time()

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            if self._journal.get(self._step + "@reply") is MISSING:
                self._journal.put(self._step + "@closed", True)
        with _open_lock:
            _open.pop(self._token, None)

    @staticmethod
    def _result(reply: dict[str, str]) -> Any:
        if "output" in reply:
            return json.loads(reply["output"])
        raise StateError(reply.get("error") or "States.TaskFailed", reply.get("cause") or "")


def open_callback(run: Run, step: str, token: str) -> Callback:
    """The callback of a token; the one from before a restart, if :func:`reopen` has made it."""
    with _open_lock:
        return _open.setdefault(token, Callback(run, step, token))


def find(token: str) -> Callback | None:
    with _open_lock:
        return _open.get(token)


def reopen(run: Run) -> None:
    """Makes the tokens of an interrupted execution good again, before the first request after a restart is served: a
    worker that calls at that very moment must not be told that its task is gone. Its heartbeat starts anew."""
    journal = run.journal
    for key in journal.keys_ending("@sent"):
        step = key.removesuffix("@sent")
        if all(journal.get(step + mark) is MISSING for mark in ("", "!", "@closed")):
            open_callback(run, step, journal.get(step + "@token"))
