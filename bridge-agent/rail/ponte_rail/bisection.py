"""Which rows of a part make an algorithm stop."""

from __future__ import annotations

import sys
import time
import traceback
from collections import deque
from collections.abc import Callable

from ponte_rail.failures import WorkerError, classify
from ponte_rail.photometry import Photometry

LEAST_SECONDS = 120.0
SHARE_OF_FAILURE = 20.0
"""The search ends after this many times what the part took until it failed, but has `LEAST_SECONDS`: one bad row takes
about twice the seconds of the whole part, each further one at most as much again."""

MOST_NAMED = 20
"""Rows that the message names; the others are counted."""


def failing_ranges(fails: Callable[[range], bool], rows: int, until: float) -> tuple[list[range], bool]:
    """The smallest ranges of rows that fail: single rows, or several that only fail together. They are in order, and
    the flag says whether everything was looked at before `until` (of `time.monotonic()`)."""
    found: list[range] = []
    # What stands here is known to fail. Breadth first, so that a search that is cut short has seen all of the part.
    failing = deque([range(rows)])
    while failing:
        if time.monotonic() > until:
            return sorted([*found, *failing], key=lambda one: one.start), False
        suspect = failing.popleft()
        middle = len(suspect) // 2
        halves = [half for half in (suspect[:middle], suspect[middle:]) if len(half) > 0]
        bad = [half for half in halves if fails(half)] if len(suspect) > 1 else []
        if bad:
            failing.extend(bad)
        else:
            found.append(suspect)
    return sorted(found, key=lambda one: one.start), True


def narrowed(
    error: Exception, sample: Photometry, estimate: Callable[[Photometry], None], seconds: float
) -> WorkerError | Exception:
    """The error with the rows that cause it, after trying halves of `sample` again and again. What is not the doing of
    the algorithm or the data comes back as it is. `seconds`: what the part took until it failed."""
    cause = classify(error, "the part")
    if cause.kind != "science":
        return error
    traceback.print_exc()

    def fails(rows: range) -> bool:
        try:
            estimate(sample.take(slice(rows.start, rows.stop)))
            return False
        except Exception as problem:
            if classify(problem, "").kind != "science":
                raise
            print(f"rows {rows.start} to {rows.stop - 1} fail: {problem}", file=sys.stderr)
            return True

    until = time.monotonic() + max(LEAST_SECONDS, SHARE_OF_FAILURE * seconds)
    ranges, complete = failing_ranges(fails, len(sample), until)
    said = error.message if isinstance(error, WorkerError) else f"RAIL raised {type(error).__name__}: {error}"
    return WorkerError(cause.code, "science", f"{said.rstrip('.')}. {_sentence(ranges, complete, sample)}")


def _sentence(ranges: list[range], complete: bool, sample: Photometry) -> str:
    count = sum(len(one) for one in ranges)
    named = "; ".join(_name(one, sample) for one in ranges[:MOST_NAMED])
    more = f"; and {len(ranges) - MOST_NAMED} more" if len(ranges) > MOST_NAMED else ""
    so_far = "" if complete else ", as far as the time for the search went"
    return f"It fails because of {count} of its {len(sample)} rows{so_far}: {named}{more}."


def _name(rows: range, sample: Photometry) -> str:
    """Rows count from 0, in the order of the part."""
    if len(rows) == 1:
        return f"row {rows.start} (objectId {sample.object_id[rows.start]})"
    return f"rows {rows.start} to {rows.stop - 1} together"
