"""DynamoDB: one request at a time.

Stock: state machines and Lambda event sources call the service from their own threads while the API calls it from
the event loop, without a lock. Two additions to one item then start from the same value: 1795 of 1800 arrived.
AWS: every write of an item is atomic.
Check: dynamodb.test.ts, "loses no update under a Map and API writers". It fails when ``dynamodb-log`` is left out as
well: the log takes the same lock, because its order must be that of the writes.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import dynamodb

from ponte_cloud.patching import replace

# Reentrant: transactions and batches are made of the single operations.
lock = threading.RLock()

READS = ("_get_item", "_query", "_scan", "_batch_get_item", "_transact_get_items")
WRITES = (
    "_put_item",
    "_update_item",
    "_delete_item",
    "_batch_write_item",
    "_transact_write_items",
    "_execute_statement",
    "_batch_execute_statement",
    "_execute_transaction",
)
DEFINITIONS = ("_create_table", "_update_table", "_delete_table", "_update_ttl")


def install() -> None:
    for name in (*READS, *WRITES, *DEFINITIONS, "get_state"):
        replace(dynamodb, name, _one_at_a_time)
    # The thread that deletes expired items takes this one.
    dynamodb._lock = lock


def _one_at_a_time(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def locked(*args: Any, **named: Any) -> Any:
        with lock:
            return operation(*args, **named)

    return locked
