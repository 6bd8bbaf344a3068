"""How long something may run: an execution, or the branches and iterations inside of it.

Stock: nothing ends before it is done.
AWS: when an execution ends, or one branch of a Parallel or a Map fails, everything below it ends: a Wait, a task that
waits for its token, a nested execution. A call that is in flight ends by itself; nothing follows it.
Checks: states.test.ts, "stops a running Map"; callbacks.test.ts, "gives up the siblings of a failed iteration".
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Aborted(BaseException):
    """The lifetime is over. Not an Exception: no Retry and no Catch may see it."""


class Lifetime:
    """A lifetime ends when it is ended, or with the one that it is inside of."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._signals: set[threading.Event] = set()
        self._inner: set[Lifetime] = set()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def end(self) -> None:
        with self._lock:
            self._over.set()
            signals, inner = list(self._signals), list(self._inner)
        for signal in signals:
            signal.set()
        for each in inner:
            each.end()

    @contextmanager
    def inner(self) -> "Iterator[Lifetime]":
        """A lifetime inside of this one."""
        lifetime = Lifetime()
        with self._lock:
            self._inner.add(lifetime)
            over = self.over
        if over:
            lifetime.end()
        try:
            yield lifetime
        finally:
            with self._lock:
                self._inner.discard(lifetime)

    @contextmanager
    def signalling(self, signal: threading.Event) -> Iterator[None]:
        """Sets ``signal`` when this is over, also if it already is."""
        with self._lock:
            self._signals.add(signal)
            if self.over:
                signal.set()
        try:
            yield
        finally:
            with self._lock:
                self._signals.discard(signal)

    def check(self) -> None:
        if self.over:
            raise Aborted

    def sleep_until(self, moment: float) -> None:
        """``moment`` in seconds since the epoch."""
        if self._over.wait(max(0.0, moment - time.time())):
            raise Aborted
