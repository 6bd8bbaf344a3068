"""One forked child per unit: whatever happens to it, the worker lives and says so in the unit's record."""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from ponte_rail.failures import WorkerError, classify
from ponte_rail.record import Outcome

_PR_SET_PDEATHSIG = 1
"""linux/prctl.h: the signal a process gets when its parent dies."""


@dataclass(frozen=True)
class Stopped:
    """The child was ended by SIGTERM, which is how a scheduler cancels a job: not a failure of the unit."""


class ChildRunner:
    """Runs a function in a forked child and waits. `stop()` may be called from a signal handler."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._stopping = False

    @property
    def stopping(self) -> bool:
        return self._stopping

    def stop(self) -> None:
        self._stopping = True
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)

    def run(self, work: Callable[[], Outcome], where: str) -> Outcome | Stopped:
        """The outcome with the child's seconds, CPU and memory filled in; `where` names the unit in messages."""
        sys.stdout.flush()
        sys.stderr.flush()
        started = time.monotonic()
        reader, writer = os.pipe()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            os.close(reader)
            _in_child(work, where, writer, blocked, parent)
        self._pid = pid
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            message = pipe.read()
        _, status, usage = os.wait4(pid, 0)
        self._pid = None
        code = os.waitstatus_to_exitcode(status)
        if self._stopping or code == -signal.SIGTERM:
            return Stopped()
        outcome = pickle.loads(message) if code == 0 else Outcome(error=_death(code, where))
        outcome.pid = pid
        outcome.wall_seconds = time.monotonic() - started
        outcome.cpu_seconds = usage.ru_utime + usage.ru_stime
        outcome.peak_rss_bytes = usage.ru_maxrss * 1024
        return outcome


def _in_child(work: Callable[[], Outcome], where: str, writer: int, mask: set[signal.Signals], parent: int) -> None:
    """Never returns. A child must not outlive the worker, must die at once of SIGTERM, and leaves no core file."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return  # it died before it could be watched
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _die_first()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            outcome = work()
        except BaseException as error:
            traceback.print_exc()
            outcome = Outcome(error=classify(error, where))
        outcome.read_bytes, outcome.written_bytes = _bytes_moved()
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_first() -> None:
    """Where the kernel has to kill for memory, the part that needs it goes, and never the worker with all the others."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass  # the child is still the larger of the two


def _bytes_moved() -> tuple[int, int]:
    """What this process read and wrote through system calls; a fork begins at zero. Zeros where /proc has no io."""
    try:
        with open("/proc/self/io", encoding="ascii") as file:
            counts = dict(line.split(": ") for line in file)
        return int(counts["rchar"]), int(counts["wchar"])
    except (OSError, KeyError, ValueError):
        return 0, 0


def _death(code: int, where: str) -> WorkerError:
    if code >= 0:
        message = f"{where}: the process ended with status {code} and no result. Look at the job's log."
        return WorkerError("CHILD_DIED", "infrastructure", message)
    name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else f"signal {-code}"
    if -code == signal.SIGKILL:
        message = f"{where}: the process was killed ({name}), most often for its memory. Give the job more memory."
    else:
        message = f"{where}: the process crashed ({name}). Look at the job's log and at the node."
    return WorkerError("CHILD_KILLED", "infrastructure", message)
