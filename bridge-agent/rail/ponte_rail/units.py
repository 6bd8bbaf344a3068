"""What a unit of each kind does, inside its child process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ponte_rail.algorithm import Algorithm
from ponte_rail.archive import Archive
from ponte_rail.bisection import narrowed
from ponte_rail.estimates import NAMES, Points, summarise
from ponte_rail.evaluation import evaluate
from ponte_rail.failures import WorkerError, bad_input
from ponte_rail.held_out import inside_grid, split, with_redshift
from ponte_rail.outputs import parquet_writer, pdf_batch, pdf_schema, points_table, produce, temporary_name
from ponte_rail.packing import pack
from ponte_rail.photometry import Flag, Photometry, measured_magnitude, read_photometry, read_verified
from ponte_rail.record import Outcome
from ponte_rail.stages import Estimator, estimate, grid_of, inform
from ponte_rail.task import FileRef, Task, Unit
from ponte_rail.template_library import uses_lephare
from ponte_rail.threads import release_openmp


@dataclass(frozen=True)
class Work:
    """All that the units of a task share, in memory before the first fork."""

    task: Task
    algorithm: Algorithm
    attempt_id: str
    estimator: Estimator | None
    training: bytes | None

    def run(self, unit: Unit) -> Outcome:
        # LePHARE adds up p(z) by thread, so their number would change its last bits.
        release_openmp(1 if uses_lephare(self.algorithm) else self.task.threads)
        unit.output_dir.mkdir(parents=True, exist_ok=True)
        match self.task.kind:
            case "inform":
                return self._inform(unit)
            case "validate":
                return self._validate(unit)
            case "estimate":
                return self._estimate_or_narrow(unit)

    def _inform(self, unit: Unit) -> Outcome:
        """`model.pkl`, trained on what is not held out and lies inside the grid."""
        clock = _Clock()
        kept, _ = self._split_training()
        sample = inside_grid(with_redshift(kept), self.algorithm)
        if len(sample) == 0:
            raise WorkerError("TRAINING_EMPTY", "science", "no training row has a redshift inside the grid")
        if (sample.flags & Flag.NOTHING_DETECTED).all():
            raise WorkerError("TRAINING_EMPTY", "science", "no training row has a usable magnitude")
        read = clock.lap()
        # RAIL wants the name it trains into to end in .pkl, and prefixes it with inprogress_ while it writes.
        trained = temporary_name(unit.output_dir, self.attempt_id, "trained.pkl")
        inform(self.algorithm, sample, trained)
        compute = clock.lap()
        model = produce("model", unit.output_dir, self.attempt_id, None, trained.rename)
        return Outcome(None, len(sample), [model], 0.0, read, compute, clock.lap())

    def _validate(self, unit: Unit) -> Outcome:
        """`evaluation.json`: the model, estimated and evaluated on the held-out share."""
        clock = _Clock()
        _, held_out = self._split_training()
        sample = with_redshift(held_out)
        if len(sample) == 0 or sample.redshift is None:
            raise WorkerError("HELD_OUT_EMPTY", "science", "no held-out row has a redshift to compare with")
        read = clock.lap()
        pdf = np.concatenate([part.pdf for part in estimate(self._estimator(), self.algorithm, sample)])
        grid, redshift = grid_of(self.algorithm), sample.redshift.astype(np.float64)
        points, _ = summarise(pdf, grid, sample.flags)
        magnitude = measured_magnitude(sample, self.algorithm)
        report = evaluate(self.algorithm, grid, pdf, np.isfinite(points["z_mode"]), redshift, magnitude)
        compute = clock.lap()
        text = json.dumps(report, indent=1) + "\n"
        write = _text_writer(text)
        evaluation = produce("evaluation", unit.output_dir, self.attempt_id, len(sample), write)
        return Outcome(None, len(sample), [evaluation], 0.0, read, compute, clock.lap())

    def _estimate_or_narrow(self, unit: Unit) -> Outcome:
        """An estimate; when the science fails it and the task says `bisect`, the error names the rows."""
        clock = _Clock()
        sample = self._read_part(unit)
        read = clock.lap()
        try:
            return self._estimate(unit, sample, read)
        except Exception as error:
            if not self.task.bisect:
                raise
            raise narrowed(error, sample, self._try, clock.lap()) from error

    def _try(self, sample: Photometry) -> None:
        for _ in estimate(self._estimator(), self.algorithm, sample):
            pass

    def _estimate(self, unit: Unit, sample: Photometry, read: float) -> Outcome:
        """`points.parquet`, `pdf.parquet` and, when asked for, `archive.hdf5`: a row per row of the part, in order."""
        clock = _Clock()
        grid, schema = grid_of(self.algorithm), pdf_schema(self.algorithm)
        parts, templates, flags = [], [], np.zeros(len(sample), np.int32)
        compute = write = 0.0
        pdf_file, archive_file = (
            temporary_name(unit.output_dir, self.attempt_id, name) for name in ("values.parquet", "values.hdf5")
        )
        archive = Archive(archive_file, sample.object_id) if self.task.archive else None
        with parquet_writer(pdf_file, schema) as writer:
            for part in estimate(self._estimator(), self.algorithm, sample):
                points, flags[part.rows] = summarise(part.pdf, grid, sample.flags[part.rows])
                parts.append(points)
                if self.algorithm.best_template is not None:
                    templates.append(np.ravel(part.ensemble.ancil[self.algorithm.best_template]).astype(np.float64))
                estimated = np.isfinite(points["z_mode"])
                if not self.task.pdf:
                    flags[part.rows][estimated] |= Flag.PDF_LEFT_OUT
                packed, peaks = pack(part.pdf, estimated & self.task.pdf, sample.object_id[part.rows])
                compute += clock.lap()
                writer.write_batch(pdf_batch(schema, sample.object_id[part.rows], packed, peaks))
                if archive is not None:
                    archive.write(part)
                write += clock.lap()
        joined = {name: np.concatenate([part[name] for part in parts]) for name in NAMES}
        write_points = self._points_writer(sample, joined, np.concatenate(templates) if templates else None, flags)
        outputs = [
            produce("points", unit.output_dir, self.attempt_id, len(sample), write_points),
            produce("pdf", unit.output_dir, self.attempt_id, len(sample), pdf_file.rename),
        ]
        if archive is not None:
            archive.close()
            outputs.append(produce("archive", unit.output_dir, self.attempt_id, len(sample), archive_file.rename))
        return Outcome(None, len(sample), outputs, 0.0, read, compute, write + clock.lap())

    def _points_writer(
        self,
        sample: Photometry,
        points: Points,
        template: NDArray[np.float64] | None,
        flags: NDArray[np.int32],
    ) -> Callable[[Path], None]:
        table = points_table(self.algorithm, sample.object_id, points, template, flags)

        def write(path: Path) -> None:
            with parquet_writer(path, table.schema) as writer:
                writer.write_table(table)

        return write

    def _split_training(self) -> tuple[Photometry, Photometry]:
        assert self.task.training is not None and self.task.held_out is not None and self.training is not None
        sample = read_photometry(self.training, self.algorithm, "training", self.task.training.path)
        return split(sample, self.task.held_out)

    def _read_part(self, unit: Unit) -> Photometry:
        part: FileRef | None = unit.input
        assert part is not None, "read_task checked it"
        sample = read_photometry(read_verified(part, "input"), self.algorithm, "input", part.path)
        if len(sample) != part.rows:
            message = f"the input has {len(sample)} rows, the task says {part.rows}. Derive the part again."
            raise bad_input("INPUT_ROWS", "science", message)
        if len(sample) == 0:
            raise bad_input("INPUT_EMPTY", "science", "the input has no rows. Leave it out of the batch.")
        return sample

    def _estimator(self) -> Estimator:
        assert self.estimator is not None, "loaded before the fork"
        return self.estimator


class _Clock:
    """Wall seconds between laps."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def lap(self) -> float:
        last, self._last = self._last, time.monotonic()
        return self._last - last


def _text_writer(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write
