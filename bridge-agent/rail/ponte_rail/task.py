"""The task file that the agent writes: `WorkerTask` of core/job.ts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ponte_rail.failures import bad_task

TaskKind = Literal["inform", "validate", "estimate"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True)
class FileRef:
    """A file on scratch and the sha256 its content must have."""

    path: Path
    sha256: str
    rows: int | None = None


@dataclass(frozen=True)
class HeldOut:
    """The share of the training set that `inform` never sees."""

    fraction: float
    seed: int


@dataclass(frozen=True)
class Unit:
    unit_id: str
    input: FileRef | None
    output_dir: Path
    exit_record: Path

    def __str__(self) -> str:
        return f"unit {self.unit_id[:12]}" + (f" ({self.input.path})" if self.input else "")


@dataclass(frozen=True)
class Task:
    kind: TaskKind
    work_key: str
    algorithm: str
    configuration_digest: str
    threads: int
    archive: bool
    pdf: bool
    bisect: bool
    training: FileRef | None
    held_out: HeldOut | None
    model: FileRef | None
    ancillary: dict[str, FileRef]
    """Registered files by the algorithm's own names for them."""
    units: tuple[Unit, ...]


def read_task(path: Path) -> Task:
    """Raises WorkerError `TASK_UNREADABLE` or `TASK_INVALID`, naming the field."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise bad_task("TASK_UNREADABLE", f"cannot read the task {path}: {error}. Submit the job again.") from error
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError) as error:
        said = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        hint = "Agent and worker may be of different versions."
        raise bad_task("TASK_INVALID", f"the task {path} is not valid: {said}. {hint}") from error


def _parse(content: Any) -> Task:
    _require(content["version"] == 1, f"version must be 1, not {content['version']!r}")
    kind: TaskKind = content["kind"]
    _require(kind in ("inform", "validate", "estimate"), f"kind must be inform, validate or estimate, not {kind!r}")
    _require(bool(_NAME.fullmatch(content["algorithm"])), f"algorithm {content['algorithm']!r} is not a name")
    threads = content["threads"]
    _require(type(threads) is int and 1 <= threads <= 1024, f"threads must be 1 to 1024, not {threads!r}")
    task = Task(
        kind=kind,
        work_key=_digest(content["workKey"], "workKey"),
        algorithm=content["algorithm"],
        configuration_digest=_digest(content["configurationDigest"], "configurationDigest"),
        threads=threads,
        archive=_flag(content.get("archive", False), "archive"),
        pdf=_flag(content.get("pdf", True), "pdf"),
        bisect=_flag(content.get("bisect", False), "bisect"),
        training=_file(content["training"], "training"),
        held_out=_held_out(content["heldOut"]),
        model=_file(content["model"], "model"),
        ancillary=_named_files(content.get("ancillary", [])),
        units=tuple(_unit(unit) for unit in content["units"]),
    )
    _require(len(task.units) > 0, "units is empty")
    _require(len({unit.unit_id for unit in task.units}) == len(task.units), "a unitId occurs twice")
    _require((kind == "inform") == (task.model is None), f"model must be {'null' if kind == 'inform' else 'given'}")
    _require(kind == "estimate" or task.training is not None, f"{kind} needs training")
    _require(kind == "estimate" or task.held_out is not None, f"{kind} needs heldOut")
    for unit in task.units:
        _require((kind == "estimate") == (unit.input is not None), f"input does not fit the kind {kind}: {unit}")
    return task


def _unit(content: Any) -> Unit:
    return Unit(
        unit_id=_digest(content["unitId"], "unitId"),
        input=_file(content["input"], "input"),
        output_dir=_absolute(content["outputDir"], "outputDir"),
        exit_record=_absolute(content["exitRecord"], "exitRecord"),
    )


def _file(content: Any, field: str) -> FileRef | None:
    if content is None:
        return None
    path = _absolute(content["path"], f"{field}.path")
    return FileRef(path, _digest(content["sha256"], f"{field}.sha256"), content.get("rows"))


def _named_files(content: Any) -> dict[str, FileRef]:
    files = {}
    for entry in content:
        _require(bool(_NAME.fullmatch(entry["name"])), f"ancillary.name {entry['name']!r} is not a name")
        files[entry["name"]] = FileRef(_absolute(entry["path"], "ancillary.path"), _digest(entry["sha256"], "ancillary.sha256"))
    return files


def _held_out(content: Any) -> HeldOut | None:
    if content is None:
        return None
    fraction, seed = float(content["fraction"]), content["seed"]
    _require(0 < fraction < 1, f"heldOut.fraction must be between 0 and 1, not {fraction}")
    _require(type(seed) is int and seed >= 0, f"heldOut.seed must be a natural number, not {seed!r}")
    return HeldOut(fraction, seed)


def _flag(value: Any, field: str) -> bool:
    _require(isinstance(value, bool), f"{field} must be true or false, not {value!r}")
    return value


def _digest(text: Any, field: str) -> str:
    _require(isinstance(text, str) and bool(_DIGEST.fullmatch(text)), f"{field} must be a sha256, not {text!r}")
    return text


def _absolute(text: Any, field: str) -> Path:
    _require(isinstance(text, str) and text.startswith("/"), f"{field} must be an absolute path, not {text!r}")
    return Path(text)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
