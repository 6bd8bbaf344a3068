"""Stands in for the RAIL worker: reads `WorkerTask` of core/job.ts, writes one exit record per unit, first writer wins.

A unit's input is JSON and says what to do: {"log": PATH, "seconds": 0.1, "behave": "succeed"}. Every start of a unit
adds the line "start UNIT PID" to the log, every record it wrote "record UNIT PID", a death that was asked for "died UNIT
PID". Behaviours: succeed, science, infrastructure (fails with that kind of error), flaky (infrastructure at the first
attempt), memory (never has enough), crash (the worker dies without a record), crash-once, vanish-once (the worker ends well
without a record).
"""

import hashlib
import json
import os
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path


def note(path: str, line: str) -> None:
    with open(path, "a") as log:
        log.write(line + "\n")


def write_record(unit: dict, record: dict) -> bool:
    path = Path(unit["exitRecord"])
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(record))
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink()


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def produce(unit: dict, kind: str) -> list[dict]:
    folder = Path(unit["outputDir"])
    folder.mkdir(parents=True, exist_ok=True)
    name = {"inform": "model", "validate": "evaluation", "estimate": "points"}[kind]
    content = f"{name} of {unit['unitId']}\n".encode()
    path = folder / name
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return [{"name": name, "path": str(path), "sha256": digest, "sizeBytes": len(content), "rows": None}]


def run_unit(task: dict, unit: dict) -> None:
    source = unit["input"] or task["training"]
    content = Path(source["path"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != source["sha256"]:
        raise SystemExit(3)
    order = json.loads(content)
    attempt = int(unit["exitRecord"].split(".")[-2])
    note(order["log"], f"start {unit['unitId']} {os.getpid()}")
    started = now()
    time.sleep(order["seconds"])
    behave = order["behave"]
    crashed = Path(f"{order['log']}.{unit['unitId']}.crashed")
    if behave == "crash" or (behave in ("crash-once", "vanish-once") and not crashed.exists()):
        note(order["log"], f"died {unit['unitId']} {os.getpid()}")
        crashed.touch()
        if behave == "vanish-once":
            raise SystemExit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    print(f"works on {unit['unitId']}", flush=True)
    failed = behave in ("science", "infrastructure", "memory") or (behave == "flaky" and attempt == 1)
    error = None
    if failed:
        kind = "science" if behave == "science" else "infrastructure"
        error = {"code": "MEMORY_EXHAUSTED" if behave == "memory" else "ASKED_TO", "kind": kind, "message": f"unit {unit['unitId']} was asked to fail"}
    record = {
        "version": 1,
        "workKey": task["workKey"],
        "unitId": unit["unitId"],
        "outcome": "failed" if failed else "succeeded",
        "error": error,
        "rows": unit["input"]["rows"] if unit["input"] else 1,
        "outputs": [] if failed else produce(unit, task["kind"]),
        "seconds": {"import": 0, "read": 0, "compute": order["seconds"], "write": 0, "wall": order["seconds"]},
        "cpuSeconds": 0.01,
        "peakRssBytes": 1,
        "node": os.environ.get("SLURMD_NODENAME", "here"),
        "pid": os.getpid(),
        "attemptId": str(os.getpid()),
        "startedAt": started,
        "endedAt": now(),
        "versions": {"fake": "1"},
    }
    if write_record(unit, record):
        note(order["log"], f"record {unit['unitId']} {os.getpid()}")


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    for file in task["ancillary"]:
        digest = hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest()
        print(f"has the ancillary file {file['name']} {digest}", flush=True)
    for unit in task["units"]:
        if not os.path.exists(unit["exitRecord"]):
            run_unit(task, unit)


if __name__ == "__main__":
    main()
