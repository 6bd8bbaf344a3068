"""Every service but DynamoDB: a snapshot of what changed, every few seconds.

Stock: state is written when the emulator ends in good order; SIGKILL on the first day loses even the deployed stack.
AWS: does not lose a stack, and no message. Here queues are saved every second and the rest every five; a message of
the last second before a SIGKILL may be lost, or one that was deleted come back. Those that carry a task token are saved
before their task counts as started.
``POST /_ponte/snapshot`` takes one at once; the launcher asks for it after a deployment.
Check: survival.test.ts, "keeps what was created" (queues, buckets' settings, functions).
"""

import asyncio
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import persistence
from ministack.services import lambda_svc, sqs

from ponte_cloud.dynamodb_log import log as dynamodb_writes
from ponte_cloud.startup import after_restore

logger = logging.getLogger("ponte_cloud")
_QUEUE_SECONDS = 1.0
_saved: dict[str, str] = {}
# One snapshot at a time: the periodic one and the last one share the files.
_saving = threading.Lock()
# Told after each snapshot of Step Functions, with the time at which it began.
on_states_saved: list[Callable[[float], None]] = []


def install() -> None:
    if not persistence.PERSIST_STATE:
        return
    persistence.logger.setLevel(logging.WARNING)
    app.save_all = lambda services: save_changed(services)
    app.app = _answer_requests(app.app)
    every_seconds = float(os.environ.get("PONTE_CLOUD_SNAPSHOT_SECONDS", "5"))
    after_restore(lambda: threading.Thread(target=_run, args=(every_seconds,), daemon=True).start())


def _answer_requests(serve: Callable[..., Any]) -> Callable[..., Any]:
    async def serve_or_save(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/_ponte/snapshot":
            return await serve(scope, receive, send)
        await asyncio.to_thread(save_changed, app._build_persistence_save_dict())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return serve_or_save


def _run(every_seconds: float) -> None:
    due = time.monotonic() + every_seconds
    while True:
        time.sleep(_QUEUE_SECONDS)
        if time.monotonic() < due:
            save_queues()
        else:
            save_changed(app._build_persistence_save_dict())
            due = time.monotonic() + every_seconds


def save_queues() -> None:
    save_changed({"sqs": sqs.get_state})


def save_changed(services: dict[str, Callable[[], Any]]) -> None:
    """Saves each service whose state differs from what was saved last."""
    if not persistence.PERSIST_STATE:
        return
    with _saving:
        for name, get_state in services.items():
            try:
                if name == "dynamodb":
                    dynamodb_writes.snapshot_if_due()
                elif name == "lambda":
                    _save(name, get_state, _lambda_fingerprint)
                else:
                    _save(name, get_state, _fingerprint)
            except RuntimeError as busy:
                logger.warning("%s changes too fast to be saved now (%s)", name, busy)
            except Exception:
                # One service's trouble must not keep the others from being saved; the next round tries again.
                logger.exception("no snapshot of %s", name)


def _save(name: str, get_state: Callable[[], Any], fingerprint: Callable[[Callable[[], Any]], str]) -> None:
    began = time.time()
    mark = _settled(lambda: fingerprint(get_state))
    if _saved.get(name) != mark:
        state = _settled(get_state)
        if state is not None:
            persistence.save_state(name, state)
            _saved[name] = mark
    if name == "stepfunctions":
        for told in on_states_saved:
            told(began)


def _settled(read: Callable[[], Any], attempts: int = 5) -> Any:
    """Reads a state that other threads change: copying a dictionary fails when it grows meanwhile."""
    for attempt in range(attempts):
        try:
            return read()
        except RuntimeError:
            if attempt == attempts - 1:
                raise
            time.sleep(0.05)


def _fingerprint(get_state: Callable[[], Any]) -> str:
    text = json.dumps(get_state(), default=persistence._json_default)
    return hashlib.sha256(text.encode()).hexdigest()


def _lambda_fingerprint(_: Callable[[], Any]) -> str:
    """The whole state would hash every function's code at each round."""
    functions = {repr(key): func.get("config") for key, func in lambda_svc._functions._data.items()}
    rest = (lambda_svc._layers, lambda_svc._esms, lambda_svc._function_urls, lambda_svc._dynamodb_stream_positions)
    return json.dumps([functions, [getattr(each, "_data", each) for each in rest]], default=repr, skipkeys=True)
