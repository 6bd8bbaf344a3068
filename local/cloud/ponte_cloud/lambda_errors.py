"""Lambda: the name of an error, and the life of the process that reported it.

Stock: every error of a Node function is called ``Runtime.HandlerError``, so a Retry or Catch by name never matches;
an error that the handler threw kills the process, so the next invocation is a cold start; and every invocation waits
50 ms for log lines that may come.
AWS: ``errorType`` is the error's ``name``, a trace comes with it, and the process stays warm.
Checks: lambda.test.ts, "reports the name of the error" and "keeps the process warm after an error of the handler".
"""

import json
import queue
import threading
import time
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from ponte_cloud.patching import edit
from ponte_cloud.process_memory import anonymous_bytes

# Written to the log stream right before each reply, so that reading the log ends without waiting.
END_OF_LOG = "\x1fEND-OF-INVOCATION"
_LOG_GRACE_SECONDS = 0.25
_MEMORY_CHECK_SECONDS = 0.1

_SCRIPT_EDITS = [
    (
        "function _isStdoutFd(fd) {",
        "function _reply(message) {\n"
        f"  _stderrWrite({json.dumps(chr(10) + END_OF_LOG + chr(10))});\n"
        "  _realStdoutWrite(JSON.stringify(message) + '\\n');\n"
        "}\n"
        "function _failed(err) {\n"
        "  const known = err && typeof err.name === 'string' && typeof err.message === 'string';\n"
        "  _reply({ status: 'error', handled: true, error: String(known ? err.message : err),\n"
        "    errorType: known ? err.name : typeof err, trace: known ? err.stack || '' : '' });\n"
        "}\n"
        "function _isStdoutFd(fd) {",
    ),
    (
        "          _realStdoutWrite(JSON.stringify({\n"
        '            status: "error", error: String(err.message || err), trace: err.stack || ""\n'
        '          }) + "\\n");',
        "          _failed(err);",
    ),
    (
        '          _realStdoutWrite(JSON.stringify({ status: "ok", result: res }) + "\\n");',
        '          _reply({ status: "ok", result: res });',
    ),
    (
        "      _realStdoutWrite(JSON.stringify({\n"
        '        status: "error", error: e.message, trace: e.stack\n'
        '      }) + "\\n");',
        "      _failed(e);",
    ),
    # Node warns about url.parse at the first call; the warning would be in the log of every function.
    ("  const parsed = url.parse(endpoint);", "  const parsed = new URL(endpoint);"),
    # The emulator's end closes the pipe. A handler's keep-alive sockets must not keep its process alive after that.
    ("let handlerFn = null;\n", "let handlerFn = null;\nprocess.stdin.on('end', () => process.exit(0));\n"),
]


