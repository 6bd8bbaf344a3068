"""The worker's standard output: one JSON line per event, and nothing else."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any, TextIO

from ponte_rail.record import now


class Events:
    """Keeps the real standard output for itself: what libraries print goes to standard error from here on."""

    def __init__(self) -> None:
        self._stream: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def emit(self, event: str, **fields: Any) -> None:
        self._stream.write(json.dumps({"event": event, "at": now(), **fields}) + "\n")
        self._stream.flush()


def quieten_rail() -> None:
    """RAIL logs INFO through structlog whatever its own logging_level says."""
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
