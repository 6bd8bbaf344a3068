"""S3 events on EventBridge: the version of the object.

Stock: the event of a versioned bucket does not say which version it is about (the sequencer is there).
AWS: ``detail.object`` carries ``version-id`` (S3 user guide, "Amazon EventBridge event message structure").
Check: s3.test.ts, "names the version in the event of an upload".
"""

import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.services import eventbridge, s3

from ponte_cloud.patching import replace

_version_id: ContextVar[str | None] = ContextVar("version_id", default=None)


def install() -> None:
    replace(s3, "_fire_s3_event", _remember_version)
    replace(eventbridge, "_dispatch_event", _add_version)


def _remember_version(fire: Callable[..., Any]) -> Callable[..., Any]:
    # A notification can set off another one; each restores the version that it found.
    def fire_with_version(*args: Any, version_id: str | None = None, **named: Any) -> Any:
        before = _version_id.set(version_id)
        try:
            return fire(*args, version_id=version_id, **named)
        finally:
            _version_id.reset(before)

    return fire_with_version


def _add_version(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    def dispatch_with_version(event: dict[str, Any], *args: Any, **named: Any) -> Any:
        version_id = _version_id.get()
        if version_id and version_id != "null" and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version_id
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *args, **named)

    return dispatch_with_version
