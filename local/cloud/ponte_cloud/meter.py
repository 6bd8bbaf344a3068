"""What a bill would count, one JSON line for each thing counted, in the file that ``PONTE_CLOUD_METER`` names.

Not a fix: without that variable nothing is counted. ``npm run bench -- cost`` reads the lines.

S3 and SQS: requests at the front. Transitions: states entered and attempts beyond the first ("Step Functions counts a
state transition each time a step of your workflow is executed ... including retries", aws.amazon.com/step-functions/pricing).
DynamoDB: units by the sizes of the items, 4 KiB a consistent read and 1 KiB a write, a transaction's twice, also where
a condition refused it. Lambda: seconds, CPU and log bytes of each invocation, measured here.
"""

import functools
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core.iam_evaluator import caller_arn
from ministack.core.router import detect_service
from ministack.services import dynamodb

from ponte_cloud.lambda_errors import NodeWorker
from ponte_cloud.patching import replace
from ponte_cloud.states.run import Scope

_lock = threading.Lock()
_READ_BYTES = 4096
_WRITE_BYTES = 1024
_SQS_BYTES = 64 << 10
# CloudWatch Logs charges this much for an event beyond its message.
_LOG_EVENT_BYTES = 26
# START, END and REPORT of an invocation, as Lambda writes them in plain text.
_PLATFORM_LOG_BYTES = 85 + 57 + 165 + 3 * _LOG_EVENT_BYTES
_TICKS = os.sysconf("SC_CLK_TCK")


def install_if_asked() -> None:
    path = os.environ.get("PONTE_CLOUD_METER")
    if not path:
        return
    stream = open(path, "a", encoding="utf-8")

    def tell(**line: Any) -> None:
        with _lock:
            stream.write(json.dumps(line) + "\n")
            stream.flush()

    replace(app, "_dispatch_service_request", lambda dispatch: _requests(dispatch, tell))
    for name in ("_get_item", "_query"):
        replace(dynamodb, name, lambda read: _reads(read, tell))
    replace(dynamodb, "_transact_write_items", lambda write: _transactions(write, tell))
    for name in ("_put_item", "_update_item", "_delete_item"):
        replace(dynamodb, name, lambda write: _writes(write, tell))
    replace(NodeWorker, "invoke", lambda invoke: _invocations(invoke, tell))
    replace(Scope, "event", lambda event: _events(event, tell))


def _requests(dispatch: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    async def counted(method: str, path: str, headers: dict, body: bytes, query: dict, request_id: str) -> Any:
        answer = await dispatch(method, path, headers, body, query, request_id)
        service = detect_service(method, path, headers, query)
        if service == "s3" and method != "DELETE":
            lists = method == "GET" and "list-type" in query
            kind = "s3Put" if lists or method in ("PUT", "POST") else "s3Get"
            moved = len(body or b"") or int(answer[1].get("Content-Length") or 0)
            tell(kind=kind, units=1, by=caller_arn(), at=path, bytes=0 if method == "HEAD" else moved)
        if service == "sqs":
            units = max(1, -(-len(body or b"") // _SQS_BYTES))
            tell(kind="sqsRequest", units=units, by=caller_arn(), at=headers.get("x-amz-target", ""))
        return answer

    return counted


def _reads(read: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(read)
    def counted(data: dict[str, Any]) -> Any:
        answer = read(data)
        found = json.loads(answer[2])
        size = sum(map(dynamodb._item_size_bytes, found.get("Items") or [found.get("Item") or {}]))
        units = max(1, -(-size // _READ_BYTES)) * (1 if data.get("ConsistentRead") else 0.5)
        key = data.get("Key") or data.get("ExpressionAttributeValues")
        tell(kind="dynamoDbReadUnit", units=units, by=caller_arn(), at=_row(key))
        return answer

    return counted


def _transactions(write: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(write)
    def counted(data: dict[str, Any]) -> Any:
        operations = [next(iter(each.values())) for each in data["TransactItems"]]
        before = [_size(each) for each in operations]
        answer = write(data)
        for each, size in zip(operations, before, strict=True):
            units = 2 * max(1, -(-max(size, _size(each)) // _WRITE_BYTES))
            tell(kind="dynamoDbWriteUnit", units=units, by=caller_arn(), at=_row(each.get("Key") or each.get("Item")))
        return answer

    return counted


def _writes(write: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(write)
    def counted(data: dict[str, Any]) -> Any:
        before = _size(data)
        answer = write(data)
        units = max(1, -(-max(before, _size(data)) // _WRITE_BYTES))
        tell(kind="dynamoDbWriteUnit", units=units, by=caller_arn(), at=_row(data.get("Key") or data.get("Item")))
        return answer

    return counted


def _size(operation: dict[str, Any]) -> int:
    """Of the row that an operation is about, as it is now."""
    table = dynamodb._tables.get(dynamodb._normalize_table_name(operation["TableName"]))
    key = operation.get("Key") or operation.get("Item") or {}
    if not table or "pk" not in key:
        return 0
    row = table["items"].get(key["pk"]["S"], {}).get(key["sk"]["S"])
    return dynamodb._item_size_bytes(row or operation.get("Item") or {})


def _row(key: dict[str, Any] | None) -> str:
    return " ".join(str(value.get("S", "")) for value in (key or {}).values() if isinstance(value, dict))[:120]


def _invocations(invoke: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(invoke)
    def counted(self: Any, *args: Any, **named: Any) -> Any:
        process, started = self._proc, time.monotonic()
        before = _cpu_seconds(process.pid) if process is not None and process.poll() is None else 0.0
        reply = invoke(self, *args, **named)
        lines = [line for line in reply.get("log", "").split("\n") if line]
        tell(
            kind="lambdaRequest",
            units=1,
            by=self.config["FunctionName"],
            seconds=time.monotonic() - started,
            cpu=(_cpu_seconds(self._proc.pid) if self._proc is not None else before) - before,
            memoryMb=self.config.get("MemorySize", 128),
            diskMb=self.config.get("EphemeralStorage", {}).get("Size", 512),
            cold=reply["cold_start"],
            logBytes=sum(len(line.encode()) + _LOG_EVENT_BYTES for line in lines) + _PLATFORM_LOG_BYTES,
        )
        return reply

    return counted


def _cpu_seconds(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, ValueError):
        return 0.0


def _events(event: Callable[..., Any], tell: Callable[..., None]) -> Callable[..., Any]:
    def counted(self: Any, key: str, kind: str, details: dict[str, Any] | None = None) -> None:
        event(self, key, kind, details)
        # As a log of level ALL without execution data has it.
        name = {"name": (details or {}).get("stateEnteredEventDetails", {}).get("name", "")}
        arn = self.run.execution["executionArn"]
        line = {"id": "10", "type": kind, "details": name, "previous_event_id": "9", "redrive_count": "0"}
        line |= {"event_timestamp": "1700000000000", "execution_arn": arn}
        tell(kind="event", units=1, by=arn, at=kind, name=name["name"], bytes=len(json.dumps(line)) + _LOG_EVENT_BYTES)

    return counted
