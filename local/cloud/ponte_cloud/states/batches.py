"""ItemBatcher: several items per child execution. Check: distributed-map.test.ts, "hands out batches"."""

import json
from typing import Any

from ponte_cloud.states.expressions import State, number, template
from ponte_cloud.states.run import PAYLOAD_BYTES, Scope


def batches_of(
    batcher: State | None, items: list[Any], state: State, raw: Any, scope: Scope
) -> list[tuple[Any, int]]:
    """(input of a child, number of items in it), in the order of the items.

    A batch is ``{"Items": [...]}`` plus ``BatchInput`` when there is one. It ends at MaxItemsPerBatch items, or before
    the item that would make it larger than MaxInputBytesPerBatch, whichever comes first.
    """
    if batcher is None:
        return [(item, 1) for item in items]
    most_items = int(number(batcher, "MaxItemsPerBatch", raw, scope) or len(items))
    most_bytes = int(number(batcher, "MaxInputBytesPerBatch", raw, scope) or PAYLOAD_BYTES)
    frame = {"BatchInput": template(batcher["BatchInput"], state, raw, scope)} if "BatchInput" in batcher else {}
    empty_bytes = len(json.dumps({**frame, "Items": []}).encode())
    batches: list[list[Any]] = []
    batch_bytes = 0
    for item in items:
        item_bytes = len(json.dumps(item).encode()) + len(", ")
        if not batches or len(batches[-1]) >= most_items or batch_bytes + item_bytes > most_bytes:
            batches.append([])
            batch_bytes = empty_bytes
        batches[-1].append(item)
        batch_bytes += item_bytes
    return [({**frame, "Items": batch}, len(batch)) for batch in batches]
