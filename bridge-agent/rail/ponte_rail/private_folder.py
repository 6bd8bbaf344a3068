"""A folder of one worker's own, on the node's disk (TMPDIR), for what libraries can only read as files."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "ponte-rail-"


class PrivateFolder:
    """Made when it is first asked for, and removed by `close()`. A worker that is killed cannot do so: the next one on
    the node does, because the kernel gave the dead one's lock back."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock: int | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            _remove_abandoned()
            # Under its final name only when it is locked: a neighbour that starts now must not take it for abandoned.
            draft = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
            self._lock = os.open(draft / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._path = draft.rename(draft.with_name(draft.name[1:]))
        return self._path

    def close(self) -> None:
        if self._path is not None and self._lock is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            os.close(self._lock)
            self._path = self._lock = None


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or being removed by another worker
            lock = os.open(folder / "lock", os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
