"""What `ponte agent doctor` runs as a job: can a node see scratch and start the worker's environment?

Usage: doctor.py FOLDER WORKER_FOLDER MODULE INDEX

Writes FOLDER/seen.json, with "error" null when the module was imported. Standard library only.
"""

import importlib.util
import json
import os
import socket
import sys
import time
from pathlib import Path


def main(folder: Path, worker_folder: str, module: str) -> int:
    sys.path.insert(0, worker_folder)
    started = time.monotonic()
    error = None
    try:
        if importlib.util.find_spec(module) is None:
            error = f"there is no module {module} in {worker_folder}"
        elif module == "ponte_rail":
            import rail.core  # noqa: F401
    except ImportError as problem:
        error = str(problem)
    seen = {
        "node": os.environ.get("SLURMD_NODENAME", socket.gethostname()),
        "python": sys.version.split()[0],
        "importSeconds": round(time.monotonic() - started, 3),
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
