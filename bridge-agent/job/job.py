"""The job side of one array task: claim, run the worker, stay reachable. Standard library only.

Usage: job.py FOLDER INDEX

FOLDER/run.json        {"command": [...], "environment": {...}, "heartbeatSeconds": 5, "staleSeconds": 20}
FOLDER/lease           its agent touches it while the work is this site's; with "leaseSeconds" in run.json nothing runs
                       once it is older, because then another site may have taken the work over
FOLDER/tasks/INDEX.json   the worker's task file; its path is the command's last argument
FOLDER/claims/INDEX.N     who runs the task; the holder is the highest N, and touches it while its worker lives

The scheduler may start a task twice (a requeue while the first copy lives on behind a dead slurmd, a submission that
was thought lost). link(2) creates the next claim atomically, so that of several successors of a dead holder one wins;
a holder that was only slow sees its successor and stops.

Exit codes: the worker's own (128 + signal when it was killed), or
  0   every unit already has its exit record
  64  the folder or the task cannot be read
  75  another process holds the claim and shows life
  76  the claim was lost while the worker ran; the worker was killed
  77  the site's lease was over; the worker was killed, or did not start
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

UNREADABLE, HELD_BY_ANOTHER, CLAIM_LOST, LEASE_OVER = 64, 75, 76, 77
PR_SET_PDEATHSIG = 1


class Claim:
    """A numbered claim file; `take` gives None when a living process holds the task."""

    def __init__(self, folder: Path, index: str, number: int) -> None:
        self.path = folder / f"{index}.{number}"
        self.successor = folder / f"{index}.{number + 1}"

    @classmethod
    def take(cls, folder: Path, index: str, stale_seconds: float) -> Claim | None:
        folder.mkdir(parents=True, exist_ok=True)
        number = highest(folder, index)
        if number and age(folder, f"{index}.{number}") < stale_seconds:
            return None
        claim = cls(folder, index, number + 1)
        mine = folder / f".{index}.{socket.gethostname()}.{os.getpid()}"
        mine.write_text(json.dumps(identity()))
        try:
            os.link(mine, claim.path)
        except FileExistsError:
            return None
        finally:
            mine.unlink()
        return claim

    def touch(self) -> None:
        os.utime(self.path)

    def is_lost(self) -> bool:
        return self.successor.exists()


def highest(folder: Path, index: str) -> int:
    """The number of the present holder's claim; 0 when there was none. Listing also refreshes a cached NFS folder."""
    prefix = f"{index}."
    return max((int(name[len(prefix) :]) for name in os.listdir(folder) if name.startswith(prefix)), default=0)


def age(folder: Path, name: str) -> float:
    """Seconds since the file was touched, both times taken from the file system's clock, which nodes share."""
    probe = folder / f".now.{socket.gethostname()}.{os.getpid()}"
    probe.write_text("")
    try:
        return probe.stat().st_mtime - (folder / name).stat().st_mtime
    finally:
        probe.unlink()


def identity() -> dict[str, Any]:
    job = os.environ.get("SLURM_ARRAY_JOB_ID", "")
    return {"node": socket.gethostname(), "pid": os.getpid(), "job": job, "at": time.time()}


def die_with_parent() -> None:
    """So that a killed job.py leaves no worker behind; where Slurm has cgroups it would see to that itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def worker_environment(wanted: dict[str, str]) -> dict[str, str]:
    """Only what the agent asks for and what Slurm says: Slurm 22.05 loads the user's login files even with NIL."""
    said = {name: value for name, value in os.environ.items() if name.startswith(("SLURM_", "SLURMD_"))}
    return {**said, **wanted}


def is_finished(task: dict[str, Any]) -> bool:
    return all(os.path.exists(unit["exitRecord"]) for unit in task["units"])


def lease_is_over(folder: Path, lease_seconds: float | None) -> bool:
    if lease_seconds is None:
        return False
    return not (folder / "lease").exists() or age(folder, "lease") > lease_seconds


def supervise(worker: subprocess.Popen[bytes], claim: Claim, folder: Path, run: dict[str, Any]) -> int:
    while True:
        try:
            code = worker.wait(timeout=run["heartbeatSeconds"])
            return code if code >= 0 else 128 - code
        except subprocess.TimeoutExpired:
            if claim.is_lost():
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
                return CLAIM_LOST
            if lease_is_over(folder, run.get("leaseSeconds")):
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
                return LEASE_OVER
            claim.touch()


def main(folder: Path, index: str) -> int:
    try:
        run = json.loads((folder / "run.json").read_text())
        task_file = folder / "tasks" / f"{index}.json"
        task = json.loads(task_file.read_text())
    except (OSError, ValueError) as error:
        print(f"cannot read task {index} of {folder}: {error}", file=sys.stderr)
        return UNREADABLE
    if is_finished(task):
        return 0
    if lease_is_over(folder, run.get("leaseSeconds")):
        print(f"the site's lease of {folder} is over: another site may have the work", file=sys.stderr)
        return LEASE_OVER
    claim = Claim.take(folder / "claims", index, run["staleSeconds"])
    if claim is None:
        print(f"task {index} of {folder} is held by another process", file=sys.stderr)
        return HELD_BY_ANOTHER

    stopped: list[int] = []
    # Installed before the worker exists: a signal in between must not be lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopped.append(received))
    worker = subprocess.Popen(
        [*run["command"], str(task_file)],
        env=worker_environment(run["environment"]),
        process_group=0,
        preexec_fn=die_with_parent,
    )

    def forward(received: int, _frame: FrameType | None) -> None:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    if stopped:
        worker.send_signal(signal.SIGTERM)
    code = supervise(worker, claim, folder, run)
    # A claim of a worker that ended is dead at once: a retry need not wait until it looks stale.
    os.utime(claim.path, (0, 0))
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
