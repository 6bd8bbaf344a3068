"""Retry and Catch.

Stock: matches only the names that its Lambda runner got right, ignores MaxDelaySeconds and JitterStrategy, cuts every
delay at 60 s, and lets States.ALL catch what AWS says it cannot.
Checks: states.test.ts, "retries by the name of the error", "obeys MaxDelaySeconds", "catches by name".
"""

import random
import time
from collections.abc import Callable
from typing import Any

from ponte_cloud.states.expressions import State, caught
from ponte_cloud.states.journal import MISSING
from ponte_cloud.states.run import Scope, StateError

_TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")
# Developer guide, "Handling errors": States.ALL does not match these.
_TERMINAL = ("States.DataLimitExceeded", "States.Runtime")


def matches(names: list[str], error: str) -> bool:
    if error in names:
        return True
    if error in _TERMINAL:
        return False
    if "States.ALL" in names:
        return True
    if error in _TIMEOUTS:
        return "States.Timeout" in names
    return "States.TaskFailed" in names


def delay_seconds(retrier: State, earlier: int) -> float:
    """IntervalSeconds x BackoffRate ^ (retries before this one), at most MaxDelaySeconds."""
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** earlier
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay


def with_retries(
    state: State, raw: Any, scope: Scope, attempt: Callable[[str], Any]
) -> tuple[Any, str | None]:
    """Calls ``attempt(step)`` until it returns, a catcher takes over, or the error leaves the state.

    Returns (output, name of the next state or None at the end). Failures and the moments of the retries are journaled,
    so that after a restart no attempt is counted anew.
    """
    journal, own = scope.run.journal, scope.context["State"]
    used: dict[int, int] = {}
    attempts = 0
    while True:
        step = f"{scope.path}#{attempts}"
        scope.context["State"] = {**own, "RetryCount": attempts}
        try:
            failure = journal.get(step + "!")
            if failure is not MISSING:
                raise StateError(*failure)
            return attempt(step), None if state.get("End") else state.get("Next")
        except StateError as error:
            journal.once(step + "!", lambda error=error: [error.error, error.cause])
            retriers = enumerate(state.get("Retry", []))
            index, retrier = next(
                ((i, each) for i, each in retriers if matches(each["ErrorEquals"], error.error)), (-1, None)
            )
            if retrier is None or used.get(index, 0) >= retrier.get("MaxAttempts", 3):
                return _catch(state, raw, scope, error)
            earlier = used.get(index, 0)
            due = journal.once(
                step + "~", lambda retrier=retrier, earlier=earlier: time.time() + delay_seconds(retrier, earlier)
            )
            used[index] = earlier + 1
        scope.lifetime.sleep_until(due)
        attempts += 1


def _catch(state: State, raw: Any, scope: Scope, error: StateError) -> tuple[Any, str | None]:
    for catcher in state.get("Catch", []):
        if matches(catcher["ErrorEquals"], error.error):
            output = caught(catcher, state, raw, {"Error": error.error, "Cause": error.cause}, scope)
            return output, catcher["Next"]
    raise error
