"""The life of an execution: start, end, timeout, and its continuation after a restart.

Stock: RUNNING executions become FAILED (``States.ServiceRestart``) at a restart and vanish at a SIGKILL; a machine's
TimeoutSeconds is ignored; a version's ARN starts the latest definition.
Checks: survival.test.ts, and states.test.ts, "times out a machine".
"""

import contextvars
import json
import logging
import threading
import time
from typing import Any

from ministack.core import persistence
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import stepfunctions

from ponte_cloud import snapshot
from ponte_cloud.startup import after_restore
from ponte_cloud.states import callback, machine, paths
from ponte_cloud.states.journal import END, HEADER, MISSING, Journal
from ponte_cloud.states.lifetime import Aborted
from ponte_cloud.states.run import Run, Scope, StateError

logger = logging.getLogger("ponte_cloud")
_runs: dict[str, Run] = {}
# Ended since the last snapshot, with the moment: their journals go once a snapshot has them.
_ended: list[tuple[float, Run]] = []
_lock = threading.Lock()


def running(execution_arn: str) -> Run | None:
    return _runs.get(execution_arn)


def start(execution: dict[str, Any], definition: str) -> None:
    """Runs a registered execution in a thread of its own, on the definition as it is now."""
    execution["_definition"] = definition
    _spawn(_new_run(execution, persistence.PERSIST_STATE))


def run_here(execution_arn: str) -> None:
    """What the emulator calls for StartSyncExecution: runs in the caller's thread and is not kept."""
    execution = stepfunctions._executions[execution_arn]
    definition = stepfunctions._state_machines[execution["stateMachineArn"]]["definition"]
    execution["_definition"] = definition
    _interpret(_new_run(execution, False))


def _new_run(execution: dict[str, Any], kept: bool) -> Run:
    arn = execution["executionArn"]
    run = Run(execution, Journal(Journal.path_for(arn) if kept else None))
    header = {key: value for key, value in execution.items() if key != "events"}
    run.journal.put(HEADER, {**header, "_startedAt": time.time()})
    _runs[arn] = run
    return run


def _spawn(run: Run) -> None:
    threading.Thread(target=contextvars.copy_context().run, args=(_interpret, run), daemon=True).start()


def _interpret(run: Run) -> None:
    execution = run.execution
    timer: threading.Timer | None = None
    try:
        definition = json.loads(execution["_definition"])
        if limit := definition.get("TimeoutSeconds"):
            remaining = run.journal.get(HEADER)["_startedAt"] + limit - time.time()
            timer = threading.Timer(max(0.0, remaining), contextvars.copy_context().run, [_time_out, run])
            timer.daemon = True
            timer.start()
        data = json.loads(execution["input"])
        scope = Scope(run, _context(execution, definition, data), "", run.lifetime)
        output = machine.run_states(definition, data, scope)
        text = json.dumps(output)
        end(run, "SUCCEEDED", {"output": text}, {"output": text})
    except Aborted:
        pass  # Whoever aborted it has recorded why.
    except StateError as error:
        end(run, "FAILED", {"error": error.error, "cause": error.cause})
    except Exception as failure:
        logger.exception("the interpreter failed in %s", execution["executionArn"])
        end(run, "FAILED", {"error": "States.Runtime", "cause": repr(failure)})
    finally:
        if timer is not None:
            timer.cancel()


def _context(execution: dict[str, Any], definition: dict[str, Any], data: Any) -> dict[str, Any]:
    """The Context Object of the developer guide, plus what the interpreter keeps with it."""
    name = execution["stateMachineArn"].rpartition(":")[2]
    return {
        "Execution": {
            "Id": execution["executionArn"],
            "Input": data,
            "Name": execution["name"],
            "RoleArn": execution.get("_roleArn"),
            "StartTime": execution["startDate"],
            "RedriveCount": 0,
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": name},
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "variables": {},
    }


def _time_out(run: Run) -> None:
    end(run, "TIMED_OUT", {})


def end(run: Run, status: str, details: dict[str, Any], outcome: dict[str, Any] | None = None) -> bool:
    """Ends an execution once. ``details`` go to its history, ``outcome`` (else ``details``) to its description."""
    execution = run.execution
    with run.lock:
        if execution["status"] != "RUNNING":
            return False
        result = {**(outcome or details), "status": status, "stopDate": stepfunctions.now_iso()}
        run.journal.put(END, result)
        execution.update(result)
        kind = "TimedOut" if status == "TIMED_OUT" else status.capitalize()
        stepfunctions._add_event(execution, f"Execution{kind}", {f"execution{kind}EventDetails": details})
    run.lifetime.end()
    run.journal.close()
    with _lock:
        _runs.pop(execution["executionArn"], None)
        _ended.append((time.time(), run))
    stepfunctions._emit_execution_status_event(execution)
    return True


def resume() -> None:
    """Continues what a kill has interrupted. All tokens are good again before the first thread runs."""
    interrupted: list[Run] = []
    for journal in Journal.read_all():
        header = journal.get(HEADER)
        execution = {**header, "events": first_event(header)}
        outcome = journal.get(END)
        _, _, _, region, account, *_ = header["executionArn"].split(":")
        set_request_region(region)
        set_request_account_id(account)
        if outcome is not MISSING:
            known = stepfunctions._executions.get(header["executionArn"])
            # A snapshot from after the end has the whole history; one from before it has become a failure of the
            # emulator's own while it was loaded.
            if known is None or known.get("error") == "States.ServiceRestart":
                execution.update(outcome)
                stepfunctions._executions[header["executionArn"]] = execution
            _ended.append((time.time(), Run(execution, journal)))
            continue
        stepfunctions._executions[header["executionArn"]] = execution
        run = Run(execution, journal)
        _runs[header["executionArn"]] = run
        callback.reopen(run)
        interrupted.append(run)
    for run in interrupted:
        _, _, _, region, account, *_ = run.execution["executionArn"].split(":")
        set_request_region(region)
        set_request_account_id(account)
        _spawn(run)
    if interrupted:
        logger.info("continuing %d executions", len(interrupted))


def first_event(execution: dict[str, Any]) -> list[dict[str, Any]]:
    details = {"input": execution["input"], "roleArn": execution.get("_roleArn")}
    started = {"id": 1, "type": "ExecutionStarted", "timestamp": execution["startDate"], "previousEventId": 0}
    return [{**started, "executionStartedEventDetails": details}]


def forget_ended(saved_at: float) -> None:
    with _lock:
        done = [run for ended_at, run in _ended if ended_at < saved_at]
        _ended[:] = [(ended_at, run) for ended_at, run in _ended if ended_at >= saved_at]
    for run in done:
        run.journal.forget()


def install() -> None:
    paths.install()
    stepfunctions._run_execution = run_here
    after_restore(resume)
    snapshot.on_states_saved.append(forget_ended)
