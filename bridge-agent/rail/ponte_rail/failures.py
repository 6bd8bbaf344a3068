"""What can go wrong, by who has to act: the scientist (`science`) or the operator (`infrastructure`)."""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import Literal

Kind = Literal["science", "infrastructure"]


class ExitCode(IntEnum):
    """How the worker's process ends."""

    ALL_RECORDED = 0
    """Every unit has an exit record, which may say `failed`."""
    BUG = 1
    """The worker itself failed; units may be without a record."""
    BAD_TASK = 2
    """The task cannot be read, or names something that is not registered."""
    BAD_INPUT = 3
    """No unit could start: the training set, the model or every part is unreadable or has another digest."""
    BAD_ENVIRONMENT = 4
    """This Python environment is not the one that the algorithm is registered with."""
    STOPPED = 143
    """SIGTERM (128 + 15): the unit at work and those after it have no record."""


class WorkerError(Exception):
    """A failure with a code to search for, and a message that says what is wrong, where, and what to do."""

    def __init__(self, code: str, kind: Kind, message: str, exit_code: ExitCode = ExitCode.ALL_RECORDED) -> None:
        super().__init__(message)
        self.code = code
        self.kind: Kind = kind
        self.message = message
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[type[WorkerError], tuple[str, Kind, str, ExitCode]]:
        """It travels from the child to the worker as a pickle."""
        return (WorkerError, (self.code, self.kind, self.message, self.exit_code))

    def to_json(self) -> dict[str, str]:
        return {"code": self.code, "kind": self.kind, "message": self.message}


def bad_task(code: str, message: str) -> WorkerError:
    return WorkerError(code, "infrastructure", message, ExitCode.BAD_TASK)


def bad_input(code: str, kind: Kind, message: str) -> WorkerError:
    return WorkerError(code, kind, message, ExitCode.BAD_INPUT)


def bad_environment(code: str, message: str) -> WorkerError:
    return WorkerError(code, "infrastructure", message, ExitCode.BAD_ENVIRONMENT)


FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_NO_MEMORY = "std::bad_alloc"
"""What C++ says, and XGBoost passes on in an error of its own."""


def classify(error: BaseException, where: str) -> WorkerError:
    """Any exception as one of ours; `where` names the unit."""
    if isinstance(error, WorkerError):
        return WorkerError(error.code, error.kind, f"{where}: {error.message}", error.exit_code)
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or _NO_MEMORY in said or _errno(error) == errno.ENOMEM:
        return WorkerError("MEMORY_EXHAUSTED", "infrastructure", f"{where}: {said}. Give the job more memory.")
    if _errno(error) in FULL_DISK:
        return WorkerError("DISK_FULL", "infrastructure", f"{where}: {said}. Free scratch space or raise the quota.")
    if isinstance(error, OSError):
        return WorkerError("FILE_SYSTEM", "infrastructure", f"{where}: {said}. Look at the node's scratch file system.")
    message = f"{where}: RAIL raised {said}. The traceback is in the job's log."
    return WorkerError("ALGORITHM_FAILED", "science", message)


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
