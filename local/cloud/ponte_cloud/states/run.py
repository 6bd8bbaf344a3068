"""One execution while it runs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states.journal import Journal

StateError = stepfunctions._ExecutionError
"""``error`` (the name that Retry and Catch match) and ``cause``."""

# Step Functions quotas: payload of a state, and length of a history.
PAYLOAD_BYTES = 262_144
HISTORY_EVENTS = 25_000


class Aborted(BaseException):
    """The execution was stopped or timed out. Not an Exception: no Retry and no Catch may see it."""


class Run:
    def __init__(self, execution: dict[str, Any], journal: Journal) -> None:
        self.execution = execution
        self.journal = journal
        self.lock = threading.Lock()
        self._over = threading.Event()
        self._signals: set[threading.Event] = set()
        self._told: set[str] = set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def finish(self) -> None:
        """Wakes whoever waits inside this execution or for it."""
        with self.lock:
            self._over.set()
            signals = list(self._signals)
        for signal in signals:
            signal.set()

    @contextmanager
    def signalling(self, signal: threading.Event) -> Iterator[None]:
        """Sets ``signal`` when the execution is over, also if it already is."""
        with self.lock:
            self._signals.add(signal)
            if self.over:
                signal.set()
        try:
            yield
        finally:
            with self.lock:
                self._signals.discard(signal)

    def check(self) -> None:
        if self.over:
            raise Aborted

    def sleep_until(self, moment: float) -> None:
        """``moment`` in seconds since the epoch."""
        if self._over.wait(max(0.0, moment - time.time())):
            raise Aborted

    def event(self, key: str, kind: str, details: dict[str, Any] | None = None) -> None:
        """Adds an event to the history, once per key, however often the step is interpreted."""
        with self.lock:
            if key in self._told:
                return
            self._told.add(key)
            if len(self.execution["events"]) >= HISTORY_EVENTS:
                raise StateError("States.Runtime", f"The execution reached {HISTORY_EVENTS} history events.")
            event = stepfunctions._add_event(self.execution, kind, details)
            event["previousEventId"] = event["id"] - 1


@dataclass
class Scope:
    """Where the interpreter is. ``context`` is the Context Object plus ``variables`` and ``QueryLanguage``."""

    run: Run
    context: dict[str, Any]
    path: str
    # The children of a Map Run have histories of their own on AWS; these are not kept here.
    quiet: bool = False

    def inner(self, step: str, **changes: Any) -> "Scope":
        """The scope of a branch or an iteration: it sees the variables around it, but its own stay inside."""
        context = {**self.context, "variables": dict(self.context["variables"]), **changes}
        return replace(self, context=context, path=step)

    def event(self, key: str, kind: str, details: dict[str, Any] | None = None) -> None:
        if not self.quiet:
            self.run.event(key, kind, details)
