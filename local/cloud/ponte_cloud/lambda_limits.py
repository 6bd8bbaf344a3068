"""Lambda: the size limits of a synchronous invocation, and the name of the error when too many run at once.

Stock: a request or a response of any size passes; a state that is throttled fails with ``Lambda.Unknown``.
AWS: 6 MB each way (Lambda quotas, "Invocation payload"): a larger request is refused with
``RequestTooLargeException``, a larger response turns into the error ``Function.ResponseSizeTooLarge``.
A state that is throttled fails with ``Lambda.TooManyRequestsException`` (Step Functions, "Error handling").
The memory limit is kept by :mod:`ponte_cloud.lambda_errors`, which watches the process.
Checks: lambda.test.ts, "refuses a request above 6 MB", "refuses a response above 6 MB", "enforces the memory size";
"names what a state finds when too many functions run already".
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from ponte_cloud.patching import replace

PAYLOAD_BYTES = 6 * 1024 * 1024
# What AWS allows on top and names in its messages.
LIMIT_BYTES = PAYLOAD_BYTES + 100


def install() -> None:
    replace(lambda_svc, "_execute_function_warm", _limit_responses)
    replace(lambda_svc, "handle_request", _limit_requests)
    replace(lambda_svc, "_throttle_response", _name_throttling)


def _limit_responses(execute: Callable[..., Any]) -> Callable[..., Any]:
    def limited(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result = execute(func, event, request_id)
        if not result.get("error") and len(json.dumps(result.get("body"))) > LIMIT_BYTES:
            message = f"Response payload size exceeded maximum allowed payload size ({LIMIT_BYTES} bytes)."
            body = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
            return {"body": body, "error": True, "log": result.get("log", "")}
        return result

    return limited


def _limit_requests(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def limited(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        if path.endswith("/invocations") and len(body or b"") > LIMIT_BYTES:
            message = f"Request must be smaller than {LIMIT_BYTES} bytes for the InvokeFunction operation"
            answer = json.dumps({"Type": "User", "message": message}).encode()
            return 413, {"Content-Type": "application/json", "x-amzn-errortype": "RequestTooLargeException"}, answer
        return await handle(method, path, headers, body, query)

    return limited


def _name_throttling(respond: Callable[..., Any]) -> Callable[..., Any]:
    def named(*args: Any, **options: Any) -> dict[str, Any]:
        response = respond(*args, **options)
        response["body"]["errorType"] = "Lambda.TooManyRequestsException"
        return response

    return named
