"""The API of executions and tokens: what a request is refused for, and what stopping means.

Stock: StartExecution of a running execution with the same name and input is refused (AWS returns its ARN: a client may
repeat a request whose answer was lost); inputs of any size are accepted; StopExecution changes the status only; a token
that is no longer good is ``TaskDoesNotExist``, and any output is accepted for it.
Checks: states.test.ts, "starts an execution once", "refuses payloads above 256 KiB", "stops a running Map";
callbacks.test.ts.
"""

import json
import re
import uuid
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states import callback, execution
from ponte_cloud.states.limits import too_large

Request = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

# API reference, StartExecution: what a name must not contain, and its length.
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")


def _refuse(code: str, message: str) -> Response:
    return stepfunctions.error_response_json(code, message, 400)


def start_execution(request: Request) -> Response:
    requested = request.get("stateMachineArn", "")
    base = stepfunctions._resolve_state_machine_arn(requested)
    if base is None:
        return _refuse("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{requested}'")
    text, name = request.get("input") or "{}", request.get("name") or str(uuid.uuid4())
    if too_large(text):
        limit = "failed to satisfy constraint: Member must have length less than or equal to 262144"
        return _refuse("ValidationException", f"1 validation error detected: Value at 'input' {limit}")
    if not _is_json(text):
        return _refuse("InvalidExecutionInput", "Invalid State Machine Execution Input: 'Invalid JSON'")
    if not _NAME.fullmatch(name):
        return _refuse("InvalidName", f"Invalid Name: '{name}'")
    machine = stepfunctions._state_machines[base]
    version_arn = stepfunctions._execution_version_arn(requested)
    source = stepfunctions._state_machine_versions.get(version_arn) or machine
    arn = f"{base.replace(':stateMachine:', ':execution:')}:{name}"
    existing = stepfunctions._executions.get(arn)
    if existing is not None:
        if existing["status"] == "RUNNING" and existing["input"] == text:
            return stepfunctions.json_response({"executionArn": arn, "startDate": existing["startDate"]})
        return _refuse("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
    started = _new_execution(arn, base, name, text, source["roleArn"])
    stepfunctions._executions[arn] = started
    stepfunctions._emit_execution_status_event(started)
    execution.start(started, source["definition"])
    return stepfunctions.json_response({"executionArn": arn, "startDate": started["startDate"]})


def _new_execution(arn: str, machine_arn: str, name: str, text: str, role_arn: str) -> dict[str, Any]:
    record = {
        "executionArn": arn,
        "stateMachineArn": machine_arn,
        "name": name,
        "status": "RUNNING",
        "startDate": stepfunctions.now_iso(),
        "stopDate": None,
        "input": text,
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "_roleArn": role_arn,
    }
    return {**record, "events": execution.first_event(record)}


def stop_execution(request: Request) -> Response:
    arn = request.get("executionArn", "")
    known = stepfunctions._executions.get(arn)
    if known is None:
        return _refuse("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    run = execution.running(arn)
    if run is not None:
        details = {key: request[key] for key in ("error", "cause") if key in request}
        execution.end(run, "ABORTED", details)
    # Stopping what has ended changes nothing and is no error.
    return stepfunctions.json_response({"stopDate": known["stopDate"]})


def send_task_success(request: Request) -> Response:
    output = request.get("output", "")
    if not _is_json(output):
        return _refuse("InvalidOutput", "Invalid Output: 'Invalid JSON'")
    if too_large(output):
        return _refuse("InvalidOutput", "Invalid Output: 'Output is larger than 262144 bytes'")
    return _answer(request, {"output": output})


def send_task_failure(request: Request) -> Response:
    return _answer(request, {key: request[key] for key in ("error", "cause") if key in request})


def send_task_heartbeat(request: Request) -> Response:
    waiting = callback.find(request.get("taskToken", ""))
    return stepfunctions.json_response({}) if waiting is not None and waiting.beat() else _not_waiting(request)


def _answer(request: Request, reply: dict[str, str]) -> Response:
    waiting = callback.find(request.get("taskToken", ""))
    return stepfunctions.json_response({}) if waiting is not None and waiting.answer(reply) else _not_waiting(request)


def _not_waiting(request: Request) -> Response:
    if callback.is_token(request.get("taskToken", "")):
        return _refuse("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    return _refuse("InvalidToken", "Invalid Token: 'Invalid token'")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
        return True
    except ValueError:
        return False


def install() -> None:
    execution.install()
    stepfunctions._start_execution = start_execution
    stepfunctions._stop_execution = stop_execution
    stepfunctions._send_task_success = send_task_success
    stepfunctions._send_task_failure = send_task_failure
    stepfunctions._send_task_heartbeat = send_task_heartbeat
