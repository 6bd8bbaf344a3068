"""One execution while it runs."""

import threading
from dataclasses import dataclass, replace
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states.journal import Journal
from ponte_cloud.states.lifetime import Lifetime

StateError = stepfunctions._ExecutionError
"""``error`` (the name that Retry and Catch match) and ``cause``."""

# Step Functions quotas: payload of a state, and length of a history.
PAYLOAD_BYTES = 262_144
HISTORY_EVENTS = 25_000


class Run:
    def __init__(self, execution: dict[str, Any], journal: Journal) -> None:
        self.execution = execution
        self.journal = journal
        self.lock = threading.Lock()
        self.lifetime = Lifetime()
        self._told: set[str] = set()

    def event(self, key: str, kind: str, details: dict[str, Any] | None = None) -> None:
        """Adds an event to the history, once per key, however often the step is interpreted."""
        with self.lock:
            if key in self._told or self.lifetime.over:
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
    lifetime: Lifetime
    # The children of a Map Run have histories of their own on AWS; these are not kept here.
    quiet: bool = False

    def at(self, path: str) -> "Scope":
        return replace(self, path=path)

    def inner(self, path: str, lifetime: Lifetime, **changes: Any) -> "Scope":
        """The scope of a branch or an iteration: it sees the variables around it, but its own stay inside."""
        context = {**self.context, "variables": dict(self.context["variables"]), **changes}
        return replace(self, context=context, path=path, lifetime=lifetime)

    def event(self, key: str, kind: str, details: dict[str, Any] | None = None) -> None:
        if not self.quiet:
            self.run.event(key, kind, details)