class NodeWorker(lambda_runtime.Worker):
    """One warm Node process. Only what happens between a request and its reply differs from the stock worker."""

    _replies: "queue.Queue[str | None]"

    def _spawn(self) -> None:
        super()._spawn()
        self._replies = queue.Queue()
        threading.Thread(target=self._read_replies, args=(self._proc, self._replies), daemon=True).start()

    @staticmethod
    def _read_replies(process: Any, replies: "queue.Queue[str | None]") -> None:
        for line in process.stdout:
            replies.put(line)
        replies.put(None)

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        depth: Any = None,
        durable: dict[str, Any] | None = None,
        invoked_function_arn: str | None = None,
    ) -> dict[str, Any]:
        with self._lock:
            cold = self._proc is None or self._proc.poll() is not None
            if cold:
                self._spawn()
            timeout_seconds = float(self.config.get("Timeout", 3))
            context = {
                "request_id": request_id,
                "invoked_function_arn": invoked_function_arn or self.config.get("FunctionArn", ""),
                "timeout_ms": int(timeout_seconds * 1000),
                "trace_id": trace_id,
                "depth": depth,
                "durable": durable or {},
            }
            try:
                self._proc.stdin.write(json.dumps({"event": event, "ctx": context}) + "\n")
                self._proc.stdin.flush()
                reply = self._await_reply(timeout_seconds, request_id)
            except OSError as failure:
                reply = {"status": "error", "errorType": "Runtime.ExitError", "error": str(failure)}
            if reply["status"] == "error" and not reply.get("handled"):
                self._end_process()
            return {**reply, "cold_start": cold, "log": self._read_log()}

    def _await_reply(self, timeout_seconds: float, request_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_seconds
        limit_bytes = int(self.config.get("MemorySize", 128)) << 20
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                # The wording is the emulator's own: it recognises a timeout by it.
                return {"status": "error", "error": f"Task timed out after {int(timeout_seconds)}.00 seconds"}
            try:
                line = self._replies.get(timeout=min(remaining, _MEMORY_CHECK_SECONDS))
            except queue.Empty:
                if anonymous_bytes(self._proc.pid) > limit_bytes:
                    message = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
                    return {"status": "error", "errorType": "Runtime.OutOfMemory", "error": message}
                continue
            if line is None:
                message = f"RequestId: {request_id} Error: Runtime exited without providing a reason"
                return {"status": "error", "errorType": "Runtime.ExitError", "error": message}
            if line.startswith("{"):
                return json.loads(line)

    def _end_process(self) -> None:
        process, self._proc = self._proc, None
        process.kill()
        process.wait()

    def _read_log(self) -> str:
        lines: list[str] = []
        deadline = time.monotonic() + _LOG_GRACE_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                line = self._stderr_queue.get(timeout=remaining)
            except queue.Empty:
                break
            if line == END_OF_LOG:
                break
            lines.append(line)
        return "\n".join(lines).rstrip("\n")


def execute_warm(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Like the stock function of the emulator, but passes on the error's name and trace.

    Returns ``{"body": result, "log": text}`` or ``{"body": {errorType, errorMessage, trace?}, "error": True, "log"}``.
    """
    config = func.get("config") or func
    name, qualifier = config.get("FunctionName", "unknown"), config.get("Version", "$LATEST")
    lambda_svc._ensure_reaper_thread()
    worker, _ = lambda_runtime.acquire_worker(name, config, func["code_zip"], qualifier=qualifier)
    try:
        reply = worker.invoke(
            event,
            request_id,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
            depth=lambda_svc._invoke_depth.get(),
            durable=lambda_svc._durable_env_overlay(),
        )
    except RuntimeError as failure:
        # The process did not come up: what it printed is in the message.
        return {"body": {"errorType": "Runtime.InitError", "errorMessage": str(failure)}, "error": True, "log": ""}
    finally:
        lambda_runtime.release_worker(worker)
    if reply["status"] == "ok":
        return {"body": reply.get("result"), "log": reply["log"]}
    message = reply.get("error", "")
    timed_out = lambda_svc._RIE_TIMEOUT_TEXT_RE.fullmatch(message)
    body: dict[str, Any] = {
        "errorType": "Sandbox.Timedout" if timed_out else reply.get("errorType", "Runtime.ExitError"),
        "errorMessage": message,
    }
    if reply.get("trace"):
        body["trace"] = reply["trace"].split("\n")
    return {"body": body, "error": True, "log": "\n".join(filter(None, [reply["log"], reply.get("trace")]))}


def _is_node(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("nodejs")


def install() -> None:
    lambda_runtime._NODEJS_WORKER_SCRIPT = edit(lambda_runtime._NODEJS_WORKER_SCRIPT, _SCRIPT_EDITS)
    stock_worker_class, stock_execute = lambda_runtime._worker_class_for, lambda_svc._execute_function_warm

    def worker_class_for(config: dict[str, Any]) -> type:
        return NodeWorker if _is_node(config) else stock_worker_class(config)

    def execute(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        if _is_node(func.get("config") or func) and func.get("code_zip"):
            return execute_warm(func, event, request_id)
        return stock_execute(func, event, request_id)

    lambda_runtime._worker_class_for = worker_class_for
    lambda_svc._execute_function_warm = execute
