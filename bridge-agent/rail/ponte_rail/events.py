"""The worker's standard output: one JSON line per event, and nothing else."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from typing import Any

from ponte_rail.record import now


class Events:
    """Keeps the real standard output for itself: what libraries print goes to standard error from here on."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)

    def emit(self, event: str, **fields: Any) -> None:
        """A reader that has gone away stops nothing: the records are what counts, events are for people."""
        line = json.dumps({"event": event, "at": now(), **fields}) + "\n"
        with suppress(OSError):
            os.write(self._descriptor, line.encode())


def quieten_rail() -> None:
    """RAIL logs INFO through structlog whatever its own logging_level says."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
