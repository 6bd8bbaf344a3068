"""Distributed Map: each item, or batch of items, is an execution of its own.

Stock: ignores ItemBatcher and ResultWriter without a word, runs all items after the tolerated failures are exceeded,
and does not know JSONata here.
Checks: distributed-map.test.ts.

The journal keeps what the children did, so a Map Run continues after a restart like everything else.
"""

import json
import threading
import uuid
from typing import Any

from ministack.services import stepfunctions

from ponte_cloud.states import machine, parallel
from ponte_cloud.states.batches import batches_of
from ponte_cloud.states.expressions import State, finish, is_jsonata, number, template
from ponte_cloud.states.lifetime import Aborted, Lifetime
from ponte_cloud.states.limits import limited
from ponte_cloud.states.result_writer import write_results
from ponte_cloud.states.run import Scope, StateError

# AWS runs up to 10,000 children at a time. Each is a thread here, so this is what "no MaxConcurrency" means locally.
UNLIMITED_CONCURRENCY = 64

_EXCEEDED = "States.ExceedToleratedFailureThreshold"


def run(state: State, processor: State, raw: Any, scope: Scope, step: str) -> Any:
    items = []
    for index, item in enumerate(read_items(state, raw, scope)):
        inner = scope.inner(step, scope.lifetime, Map={"Item": {"Index": index, "Value": item}})
        items.append(parallel.item_input(state, raw, item, inner))
    map_run = MapRun(state, raw, scope, step, batches_of(state.get("ItemBatcher"), items, state, raw, scope))
    scope.event(step + "run", "MapRunStarted", {"mapRunStartedEventDetails": {"mapRunArn": map_run.arn}})
    results = map_run.work(processor)
    if "ResultWriter" in state:
        results = write_results(state, raw, scope, map_run.arn, map_run.children, map_run.inputs)
    map_run.close()
    if map_run.failed:
        cause = "The specified tolerated failure threshold was exceeded"
        failure = {"mapRunFailedEventDetails": {"error": _EXCEEDED, "cause": cause}}
        scope.event(step + "failed", "MapRunFailed", failure)
        raise StateError(_EXCEEDED, cause)
    scope.event(step + "ok", "MapRunSucceeded")
    return finish(state, raw, limited(results), scope)


def read_items(state: State, raw: Any, scope: Scope) -> list[Any]:
    """The items of an ItemReader (S3 listing, JSON, JSON Lines, CSV) or of the state's input."""
    reader = state.get("ItemReader")
    if reader is None:
        return parallel.items_of(state, raw, scope)
    given = reader.get("Arguments") if is_jsonata(state, scope) else reader.get("Parameters")
    request = template(given or {}, state, raw, scope)
    config = dict(reader.get("ReaderConfig", {}))
    limit = number(config, "MaxItems", raw, scope)
    config.pop("MaxItemsPath", None)
    config.pop("MaxItems", None)
    if limit:
        config["MaxItems"] = int(limit)
    try:
        # Filled in already, so the emulator finds no path in it.
        items = stepfunctions._read_map_items({**reader, "Parameters": request, "ReaderConfig": config}, raw, {})
    except (ValueError, KeyError, IndexError) as failure:
        raise StateError("States.ItemReaderFailed", f"The items cannot be read: {failure}") from failure
    if not isinstance(items, list):
        raise StateError("States.ItemReaderFailed", "Attempting to map over a dataset that is not an array.")
    return items


