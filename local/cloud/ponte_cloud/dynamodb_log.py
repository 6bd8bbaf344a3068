"""DynamoDB: what was answered with success survives a kill of the emulator.

Stock: tables are saved when the emulator ends in good order; after SIGKILL they are what they were at the last one.
AWS: an acknowledged write is durable.
Every successful write is appended to a log before it is answered; a restart loads the last snapshot and repeats the
log. A write reaches the kernel with the append, so it survives the death of the process, not that of the machine.
Check: survival.test.ts, "keeps every acknowledged write of DynamoDB".
"""

import functools
import json
import logging
import os
from collections.abc import Callable
from typing import Any, TextIO

from ministack.core import persistence
from ministack.core.responses import get_account_id, get_region, set_request_account_id, set_request_region
from ministack.services import dynamodb

from ponte_cloud.dynamodb_lock import WRITES, lock
from ponte_cloud.patching import replace
from ponte_cloud.startup import after_restore

logger = logging.getLogger("ponte_cloud")
# A log this long is cheaper to replace by a snapshot than to repeat.
_LONGEST_LOG_BYTES = 4 << 20


class WriteLog:
    """The log of the writes since the snapshot of the same generation.

    A new generation begins with each snapshot, and the snapshot carries its number: whenever the process dies there is
    exactly one valid pair of a snapshot and a log.
    """

    def __init__(self) -> None:
        self.generation = 0
        self.repeating = False
        self._nesting = 0
        self._stream: TextIO | None = None
        self._tables: dict[object, str | None] = {}
        self._definitions = ""

    @property
    def path(self) -> str:
        return os.path.join(persistence.STATE_DIR, f"dynamodb.log.{self.generation}")

    def record(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """Wraps a write: the request is logged when it succeeded and was not part of a larger one."""

        @functools.wraps(operation)
        def recorded(request: dict[str, Any], *args: Any, **named: Any) -> Any:
            with lock:
                # Before the operation, which may change its argument.
                line = json.dumps([get_account_id(), get_region(), operation.__name__, request])
                self._nesting += 1
                try:
                    response = operation(request, *args, **named)
                finally:
                    self._nesting -= 1
                if self._nesting == 0 and not self.repeating and response[0] == 200:
                    self._append(line)
                return response

        return recorded

    def _append(self, line: str) -> None:
        if self._tables != table_identities():
            # The log can only be repeated on the tables it was written for. The snapshot contains this write.
            self.snapshot()
            return
        if self._stream is None:
            os.makedirs(persistence.STATE_DIR, exist_ok=True)
            self._stream = open(self.path, "a", encoding="utf-8")
        self._stream.write(line + "\n")
        self._stream.flush()

    def snapshot(self) -> None:
        with lock:
            finished = self.path
            self.generation += 1
            if self._stream is not None:
                self._stream.close()
                self._stream = None
            self._tables, self._definitions = table_identities(), table_definitions()
            persistence.save_state("dynamodb", dynamodb.get_state())
            if os.path.exists(finished):
                os.remove(finished)

    def snapshot_if_due(self) -> None:
        length = os.path.getsize(self.path) if os.path.exists(self.path) else 0
        if length > _LONGEST_LOG_BYTES or self._definitions != table_definitions():
            self.snapshot()

    def repeat(self) -> None:
        """Repeats the log after the snapshot has been loaded, then starts a new generation."""
        if os.path.exists(self.path):
            self.repeating = True
            count = 0
            with open(self.path, encoding="utf-8") as lines:
                for line in lines:
                    if not line.endswith("\n"):
                        break  # Torn by the kill: this write was never answered.
                    account, region, name, request = json.loads(line)
                    set_request_account_id(account)
                    set_request_region(region)
                    getattr(dynamodb, name)(request)
                    count += 1
            self.repeating = False
            logger.info("repeated %d writes of DynamoDB", count)
        self.snapshot()


log = WriteLog()


def table_identities() -> dict[object, str | None]:
    """Which tables there are: cheap enough to ask at every write."""
    return {key: table.get("TableId") for key, table in dynamodb._tables._data.items()}


def table_definitions() -> str:
    """What has been configured, without the items and the counters that follow from them."""
    with lock:
        state = dynamodb.get_state()
    tables = state.pop("tables")._data
    for table in tables.values():
        for counted in (table, *table.get("GlobalSecondaryIndexes", []), *table.get("LocalSecondaryIndexes", [])):
            for field in ("items", "ItemCount", "TableSizeBytes", "IndexSizeBytes"):
                counted.pop(field, None)
    return json.dumps([{repr(key): table for key, table in tables.items()}, state], default=repr, sort_keys=True)


def install() -> None:
    if not persistence.PERSIST_STATE:
        return
    for name in WRITES:
        replace(dynamodb, name, log.record)
    replace(dynamodb, "get_state", lambda get: lambda: {**get(), "generation": log.generation})
    replace(dynamodb, "load_persisted_state", _load_generation)
    after_restore(log.repeat)


def _load_generation(load: Callable[..., Any]) -> Callable[..., Any]:
    def load_with_generation(data: dict[str, Any]) -> Any:
        log.generation = data.get("generation", 0)
        return load(data)

    return load_with_generation
