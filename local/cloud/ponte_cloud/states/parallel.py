"""Parallel and inline Map: several branches or iterations at a time, in threads."""

import contextvars
import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ponte_cloud.states import distributed, machine, paths
from ponte_cloud.states.expressions import State, arguments, finish, is_jsonata, number, template
from ponte_cloud.states.lifetime import Aborted, Lifetime
from ponte_cloud.states.limits import limited
from ponte_cloud.states.retry import with_retries
from ponte_cloud.states.run import Scope, StateError

# Step Functions runs at most 40 iterations of an inline Map at a time (developer guide, "Inline mode").
INLINE_CONCURRENCY = 40


def run_parallel(state: State, raw: Any, scope: Scope) -> tuple[Any, str | None]:
    def attempt(step: str) -> Any:
        data = arguments(state, raw, scope)

        def branch(index: int, each: State, lifetime: Lifetime) -> Any:
            return machine.run_states(each, copy.deepcopy(data), scope.inner(f"{step}b{index}", lifetime))

        branches = state["Branches"]
        results, errors = together(scope, branches, len(branches), branch, lambda failures: True)
        if errors:
            raise errors[0]
        return finish(state, raw, limited(results), scope)

    return with_retries(state, raw, scope, attempt)


def run_map(state: State, raw: Any, scope: Scope) -> tuple[Any, str | None]:
    processor = state.get("ItemProcessor") or state.get("Iterator") or {}
    if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        return with_retries(state, raw, scope, lambda step: distributed.run(state, processor, raw, scope, step))
    return with_retries(state, raw, scope, lambda step: _run_inline(state, processor, raw, scope, step))


def _run_inline(state: State, processor: State, raw: Any, scope: Scope, step: str) -> Any:
    items = items_of(state, raw, scope)
    name = scope.context["State"]["Name"]
    scope.event(step + "started", "MapStateStarted", {"mapStateStartedEventDetails": {"length": len(items)}})

    def iteration(index: int, item: Any, lifetime: Lifetime) -> Any:
        path = f"{step}i{index}"
        inner = scope.inner(path, lifetime, Map={"Item": {"Index": index, "Value": item}})
        details = {"name": name, "index": index}
        scope.event(path + "started", "MapIterationStarted", {"mapIterationStartedEventDetails": details})
        result = machine.run_states(processor, item_input(state, raw, item, inner), inner)
        scope.event(path + "ok", "MapIterationSucceeded", {"mapIterationSucceededEventDetails": details})
        return result

    at_once = int(number(state, "MaxConcurrency", raw, scope) or INLINE_CONCURRENCY)
    results, errors = together(scope, items, min(at_once, INLINE_CONCURRENCY), iteration, lambda failures: True)
    if errors:
        raise errors[0]
    scope.event(step + "ok", "MapStateSucceeded")
    return finish(state, raw, limited(results), scope)


def items_of(state: State, raw: Any, scope: Scope) -> list[Any]:
    if is_jsonata(state, scope):
        items = template(state["Items"], state, raw, scope) if "Items" in state else raw
    else:
        effective = paths.effective_input(state, raw, scope.context)
        items = paths.select(state.get("ItemsPath", "$"), effective, scope.context)
    if not isinstance(items, list):
        raise StateError("States.Runtime", "The items of a Map must be an array.")
    return items


def item_input(state: State, raw: Any, item: Any, scope: Scope) -> Any:
    """What an iteration gets. ``scope`` is its own: the Context Object names the item."""
    selector = state.get("ItemSelector") or state.get("Parameters")
    return copy.deepcopy(item) if selector is None else template(selector, state, raw, scope)


def together(
    scope: Scope,
    items: list[Any],
    at_once: int,
    work: Callable[[int, Any, Lifetime], Any],
    gives_up: Callable[[int], bool],
) -> tuple[list[Any], list[StateError]]:
    """Runs ``work(index, item, lifetime)`` for all items, ``at_once`` of them at a time; results in their order.

    Once ``gives_up(number of failures)``, the lifetime of all of them is over: no further item starts.
    """
    results: list[Any] = [None] * len(items)
    errors: list[StateError] = []
    lock = threading.Lock()

    with scope.lifetime.inner() as lifetime:

        def one(index: int, item: Any) -> None:
            try:
                lifetime.check()
                results[index] = work(index, item, lifetime)
            except Aborted:
                pass  # By a sibling, or from outside: then the check below says so.
            except StateError as error:
                failed(error)
            except Exception as failure:
                failed(StateError("States.Runtime", repr(failure)))

        def failed(error: StateError) -> None:
            with lock:
                errors.append(error)
                hopeless = gives_up(len(errors))
            if hopeless:
                lifetime.end()

        with ThreadPoolExecutor(max_workers=max(1, min(at_once, len(items)))) as pool:
            for index, item in enumerate(items):
                # The account and the region of the request are context variables, which a thread does not inherit.
                pool.submit(contextvars.copy_context().run, one, index, item)
    scope.lifetime.check()
    return results, errors
