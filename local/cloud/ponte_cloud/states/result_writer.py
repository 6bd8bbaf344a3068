"""ResultWriter: the results of a Map Run as objects in a bucket, with a manifest.

The layout is that of the developer guide, "ResultWriter": ``<prefix>/<map run id>/manifest.json`` names
``SUCCEEDED_0.json``, ``FAILED_0.json`` and ``PENDING_0.json`` where there are any.
Check: distributed-map.test.ts, "writes the results".
"""

import json
from typing import Any

from ministack.services import s3

from ponte_cloud.states.expressions import State, is_jsonata, template
from ponte_cloud.states.run import Scope, StateError

Record = dict[str, Any]


def write_results(
    state: State,
    raw: Any,
    scope: Scope,
    map_run_arn: str,
    children: list[Record | None],
    inputs: list[Any],
) -> Any:
    """Returns ``{"MapRunArn", "ResultWriterDetails": {"Bucket", "Key"}}``, or the results if there is no bucket."""
    writer = state["ResultWriter"]
    given = writer.get("Arguments") if is_jsonata(state, scope) else writer.get("Parameters")
    place = template(given or {}, state, raw, scope)
    config = writer.get("WriterConfig", {})
    results = _by_status(children, inputs, config.get("Transformation", "NONE"))
    if "Bucket" not in place:
        return results["SUCCEEDED"]
    lines = config.get("OutputType", "JSON") == "JSONL"
    prefix = "/".join(filter(None, [place.get("Prefix", "").rstrip("/"), map_run_arn.rpartition(":")[2]]))
    files: dict[str, list[Record]] = {}
    for status, entries in results.items():
        text = "\n".join(json.dumps(entry) for entry in entries) if lines else json.dumps(entries)
        key = f"{prefix}/{status}_0.{'jsonl' if lines else 'json'}"
        files[status] = [{"Key": key, "Size": _put(place["Bucket"], key, text)}] if entries else []
    manifest = {"DestinationBucket": place["Bucket"], "MapRunArn": map_run_arn, "ResultFiles": files}
    _put(place["Bucket"], f"{prefix}/manifest.json", json.dumps(manifest))
    details = {"Bucket": place["Bucket"], "Key": f"{prefix}/manifest.json"}
    return {"MapRunArn": map_run_arn, "ResultWriterDetails": details}


def _by_status(children: list[Record | None], inputs: list[Any], transformation: str) -> dict[str, list[Any]]:
    results: dict[str, list[Any]] = {"SUCCEEDED": [], "FAILED": [], "PENDING": []}
    for child, data in zip(children, inputs, strict=True):
        if child is None:
            results["PENDING"].append({"Input": json.dumps(data), "Status": "PENDING"})
        elif child["status"] != "SUCCEEDED":
            entry = {**_entry(child), "Error": child.get("error"), "Cause": child.get("cause")}
            results["FAILED" if child["status"] == "FAILED" else "PENDING"].append(entry)
        elif transformation == "NONE":
            outcome = {"Output": child["output"], "OutputDetails": {"Included": True}}
            results["SUCCEEDED"].append({**_entry(child), **outcome})
        else:
            output = json.loads(child["output"])
            flat = transformation == "FLATTEN" and isinstance(output, list)
            results["SUCCEEDED"].extend(output if flat else [output])
    return results


def _entry(child: Record) -> Record:
    return {
        "ExecutionArn": child["executionArn"],
        "Input": child["input"],
        "InputDetails": {"Included": True},
        "Name": child["name"],
        "StartDate": child["startDate"],
        "StateMachineArn": child["stateMachineArn"],
        "Status": child["status"],
        "StopDate": child["stopDate"],
    }


def _put(bucket: str, key: str, text: str) -> int:
    status, _, answer = s3._put_object(bucket, key, text.encode(), {"content-type": "application/json"})
    if status != 200:
        raise StateError("States.ResultWriterFailed", f"s3://{bucket}/{key}: {answer!r}")
    return len(text.encode())
