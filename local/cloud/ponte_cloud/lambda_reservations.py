"""Lambda: the concurrency that a function has for itself.

Stock: a template's ``ReservedConcurrentExecutions`` is dropped, and a reservation is a ceiling only: other functions may
use up the account's concurrency, and then also the function with a reservation is throttled.
AWS: a reservation is a ceiling and a share that no other function can take (Lambda developer guide, "Configuring reserved
concurrency").
Check: lambda.test.ts, "keeps for a function what its template reserves".
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from ponte_cloud.patching import replace


def install() -> None:
    replace(lambda_svc, "_acquire_execution_slot", _own_share)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def create_reserved(logical_id: str, props: dict[str, Any], *rest: Any) -> Any:
        return _reserve(create(logical_id, props, *rest), props)

    def update_reserved(physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], *rest: Any) -> Any:
        return _reserve(update(physical_id, old_props, new_props, *rest), new_props)

    handlers.update(create=create_reserved, update=update_reserved)


def _reserve(result: Any, props: dict[str, Any]) -> Any:
    reserved = props.get("ReservedConcurrentExecutions")
    lambda_svc._functions[result[0]]["concurrency"] = None if reserved is None else int(reserved)
    return result


def _own_share(acquire: Callable[..., Any]) -> Callable[..., Any]:
    def acquire_own(func: dict[str, Any], config: dict[str, Any]) -> tuple[str | None, str | None]:
        reserved = lambda_svc._reserved_concurrency(func, config)
        if reserved is None:
            return acquire(func, config)
        key = lambda_svc._inflight_key(config)
        with lambda_svc._inflight_lock:
            if lambda_svc._inflight.get(key, 0) >= reserved:
                return None, "function"
            # Taken off again by the stock release, so it counts in the total, too.
            lambda_svc._inflight[key] = lambda_svc._inflight.get(key, 0) + 1
            lambda_svc._inflight_total += 1
        return key, None

    return acquire_own
