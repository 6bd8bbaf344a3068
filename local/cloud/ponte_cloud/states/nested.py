"""``states:startExecution.sync`` and ``.sync:2``: an execution inside of an execution.

Stock: runs the nested machine inside the calling thread under a new name each time; it cannot be stopped, does not
survive a restart, and its own error name reaches the caller.
AWS: starts a usual execution, waits for it, stops it when the caller stops, and reports any failure as
``States.TaskFailed`` with the execution's description as the cause.
Check: states.test.ts, "runs a nested execution and stops it".
"""

import json
import threading
import time
import uuid
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states.lifetime import Aborted, Lifetime
from ponte_cloud.states.run import Scope, StateError


def is_nested(resource: str) -> bool:
    return resource.startswith("arn:aws:states:::states:startExecution.sync")


def run_nested(scope: Scope, step: str, resource: str, request: dict[str, Any], timeout: float | None) -> Any:
    """Returns the description of the ended execution; ``.sync:2`` with its output as JSON instead of text."""
    journal = scope.run.journal
    name = request.get("Name") or journal.once(step + "@name", lambda: str(uuid.uuid4()))
    started_at = journal.once(step + "@started", time.time)
    start = stepfunctions._nested_start_execution_request({**request, "Name": name})
    arn = journal.once(step + "@child", lambda: _start(start))
    try:
        _wait(scope.lifetime, arn, None if timeout is None else started_at + timeout)
    except (Aborted, StateError):
        stepfunctions._stop_execution({"executionArn": arn})
        raise
    described = json.loads(stepfunctions._describe_execution({"executionArn": arn})[2])
    answer = {key[0].upper() + key[1:]: value for key, value in described.items()}
    if described["status"] != "SUCCEEDED":
        raise StateError("States.TaskFailed", json.dumps(answer))
    if resource.endswith(":2"):
        answer["Output"] = json.loads(described["output"])
    return answer


def _start(request: dict[str, Any]) -> str:
    status, _, body = stepfunctions._start_execution(request)
    answer = json.loads(body)
    if status != 200:
        raise StateError(f"StepFunctions.{answer['__type']}", answer.get("message", ""))
    return str(answer["executionArn"])


def _wait(lifetime: Lifetime, arn: str, expires_at: float | None) -> None:
    from ponte_cloud.states.execution import running

    child = running(arn)
    if child is None:
        return
    changed = threading.Event()
    with lifetime.signalling(changed), child.lifetime.signalling(changed):
        changed.wait(None if expires_at is None else max(0.0, expires_at - time.time()))
    lifetime.check()
    if not child.lifetime.over:
        raise StateError("States.Timeout", "")
