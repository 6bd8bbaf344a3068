"""What one execution has done so far, in memory and, one line per step, in a file.

A line reaches the kernel before the step counts as done: it survives the death of the process, not of the machine.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from ministack.core import persistence

MISSING = object()
# The execution itself, and how it ended, are entries like the steps, under names that no step has.
HEADER = "execution"
END = "end"


def folder() -> str:
    return os.path.join(persistence.STATE_DIR, "executions")


class Journal:
    """``path`` is None for an execution that need not survive (a synchronous one, or no persistence at all)."""

    def __init__(self, path: str | None, entries: dict[str, Any] | None = None) -> None:
        self.path = path
        self._entries: dict[str, Any] = entries or {}
        self._lock = threading.Lock()
        self._stream: TextIO | None = None
        self._closed = False

    @staticmethod
    def path_for(execution_arn: str) -> str:
        return os.path.join(folder(), hashlib.sha256(execution_arn.encode()).hexdigest()[:32] + ".jsonl")

    @staticmethod
    def read_all() -> "Iterator[Journal]":
        if not os.path.isdir(folder()):
            return
        for name in sorted(os.listdir(folder())):
            path = os.path.join(folder(), name)
            entries: dict[str, Any] = {}
            with open(path, encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):  # Else torn by the kill: the step did not count as done.
                        key, value = json.loads(line)
                        entries[key] = value
            if HEADER in entries:
                yield Journal(path, entries)

    def get(self, key: str) -> Any:
        """The value, or MISSING: null is a result like any other."""
        return self._entries.get(key, MISSING)

    def put(self, key: str, value: Any) -> None:
        with self._lock:
            self._entries[key] = value
            if self.path is None or self._closed:
                return
            if self._stream is None:
                os.makedirs(folder(), exist_ok=True)
                self._stream = open(self.path, "a", encoding="utf-8")
            self._stream.write(json.dumps([key, value]) + "\n")
            self._stream.flush()

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The value under ``key``; made and kept at the first call, also across restarts."""
        value = self.get(key)
        if value is MISSING:
            value = make()
            self.put(key, value)
        return value

    def keys_ending(self, suffix: str) -> list[str]:
        return [key for key in self._entries if key.endswith(suffix)]

    def close(self) -> None:
        """Nothing is written after the end: a task that was in flight when its execution was stopped may still try."""
        with self._lock:
            self._closed = True
            if self._stream is not None:
                self._stream.close()
                self._stream = None

    def forget(self) -> None:
        """Deletes the file of an execution that has ended and is in a snapshot."""
        self.close()
        if self.path is not None and os.path.exists(self.path):
            os.remove(self.path)
