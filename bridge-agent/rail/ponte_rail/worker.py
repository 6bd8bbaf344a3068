"""A task from start to end: check, load once, then unit by unit."""

from __future__ import annotations

import gc
import secrets
import signal
import time
from pathlib import Path

from ponte_rail.algorithm import Algorithm, read_algorithm, require_packages
from ponte_rail.ancillary import require_ancillary, unpack
from ponte_rail.child import ChildRunner, Stopped
from ponte_rail.events import Events, quieten_rail
from ponte_rail.failures import ExitCode, WorkerError, bad_task, classify
from ponte_rail.outputs import remove_leftovers
from ponte_rail.private_folder import PrivateFolder
from ponte_rail.record import Outcome, is_recorded, now, versions, write_record
from ponte_rail.task import Task, Unit
from ponte_rail.template_library import DATA, settle, uses_lephare


class Worker:
    """Runs one task. `started` is the monotonic clock's reading when the process began; `run()` returns how it is to
    end."""

    def __init__(self, task: Task, algorithms: Path, events: Events, started: float) -> None:
        self._task = task
        self._algorithms = algorithms
        self._events = events
        self._child = ChildRunner()
        self._folder = PrivateFolder()
        self._attempt_id = secrets.token_hex(8)
        self._started_at = now()
        self._started = started
        self._start_cpu = 0.0
        self._start_seconds = 0.0

    def run(self) -> ExitCode:
        try:
            return self._run()
        finally:
            self._folder.close()

    def _run(self) -> ExitCode:
        signal.signal(signal.SIGTERM, lambda _number, _frame: self._child.stop())
        waiting = [unit for unit in self._task.units if not self._is_done(unit)]
        if not waiting:
            return ExitCode.ALL_RECORDED
        known_versions: dict[str, str] = {}
        try:
            algorithm = self._registered_algorithm()
            known_versions = versions(algorithm)
            work = self._prepare(algorithm)
        except WorkerError as error:
            return self._fail_all(waiting, error, known_versions)
        except MemoryError as error:
            return self._fail_all(waiting, classify(error, "the start"), known_versions)
        gc.freeze()  # the collector would touch, and so copy, the pages that children share with the worker
        self._start_seconds = time.monotonic() - self._started
        self._start_cpu = time.process_time()
        self._events.emit("ready", units=len(waiting), seconds=round(self._start_seconds, 3))

        exit_codes = set()
        for unit in waiting:
            if self._child.stopping:
                return self._stopped(unit)
            self._events.emit("unit-started", unitId=unit.unit_id)
            started_at = now()
            outcome = self._child.run(lambda unit=unit: work.run(unit), str(unit))
            remove_leftovers(unit.output_dir, self._attempt_id)
            if isinstance(outcome, Stopped):
                return self._stopped(unit)
            self._charge_start(outcome)
            self._record(unit, outcome, started_at, known_versions)
            exit_codes.add(outcome.error.exit_code if outcome.error else ExitCode.ALL_RECORDED)
        return ExitCode.BAD_INPUT if exit_codes == {ExitCode.BAD_INPUT} else ExitCode.ALL_RECORDED

    def _is_done(self, unit: Unit) -> bool:
        if not is_recorded(unit, self._task.work_key):
            return False
        self._events.emit("unit-skipped", unitId=unit.unit_id)
        return True

    def _registered_algorithm(self) -> Algorithm:
        algorithm = read_algorithm(self._task.algorithm, self._algorithms)
        if algorithm.digest != self._task.configuration_digest:
            message = f"the task means the configuration {self._task.configuration_digest} of {algorithm.name}"
            hint = f"here it is {algorithm.digest}. Install the same version on both sides"
            raise bad_task("CONFIGURATION_MISMATCH", f"{message}, {hint}.")
        require_ancillary(algorithm, self._task.ancillary)
        require_packages(algorithm)
        return algorithm

    def _prepare(self, algorithm: Algorithm):
        """Imports RAIL and loads the model, after their digests have been checked."""
        from ponte_rail.photometry import read_verified

        task = self._task
        model = read_verified(task.model, "model") if task.model else None
        training = read_verified(task.training, "training") if task.training else None
        if uses_lephare(algorithm):
            settle(unpack(DATA, task.ancillary[DATA], self._folder.path), self._folder.path)
        quieten_rail()
        from ponte_rail.stages import import_algorithm, load_estimator
        from ponte_rail.units import Work

        import_algorithm(algorithm)
        estimator = None if model is None else load_estimator(algorithm, model)
        return Work(task, algorithm, self._attempt_id, estimator, training)

    def _charge_start(self, outcome: Outcome) -> None:
        """The first unit pays for the import and the model."""
        outcome.import_seconds = self._start_seconds
        outcome.wall_seconds += self._start_seconds
        outcome.cpu_seconds += self._start_cpu
        self._start_seconds = self._start_cpu = 0.0

    def _record(self, unit: Unit, outcome: Outcome, started_at: str, known_versions: dict[str, str]) -> None:
        first = write_record(unit, self._task.work_key, self._attempt_id, outcome, started_at, known_versions)
        self._events.emit(
            "unit-finished" if first else "unit-finished-elsewhere",
            unitId=unit.unit_id,
            outcome="failed" if outcome.error else "succeeded",
            error=outcome.error.to_json() if outcome.error else None,
            rows=outcome.rows,
            seconds=round(outcome.wall_seconds, 3),
        )

    def _fail_all(self, units: list[Unit], error: WorkerError, known_versions: dict[str, str]) -> ExitCode:
        """What stops every unit alike is told in every unit's record too: records are what the agent reads."""
        for unit in units:
            message = f"{unit}: {error.message}"
            failed = WorkerError(error.code, error.kind, message, error.exit_code)
            self._record(unit, Outcome(error=failed), self._started_at, known_versions)
        return error.exit_code

    def _stopped(self, unit: Unit) -> ExitCode:
        self._events.emit("stopped", before=unit.unit_id)
        return ExitCode.STOPPED
