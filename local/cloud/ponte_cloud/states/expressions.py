"""One face for the two query languages: what a state takes in and gives out."""

from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states import paths
from ponte_cloud.states.run import Scope

State = dict[str, Any]


def is_jsonata(state: State, scope: Scope) -> bool:
    return stepfunctions._state_query_language(state, scope.context) == "JSONata"


def arguments(state: State, raw: Any, scope: Scope) -> Any:
    """What a Task sends and what the branches of a Parallel get."""
    if is_jsonata(state, scope):
        return stepfunctions._apply_jsonata_arguments(state, raw, scope.context)
    effective = paths.effective_input(state, raw, scope.context)
    return paths.fill(state["Parameters"], effective, scope.context) if "Parameters" in state else effective


def finish(state: State, raw: Any, result: Any, scope: Scope) -> Any:
    """From the result of a Task, Map, Parallel or Pass to its output; assigns the variables."""
    if is_jsonata(state, scope):
        output = stepfunctions._apply_jsonata_output(state, raw, scope.context, result=result, default=result)
        stepfunctions._apply_state_assign(state, raw, scope.context, result=result)
        return output
    output = paths.output_of(state, raw, result, scope.context)
    paths.assign(state, result, scope.context)
    return output


def caught(catcher: State, state: State, raw: Any, error: dict[str, str], scope: Scope) -> Any:
    """The input of the state that a catcher leads to."""
    if is_jsonata(state, scope):
        return stepfunctions._apply_catcher(catcher, raw, scope.context, "JSONata", error)
    paths.assign(catcher, error, scope.context)
    return stepfunctions._apply_result_path_raw(catcher.get("ResultPath", "$"), raw, error)


def number(state: State, field: str, raw: Any, scope: Scope) -> float | None:
    """A number given as ``field``, as ``fieldPath`` or as a JSONata expression; None when it is not given."""
    if f"{field}Path" in state:
        return float(paths.select(state[f"{field}Path"], raw, scope.context))
    if field not in state:
        return None
    if is_jsonata(state, scope):
        return float(stepfunctions._jsonata_state_field(state, field, "number", raw, scope.context))
    return float(state[field])


def template(value: Any, state: State, raw: Any, scope: Scope) -> Any:
    """A payload template in the state's language."""
    if is_jsonata(state, scope):
        return stepfunctions._apply_jsonata_template(value, raw, scope.context)
    return paths.fill(value, paths.effective_input(state, raw, scope.context), scope.context)
