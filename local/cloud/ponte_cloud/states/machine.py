"""Walks through the states of a machine, a branch or an iteration."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states import expressions, paths
from ponte_cloud.states.expressions import State, is_jsonata
from ponte_cloud.states.limits import limited
from ponte_cloud.states.parallel import run_map, run_parallel
from ponte_cloud.states.run import Scope, StateError
from ponte_cloud.states.task import run_task

Step = tuple[Any, str | None]


def run_states(machine: dict[str, Any], data: Any, scope: Scope) -> Any:
    """Runs ``{"StartAt", "States"}`` on ``data`` and returns the output of its last state.

    The path of a step counts the states entered so far, so that a loop gives each round its own entries.
    """
    name: str | None = machine["StartAt"]
    count = 0
    while name is not None:
        scope.lifetime.check()
        state, kind = machine["States"][name], machine["States"][name]["Type"]
        inner = scope.at(f"{scope.path}/{count}:{name}")
        scope.context["State"] = {"Name": name, "EnteredTime": stepfunctions.now_iso(), "RetryCount": 0}
        entered = {"name": name, "input": json.dumps(data)}
        scope.event(inner.path + "in", f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
        data, following = _RUNNERS[kind](state, data, inner)
        limited(data)
        exited = {"name": name, "output": json.dumps(data)}
        scope.event(inner.path + "out", f"{kind}StateExited", {"stateExitedEventDetails": exited})
        name, count = following, count + 1
    return data


def _following(state: State) -> str | None:
    return None if state.get("End") else state["Next"]


def _run_pass(state: State, raw: Any, scope: Scope) -> Step:
    # Journaled, because an intrinsic function may be random and because variables must come back as they were.
    def once() -> list[Any]:
        if is_jsonata(state, scope):
            output, _ = stepfunctions._execute_pass(state, raw, scope.context)
        else:
            result = state.get("Result", expressions.arguments(state, raw, scope))
            output = expressions.finish(state, raw, result, scope)
        return [output, scope.context["variables"]]

    output, scope.context["variables"] = scope.run.journal.once(scope.path, once)
    return output, _following(state)


def _run_choice(state: State, raw: Any, scope: Scope) -> Step:
    def once() -> list[Any]:
        if is_jsonata(state, scope):
            output, following = stepfunctions._execute_choice(state, raw, scope.context)
        else:
            output, following = _choose(state, raw, scope)
        return [output, following, scope.context["variables"]]

    output, following, scope.context["variables"] = scope.run.journal.once(scope.path, once)
    return output, following


def _choose(state: State, raw: Any, scope: Scope) -> tuple[Any, str]:
    effective = paths.effective_input(state, raw, scope.context)
    output = paths.output_of({"OutputPath": state.get("OutputPath", "$")}, raw, effective, scope.context)
    for rule in state["Choices"]:
        if paths.holds(rule, effective, scope.context):
            paths.assign(rule, effective, scope.context)
            return output, rule["Next"]
    if "Default" not in state:
        raise StateError("States.NoChoiceMatched", "No choice rule matched and there is no Default.")
    paths.assign(state, effective, scope.context)
    return output, state["Default"]


def _run_wait(state: State, raw: Any, scope: Scope) -> Step:
    scope.lifetime.sleep_until(scope.run.journal.once(scope.path, lambda: _until(state, raw, scope)))
    if is_jsonata(state, scope):
        output = stepfunctions._apply_jsonata_output(state, raw, scope.context, default=raw)
        stepfunctions._apply_state_assign(state, raw, scope.context)
        return output, _following(state)
    effective = paths.effective_input(state, raw, scope.context)
    paths.assign(state, effective, scope.context)
    only_output = {"OutputPath": state.get("OutputPath", "$")}
    return paths.output_of(only_output, raw, effective, scope.context), _following(state)


def _until(state: State, raw: Any, scope: Scope) -> float:
    """The end of a Wait, in seconds since the epoch."""
    seconds = expressions.number(state, "Seconds", raw, scope)
    if seconds is not None:
        return time.time() + seconds
    if "TimestampPath" in state:
        text = paths.select(state["TimestampPath"], paths.effective_input(state, raw, scope.context), scope.context)
    elif is_jsonata(state, scope):
        text = stepfunctions._jsonata_wait_timestamp(state, raw, scope.context)
    else:
        text = state["Timestamp"]
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        raise StateError("States.Runtime", f"Wait: '{text}' is not a timestamp.") from None


def _run_succeed(state: State, raw: Any, scope: Scope) -> Step:
    if is_jsonata(state, scope):
        return stepfunctions._apply_jsonata_output(state, raw, scope.context, default=raw), None
    effective = paths.effective_input(state, raw, scope.context)
    only_output = {"OutputPath": state.get("OutputPath", "$")}
    return paths.output_of(only_output, raw, effective, scope.context), None


def _run_fail(state: State, raw: Any, scope: Scope) -> Step:
    raise StateError(*stepfunctions._fail_state_error(state, raw, scope.context))


_RUNNERS: dict[str, Callable[[State, Any, Scope], Step]] = {
    "Task": run_task,
    "Map": run_map,
    "Parallel": run_parallel,
    "Pass": _run_pass,
    "Choice": _run_choice,
    "Wait": _run_wait,
    "Succeed": _run_succeed,
    "Fail": _run_fail,
}
