"""`python -m ponte_rail TASK.json [--algorithms FOLDER]`: runs one task; failures.py lists the exit codes."""

from __future__ import annotations

import time

STARTED = time.monotonic()  # before the imports, which are part of the cost

import argparse
import sys
from pathlib import Path

from ponte_rail.failures import ExitCode, WorkerError
from ponte_rail.task import read_task
from ponte_rail.threads import pin_threads


def main() -> int:
    parser = argparse.ArgumentParser(prog="ponte_rail", description="Runs one task of a RAIL campaign.")
    parser.add_argument("task", type=Path, help="the task file that the agent wrote")
    parser.add_argument("--algorithms", type=Path, help="the registered algorithms (default: those beside the worker)")
    arguments = parser.parse_args()
    try:
        task = read_task(arguments.task)
        pin_threads()
        from ponte_rail.algorithm import REGISTERED
        from ponte_rail.events import Events
        from ponte_rail.worker import Worker

        return Worker(task, arguments.algorithms or REGISTERED, Events(), STARTED).run()
    except WorkerError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return error.exit_code if error.exit_code != ExitCode.ALL_RECORDED else ExitCode.BUG


if __name__ == "__main__":
    sys.exit(main())