class MapRun:
    """The record that DescribeMapRun shows, and the children that ListExecutions shows."""

    def __init__(self, state: State, raw: Any, scope: Scope, step: str, batches: list[tuple[Any, int]]) -> None:
        self._scope, self._step = scope, step
        self.inputs = [each for each, _ in batches]
        self._sizes = [size for _, size in batches]
        self.children: list[dict[str, Any] | None] = [None] * len(batches)
        self._lock = threading.Lock()
        self._failed_items = 0
        self._tolerated_count = number(state, "ToleratedFailureCount", raw, scope)
        self._tolerated_percentage = number(state, "ToleratedFailurePercentage", raw, scope)
        self._at_once = int(number(state, "MaxConcurrency", raw, scope) or 0)
        label = state.get("Label") or scope.context["State"]["Name"]
        machine_arn = scope.run.execution["stateMachineArn"]
        prefix, _, name = machine_arn.rpartition(":stateMachine:")
        identity = scope.run.journal.once(step + "@run", lambda: str(uuid.uuid4()))
        self.arn = f"{prefix}:mapRun:{name}/{label}:{identity}"
        self._machine_arn = f"{machine_arn}/{label}"
        self._child_prefix = f"{prefix}:execution:{name}/{label}:"
        self._record = self._new_record()
        stepfunctions._map_runs[self.arn] = self._record

    def _new_record(self) -> dict[str, Any]:
        def counts(total: int) -> dict[str, int]:
            names = ("running", "succeeded", "failed", "timedOut", "aborted", "resultsWritten")
            return {"total": total, "pending": total, **dict.fromkeys(names, 0)}

        return {
            "mapRunArn": self.arn,
            "executionArn": self._scope.run.execution["executionArn"],
            "status": "RUNNING",
            "startDate": stepfunctions.now_iso(),
            "maxConcurrency": self._at_once,
            "toleratedFailurePercentage": self._tolerated_percentage or 0.0,
            "toleratedFailureCount": int(self._tolerated_count or 0),
            "itemCounts": counts(sum(self._sizes)),
            "executionCounts": counts(len(self.inputs)),
            "redriveCount": 0,
            "_stateMachineArn": self._machine_arn,
        }

    @property
    def failed(self) -> bool:
        """Whether more items failed than are tolerated; without a tolerance, whether any did."""
        if self._tolerated_count is None and self._tolerated_percentage is None:
            return self._failed_items > 0
        share = 100 * self._failed_items
        return (self._tolerated_count is not None and self._failed_items > self._tolerated_count) or (
            self._tolerated_percentage is not None and share > self._tolerated_percentage * sum(self._sizes)
        )

    def work(self, processor: State) -> list[Any]:
        def child(index: int, data: Any, lifetime: Lifetime) -> Any:
            return self._run_child(processor, index, data, lifetime)

        at_once = self._at_once or UNLIMITED_CONCURRENCY
        try:
            results, _ = parallel.together(self._scope, self.inputs, at_once, child, lambda failures: self.failed)
            return results
        except Aborted:
            self.close("ABORTED")
            raise

    def _run_child(self, processor: State, index: int, data: Any, lifetime: Lifetime) -> Any:
        path = f"{self._step}d{index}"
        name = self._scope.run.journal.once(path + "@name", lambda: str(uuid.uuid4()))
        record = self._new_child(name, data)
        self.children[index] = record
        stepfunctions._executions[record["executionArn"]] = record
        self._move(index, "pending", "running")
        # Variables of the workflow around a Distributed Map are not visible in its children on AWS.
        execution = {**self._scope.context["Execution"], "Id": record["executionArn"], "Input": data, "Name": name}
        scope = self._scope.inner(path, lifetime, variables={}, Execution=execution)
        scope.quiet = True
        try:
            output = machine.run_states(processor, data, scope)
        except StateError as error:
            self._end(index, record, "FAILED", error=error.error, cause=error.cause)
            raise
        except Aborted:
            self._end(index, record, "ABORTED")
            raise
        self._end(index, record, "SUCCEEDED", output=json.dumps(output))
        return output

    def _new_child(self, name: str, data: Any) -> dict[str, Any]:
        return {
            "executionArn": self._child_prefix + name,
            "stateMachineArn": self._machine_arn,
            "name": name,
            "status": "RUNNING",
            "startDate": stepfunctions.now_iso(),
            "stopDate": None,
            "input": json.dumps(data),
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "mapRunArn": self.arn,
            "events": [],
        }

    def _end(self, index: int, record: dict[str, Any], status: str, **outcome: str) -> None:
        record.update(outcome, status=status, stopDate=stepfunctions.now_iso())
        if status == "FAILED":
            with self._lock:
                self._failed_items += self._sizes[index]
        self._move(index, "running", status.lower())

    def _move(self, index: int, before: str, after: str) -> None:
        with self._lock:
            amounts = {"itemCounts": self._sizes[index], "executionCounts": 1}
            for counted, amount in amounts.items():
                counts = self._record[counted]
                counts[before] -= amount
                counts[after] += amount

    def close(self, status: str | None = None) -> None:
        with self._lock:
            for counts in (self._record["itemCounts"], self._record["executionCounts"]):
                counts["aborted"] += counts["pending"]
                counts["pending"] = 0
            self._record["status"] = status or ("FAILED" if self.failed else "SUCCEEDED")
            self._record["stopDate"] = stepfunctions.now_iso()
