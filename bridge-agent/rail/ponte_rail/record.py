"""The exit record of a unit: `exitRecordSchema` of core/job.ts, written once, first writer wins."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import ponte_rail
from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import WorkerError, bad_task
from ponte_rail.outputs import ProducedFile, sync_folder
from ponte_rail.reference_data import reference_data_digest
from ponte_rail.task import Unit

NUMERIC_PACKAGES = ("numpy", "scipy", "scikit-learn", "pyarrow")


@dataclass
class Outcome:
    """What came of one unit. Seconds are wall time, `cpu_seconds` user and system time, of the unit's child process;
    the first unit of a task also carries the worker's own start, so that the records of a task add up to its cost."""

    error: WorkerError | None = None
    rows: int = 0
    outputs: list[ProducedFile] = field(default_factory=list)
    import_seconds: float = 0.0
    read_seconds: float = 0.0
    compute_seconds: float = 0.0
    write_seconds: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    pid: int = 0


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def versions(algorithm: Algorithm) -> dict[str, str]:
    """Of everything that may change a result."""
    packages = sorted({*algorithm.packages, *NUMERIC_PACKAGES})
    known = {package: metadata.version(package) for package in packages}
    known |= {"python": platform.python_version(), "ponte-rail": ponte_rail.__version__}
    known |= {name: digest for name, digest in algorithm.ancillary.items() if digest is not None}
    if algorithm.reference_data == "bpz":
        known["bpz-reference-data"] = reference_data_digest()
    return known


def is_recorded(unit: Unit, work_key: str) -> bool:
    """Whether the unit is done. Raises WorkerError `RECORD_CONFLICT` when its place is taken by something else."""
    try:
        content = json.loads(unit.exit_record.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        content = None
    if isinstance(content, dict):
        identity = (content.get("version"), content.get("workKey"), content.get("unitId"))
        if identity == (1, work_key, unit.unit_id) and content.get("outcome") in ("succeeded", "failed"):
            return True
    message = f"{unit.exit_record} exists and is not a record of {unit} of the work {work_key}"
    raise bad_task("RECORD_CONFLICT", f"{message}. Give the task its own folder.")


def write_record(
    unit: Unit, work_key: str, attempt_id: str, outcome: Outcome, started_at: str, known_versions: dict[str, str]
) -> bool:
    """False when another attempt was first; its record stands and ours is dropped.

    link(2) is atomic and fails if the name exists, on local disks, NFS and Lustre alike; rename(2) would overwrite.
    """
    content = _to_json(unit, work_key, attempt_id, outcome, started_at, known_versions)
    unit.exit_record.parent.mkdir(parents=True, exist_ok=True)
    temporary = unit.exit_record.with_name(f".{attempt_id}.{unit.exit_record.name}")
    with open(temporary, "x", encoding="utf-8") as file:
        file.write(json.dumps(content, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, unit.exit_record)
        return True
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
        sync_folder(unit.exit_record.parent)


def _to_json(
    unit: Unit, work_key: str, attempt_id: str, outcome: Outcome, started_at: str, known_versions: dict[str, str]
) -> dict[str, Any]:
    return {
        "version": 1,
        "workKey": work_key,
        "unitId": unit.unit_id,
        "outcome": "failed" if outcome.error else "succeeded",
        "error": outcome.error.to_json() if outcome.error else None,
        "rows": outcome.rows,
        "outputs": [output.to_json() for output in outcome.outputs],
        "seconds": {
            "import": round(outcome.import_seconds, 4),
            "read": round(outcome.read_seconds, 4),
            "compute": round(outcome.compute_seconds, 4),
            "write": round(outcome.write_seconds, 4),
            "wall": round(outcome.wall_seconds, 4),
        },
        "cpuSeconds": round(outcome.cpu_seconds, 4),
        "peakRssBytes": outcome.peak_rss_bytes,
        "io": {"readBytes": outcome.read_bytes, "writtenBytes": outcome.written_bytes},
        "node": os.environ.get("SLURMD_NODENAME") or platform.node(),
        "pid": outcome.pid,
        "attemptId": attempt_id,
        "startedAt": started_at,
        "endedAt": now(),
        "versions": known_versions,
    }
