"""A state machine that cannot run is refused when it is created.

Stock: accepts any JSON; a misspelt target fails when, and only when, an execution gets there.
AWS: ``InvalidDefinition``, with the place of the mistake. CloudFormation fails the deployment.
Check: states.test.ts, "refuses a definition with a missing target".
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from ponte_cloud.patching import replace

TYPES = {"Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}
_ENDINGS = {"Choice", "Succeed", "Fail"}


def mistakes(text: str) -> list[str]:
    """What is wrong with a definition, each as ``CODE: message at /place``; empty when nothing is."""
    try:
        machine = json.loads(text)
    except ValueError as failure:
        return [f"INVALID_JSON_DESCRIPTION: {failure}"]
    return list(_in_machine(machine, ""))


def _in_machine(machine: Any, place: str) -> Iterator[str]:
    states = machine.get("States") if isinstance(machine, dict) else None
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: States are missing at {place or '/'}"
        return
    if machine.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'StartAt' target: {machine.get('StartAt')} at {place}/StartAt"
    for name, state in states.items():
        yield from _in_state(state, states, f"{place}/States/{name}")


def _in_state(state: dict[str, Any], states: dict[str, Any], place: str) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in TYPES:
        yield f"SCHEMA_VALIDATION_FAILED: Type {kind!r} is unknown at {place}/Type"
        return
    targets = [state.get("Next"), state.get("Default")]
    targets += [each.get("Next") for each in (*state.get("Choices", []), *state.get("Catch", []))]
    for target in targets:
        if target is not None and target not in states:
            yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {place}/Next"
    if kind not in _ENDINGS and ("Next" in state) == bool(state.get("End")):
        yield f"SCHEMA_VALIDATION_FAILED: exactly one of Next and End is required at {place}"
    if kind == "Task" and "Resource" not in state:
        yield f"SCHEMA_VALIDATION_FAILED: Resource is missing at {place}"
    if kind == "Parallel":
        for index, branch in enumerate(state.get("Branches", [])):
            yield from _in_machine(branch, f"{place}/Branches[{index}]")
    if kind == "Map":
        yield from _in_machine(state.get("ItemProcessor") or state.get("Iterator"), f"{place}/ItemProcessor")


def install() -> None:
    replace(stepfunctions, "_create_state_machine", _refuse_mistakes)
    replace(stepfunctions, "_update_state_machine", _refuse_mistakes)
    stepfunctions._validate_state_machine_definition = _validate
    # CloudFormation writes machines without the API.
    replace(provisioners, "_sfn_definition", _fail_on_mistakes)


def _refuse_mistakes(write: Callable[..., Any]) -> Callable[..., Any]:
    def checked(request: dict[str, Any]) -> Any:
        found = mistakes(request["definition"]) if "definition" in request else []
        if found:
            message = f"Invalid State Machine Definition: '{', '.join(found)}'"
            return stepfunctions.error_response_json("InvalidDefinition", message, 400)
        return write(request)

    return checked


def _fail_on_mistakes(read: Callable[..., Any]) -> Callable[..., Any]:
    def checked(props: dict[str, Any]) -> str:
        definition = read(props)
        if found := mistakes(definition):
            raise provisioners._sfn_handler_error(f"Invalid State Machine Definition: '{', '.join(found)}'")
        return definition

    return checked


def _validate(request: dict[str, Any]) -> Any:
    found = mistakes(request["definition"])
    diagnostics = [
        {"severity": "ERROR", "code": each.partition(":")[0], "message": each.partition(": ")[2]} for each in found
    ]
    return stepfunctions.json_response({"result": "FAIL" if found else "OK", "diagnostics": diagnostics})
