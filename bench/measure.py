"""Runs a command and writes what it used as one JSON object: `measure.py REPORT COMMAND [ARGUMENT ...]`.

The operating system's own account of the finished process and of all children it waited for.
"""

import json
import os
import sys
import time


def main() -> int:
    report, *command = sys.argv[1:]
    started = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    figures = {
        "wallSeconds": time.monotonic() - started,
        "userSeconds": usage.ru_utime,
        "systemSeconds": usage.ru_stime,
        # Of the largest single process; Linux counts in KiB.
        "peakBytes": usage.ru_maxrss * 1024,
    }
    with open(report, "w", encoding="utf-8") as file:
        json.dump(figures, file)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
