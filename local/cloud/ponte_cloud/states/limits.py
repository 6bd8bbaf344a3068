"""The size limit of what moves between states. Check: states.test.ts, "refuses payloads above 256 KiB"."""

import json
from typing import Any

from ponte_cloud.states.run import PAYLOAD_BYTES, StateError


def too_large(text: str) -> bool:
    return len(text.encode()) > PAYLOAD_BYTES


def limited(value: Any) -> Any:
    """Returns ``value``; raises States.DataLimitExceeded, which States.ALL does not catch."""
    if too_large(json.dumps(value)):
        message = "The state/task returned a result with a size exceeding the maximum number of bytes service limit."
        raise StateError("States.DataLimitExceeded", message)
    return value
