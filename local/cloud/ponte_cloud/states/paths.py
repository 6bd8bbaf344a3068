"""JSONPath: paths, variables and templates, strict as on AWS.

Stock: a path that leads nowhere gives null, so a misspelt field passes here and fails on AWS; a path with a slice or a
filter gives null, too; ``Assign`` and ``$variable`` are unknown in JSONPath states; ``IsPresent`` denies a null.
AWS: a path that leads nowhere fails the state. Slices and filters exist on AWS; here they fail with a clear error.
Checks: states.test.ts, "assigns variables" and "fails on a path that leads nowhere".
"""

import copy
import re
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states.journal import MISSING
from ponte_cloud.states.run import StateError

Context = dict[str, Any]
_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


def lookup(path: str, data: Any, context: Context) -> Any:
    """The value at ``$...`` (data), ``$$...`` (Context Object) or ``$name...`` (variable); MISSING if there is none."""
    if path.startswith("$$"):
        data, path = context, path[1:]
    elif variable := _VARIABLE.match(path):
        data = context["variables"].get(variable[1], MISSING)
        path = "$" + path[variable.end() :]
    tokens = stepfunctions._parse_jsonpath_tokens(path)
    if tokens is None:
        raise StateError("States.Runtime", f"The local cloud does not evaluate the path '{path}' (slice or filter).")
    return _walk(data, tokens)


def _walk(value: Any, tokens: list[tuple[str, Any]]) -> Any:
    for position, (kind, name) in enumerate(tokens):
        if kind == "field" and isinstance(value, dict) and name in value:
            value = value[name]
        elif kind == "index" and isinstance(value, list) and name < len(value):
            value = value[name]
        elif kind == "wildcard" and isinstance(value, list | dict):
            inner = value.values() if isinstance(value, dict) else value
            found = [_walk(each, tokens[position + 1 :]) for each in inner]
            return [each for each in found if each is not MISSING]
        else:
            return MISSING
    return value


def select(path: str, data: Any, context: Context, error: str = "States.Runtime") -> Any:
    value = lookup(path, data, context)
    if value is MISSING:
        raise StateError(error, f"The JSONPath '{path}' could not be found in the input.")
    return value


def evaluate(expression: str, data: Any, context: Context) -> Any:
    """A path or an intrinsic function, as in the value of a ``name.$`` field."""
    if expression.startswith("States."):
        try:
            return stepfunctions._evaluate_intrinsic(expression, data, context)
        except StateError:
            raise
        except Exception as failure:
            raise StateError("States.IntrinsicFailure", f"{expression}: {failure}") from failure
    return select(expression, data, context, "States.ParameterPathFailure")


def fill(template: Any, data: Any, context: Context) -> Any:
    """A payload template: Parameters, ResultSelector, ItemSelector, Assign, BatchInput."""
    if isinstance(template, list):
        return [fill(each, data, context) for each in template]
    if not isinstance(template, dict):
        return template
    return {
        (key[:-2] if key.endswith(".$") else key): (
            evaluate(value, data, context) if key.endswith(".$") else fill(value, data, context)
        )
        for key, value in template.items()
    }


def effective_input(state: dict[str, Any], raw: Any, context: Context) -> Any:
    path = state.get("InputPath", "$")
    return {} if path is None else select(path, raw, context)


def output_of(state: dict[str, Any], raw: Any, result: Any, context: Context) -> Any:
    """ResultSelector, ResultPath, OutputPath: from a result to the output of a state."""
    if "ResultSelector" in state:
        result = fill(state["ResultSelector"], result, context)
    combined = stepfunctions._apply_result_path_raw(state.get("ResultPath", "$"), raw, result)
    path = state.get("OutputPath", "$")
    return {} if path is None else select(path, combined, context)


def assign(owner: dict[str, Any], data: Any, context: Context) -> None:
    """``Assign`` of a state, a choice or a catcher. Every value sees the variables as they were before."""
    if "Assign" in owner:
        assigned = fill(owner["Assign"], data, context)
        context["variables"] = {**context["variables"], **copy.deepcopy(assigned)}


def holds(rule: dict[str, Any], data: Any, context: Context) -> bool:
    """A choice rule: the comparisons are the emulator's, the paths are ours."""
    if "And" in rule:
        return all(holds(each, data, context) for each in rule["And"])
    if "Or" in rule:
        return any(holds(each, data, context) for each in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], data, context)
    value = lookup(rule["Variable"], data, context)
    if "IsPresent" in rule:
        return (value is not MISSING) is rule["IsPresent"]
    if value is MISSING:
        path = rule["Variable"]
        raise StateError("States.Runtime", f"Invalid path '{path}': the choice references an invalid value.")
    compared = {"Variable": "$.value"}
    for operator, operand in rule.items():
        if operator.endswith("Path"):
            compared[operator] = "$.operand"
            operand_value = select(operand, data, context)
            return stepfunctions._evaluate_rule(compared, {"value": value, "operand": operand_value}, context)
        if operator not in ("Variable", "Next", "Assign", "Comment"):
            compared[operator] = operand
    return stepfunctions._evaluate_rule(compared, {"value": value}, context)


def install() -> None:
    """Intrinsic functions take their arguments by the same paths."""
    stock = stepfunctions._eval_intrinsic_arg

    def argument(node: tuple[Any, ...], data: Any, context: Context) -> Any:
        if node[0] == "path":
            return select(node[1], data, {"variables": {}, **(context or {})}, "States.ParameterPathFailure")
        return stock(node, data, context)

    stepfunctions._eval_intrinsic_arg = argument
