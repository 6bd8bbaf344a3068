"""SQS event sources: what a malformed partial batch response means.

Stock: an answer that names no message, or one that was not in the batch, counts as success, and the whole batch is
deleted from the queue.
AWS: the whole batch counts as failed when a ``batchItemFailures`` entry has an empty, missing or unknown
``itemIdentifier`` (Lambda developer guide, "Success and failure conditions" of SQS event sources).
Check: queues.test.ts, "keeps the whole batch when the answer names an unknown message".
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import lambda_svc

from ponte_cloud.patching import replace


def names_only(body: Any, message_ids: frozenset[str]) -> bool:
    """Whether every failure that the answer lists is one of the batch's messages. An answer without a list is one
    of success on AWS, too."""
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    if not failures:
        return True
    return isinstance(failures, list) and all(
        isinstance(failure, dict) and failure.get("itemIdentifier") in message_ids for failure in failures
    )


def install() -> None:
    replace(lambda_svc, "_run_sqs_batch", _remember_batch)
    replace(lambda_svc, "_execute_function", _check_answer)


# The messages of the batch that this thread delivers; None outside of one that reports its failures.
_message_ids: ContextVar[frozenset[str] | None] = ContextVar("message_ids", default=None)


def _remember_batch(run_batch: Callable[..., Any]) -> Callable[..., Any]:
    def run(esm: dict[str, Any], func_rec: dict[str, Any], event: dict[str, Any], *rest: Any) -> None:
        reports = "ReportBatchItemFailures" in esm.get("FunctionResponseTypes", [])
        message_ids = frozenset(record["messageId"] for record in event["Records"]) if reports else None
        before = _message_ids.set(message_ids)
        try:
            run_batch(esm, func_rec, event, *rest)
        finally:
            _message_ids.reset(before)

    return run


def _check_answer(execute: Callable[..., Any]) -> Callable[..., Any]:
    def checked(func: dict[str, Any], event: Any) -> dict[str, Any]:
        result = execute(func, event)
        message_ids = _message_ids.get()
        if message_ids is None or result.get("error") or names_only(result.get("body"), message_ids):
            return result
        message = "batchItemFailures names no message of this batch, so the whole batch counts as failed"
        body = {"errorType": "InvalidBatchItemFailures", "errorMessage": message}
        return {"body": body, "error": True, "log": result.get("log", "")}

    return checked
