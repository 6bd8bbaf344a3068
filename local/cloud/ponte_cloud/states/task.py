"""Task states: one attempt of calling a service, a function or a nested execution."""

import json
import time
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud import snapshot
from ponte_cloud.states import callback, nested
from ponte_cloud.states.expressions import State, arguments, finish, number
from ponte_cloud.states.journal import MISSING
from ponte_cloud.states.limits import limited
from ponte_cloud.states.retry import with_retries
from ponte_cloud.states.run import Scope, StateError

_WAITING = ".waitForTaskToken"


def run_task(state: State, raw: Any, scope: Scope) -> tuple[Any, str | None]:
    return with_retries(state, raw, scope, lambda step: _attempt(state, raw, scope, step))


def _attempt(state: State, raw: Any, scope: Scope, step: str) -> Any:
    resource, journal = state["Resource"], scope.run.journal
    described = _describe(resource)
    if resource.endswith(_WAITING):
        arn = scope.run.execution["executionArn"]
        scope.context["Task"] = {"Token": journal.once(step + "@token", lambda: callback.new_token(arn))}
    result = journal.get(step)
    try:
        if result is MISSING:
            result = limited(_perform(state, raw, scope, step, described))
            scope.lifetime.check()
            journal.put(step, result)
        scope.event(step + "ok", "TaskSucceeded", {"taskSucceededEventDetails": {**described, "output": _text(result)}})
        return finish(state, raw, result, scope)
    except StateError as error:
        kind = "TaskTimedOut" if error.error in ("States.Timeout", "States.HeartbeatTimeout") else "TaskFailed"
        details = {**described, "error": error.error, "cause": error.cause}
        scope.event(step + "failed", kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": details})
        raise


def _perform(state: State, raw: Any, scope: Scope, step: str, described: dict[str, str]) -> Any:
    resource = state["Resource"]
    request = limited(arguments(state, raw, scope))
    timeout = number(state, "TimeoutSeconds", raw, scope)
    heartbeat = number(state, "HeartbeatSeconds", raw, scope)
    scheduled = {**described, "region": stepfunctions.get_region(), "parameters": _text(request)}
    scope.event(step + "scheduled", "TaskScheduled", {"taskScheduledEventDetails": scheduled})
    scope.event(step + "started", "TaskStarted", {"taskStartedEventDetails": described})
    if resource.endswith(_WAITING):
        return _call_and_wait(scope, step, resource, request, timeout, heartbeat)
    if nested.is_nested(resource):
        return nested.run_nested(scope, step, resource, request, timeout)
    if timeout is not None and ":activity:" not in resource:
        return stepfunctions._invoke_resource_with_timeout(resource, request, timeout)
    return stepfunctions._invoke_resource(resource, request)


def _call_and_wait(
    scope: Scope, step: str, resource: str, request: Any, timeout: float | None, heartbeat: float | None
) -> Any:
    journal = scope.run.journal
    waiting = callback.open_callback(scope.run, step, scope.context["Task"]["Token"])

    def send() -> float:
        stepfunctions._invoke_resource(resource.removesuffix(_WAITING), request)
        # A message that is lost with the emulator, while its task counts as sent, would be waited for in vain.
        snapshot.save_queues()
        return time.time()

    # A kill between sending and journaling sends once more, with the same token: delivery is at least once anyway.
    sent_at = journal.once(step + "@sent", send)
    return waiting.wait(scope.lifetime, None if timeout is None else sent_at + timeout, heartbeat)


def _describe(resource: str) -> dict[str, str]:
    """resourceType and resource of a history event, for instance ``sqs`` and ``sendMessage.waitForTaskToken``."""
    if not resource.startswith("arn:aws:states:::"):
        return {"resourceType": "lambda", "resource": resource}
    service, _, action = resource.removeprefix("arn:aws:states:::").rpartition(":")
    return {"resourceType": service, "resource": action}


def _text(value: Any) -> str:
    return json.dumps(value)
