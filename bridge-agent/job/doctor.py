"""What `ponte agent doctor` runs as a job: can a node see scratch, start the worker's environment and estimate a part?

Usage: doctor.py FOLDER WORKER_FOLDER MODULE INDEX

Writes FOLDER/seen.json, with "error" null when all went well and "rows" what was estimated (null where the worker has no
rehearsal). Standard library only.
"""

import importlib
import importlib.util
import json
import os
import socket
import sys
import time
from pathlib import Path


def main(folder: Path, worker_folder: str, module: str) -> int:
    sys.path.insert(0, worker_folder)
    # As a task has it; libraries want a home for their caches.
    os.environ["HOME"] = str(folder)
    started = time.monotonic()
    error = rows = imported = None
    try:
        spec = importlib.util.find_spec(module)
        if spec is None:
            error = f"there is no module {module} in {worker_folder}"
        elif spec.submodule_search_locations and importlib.util.find_spec(f"{module}.rehearsal") is not None:
            rehearsal = importlib.import_module(f"{module}.rehearsal")
            importlib.import_module("rail.core")
            imported = time.monotonic() - started
            rows = rehearsal.rehearse(folder)
    except Exception as problem:  # whatever it is, the site engineer is to read it
        error = f"{type(problem).__name__}: {problem}"
    seen = {
        "node": os.environ.get("SLURMD_NODENAME", socket.gethostname()),
        "python": sys.version.split()[0],
        "importSeconds": round(time.monotonic() - started if imported is None else imported, 3),
        "seconds": round(time.monotonic() - started, 3),
        "rows": rows,
        "error": error,
    }
    draft = folder / f".seen.{os.getpid()}"
    draft.write_text(json.dumps(seen))
    # As exit records are written: this file system must have link(2).
    os.link(draft, folder / "seen.json")
    draft.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
