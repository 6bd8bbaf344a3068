"""From a Parquet file of ours to the arrays that RAIL reads, with a flag for everything that was replaced."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import bad_input
from ponte_rail.task import FileRef


class Flag(IntFlag):
    """The bits of `{algorithm}_flags`."""

    BAND_NOT_DETECTED = 1
    """At least one of the algorithm's bands is NULL: it went in as a non-detection."""
    BAD_VALUE = 2
    """At least one band had an impossible magnitude or error: it went in as a non-detection too."""
    PDF_UNUSABLE = 4
    """p(z) is not finite, negative or zero everywhere: the estimates are NULL."""
    PEAK_AT_EDGE = 8
    """p(z) peaks on the first or last grid point: the redshift may lie outside the grid."""
    NOTHING_DETECTED = 16
    """No band was usable, so p(z) holds no information on the object: the estimates are NULL."""
    REFERENCE_BAND_NOT_DETECTED = 32
    """The band that sets the prior or the scale is one of the non-detections."""
    OUTSIDE_TRAINING = 64
    """A measured magnitude is brighter or fainter than all that the model was trained on in that band."""
    PDF_NOT_NORMALISED = 128
    """The integral of p(z) over the grid is not 1 within a hundredth: part of it lies outside, or the code failed."""
    BIMODAL = 256
    """p(z) has a second peak, apart from the first (estimates.py says how high and how far)."""
    PDF_LEFT_OUT = 512
    """There are estimates and their p(z) was not kept: the campaign was near its budget (`pointEstimates`)."""


BRIGHTEST, FAINTEST = 0.0, 90.0
"""AB magnitudes outside this open range are not measurements: 99, -99 and their kin are sentinels."""


@dataclass(frozen=True)
class Photometry:
    """Rows in the order of the file. `columns` holds `mag_{band}` and `magerr_{band}` in the float type of the
    registered configuration, in training and estimation alike."""

    object_id: NDArray[np.int64]
    columns: dict[str, NDArray[np.floating]]
    flags: NDArray[np.int32]
    redshift: NDArray[np.floating] | None

    def __len__(self) -> int:
        return len(self.object_id)

    def take(self, rows: slice | NDArray[np.intp]) -> Photometry:
        """Copies, always: several RAIL stages write into their input."""
        return Photometry(
            self.object_id[rows].copy(),
            {name: values[rows].copy() for name, values in self.columns.items()},
            self.flags[rows].copy(),
            None if self.redshift is None else self.redshift[rows].copy(),
        )


FileKind = Literal["input", "training", "model"]


def magnitude_ranges(sample: Photometry, algorithm: Algorithm) -> dict[str, tuple[float, float]]:
    """Brightest and faintest measured AB magnitude by column; a band without any measurement has no entry."""
    ranges: dict[str, tuple[float, float]] = {}
    for name in algorithm.magnitude_columns:
        measured = sample.columns[name][_is_measured(sample.columns[name], algorithm)]
        if len(measured) > 0:
            ranges[name] = (float(measured.min()), float(measured.max()))
    return ranges


def flag_outside(sample: Photometry, algorithm: Algorithm, ranges: dict[str, tuple[float, float]]) -> None:
    """Sets `OUTSIDE_TRAINING`; in a band that the training set never measured any measurement is outside."""
    for name in algorithm.magnitude_columns:
        values = sample.columns[name]
        brightest, faintest = ranges.get(name, (np.inf, -np.inf))
        outside = _is_measured(values, algorithm) & ((values < brightest) | (values > faintest))
        sample.flags[outside] |= Flag.OUTSIDE_TRAINING


def measured_magnitude(sample: Photometry, algorithm: Algorithm) -> NDArray[np.float64]:
    """(N,) AB magnitudes in the reference band, NaN where there is none."""
    values = sample.columns[f"mag_{algorithm.reference_band}"]
    return np.where(_is_measured(values, algorithm), values, np.nan).astype(np.float64)


def _is_measured(values: NDArray[np.floating], algorithm: Algorithm) -> NDArray[np.bool_]:
    return values != algorithm.non_detection_magnitude


def read_verified(file: FileRef, what: FileKind) -> bytes:
    """The bytes whose digest was checked, so that what is used is what was checked.

    Raises WorkerError `{WHAT}_UNREADABLE` or `{WHAT}_DIGEST_MISMATCH`.
    """
    try:
        content = Path(file.path).read_bytes()
    except OSError as error:
        message = f"cannot read the {what} {file.path}: {error.strerror}. Stage it again."
        raise bad_input(f"{what.upper()}_UNREADABLE", "infrastructure", message) from error
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        message = f"the {what} {file.path} has the sha256 {found}, not {file.sha256}. Stage it again."
        raise bad_input(f"{what.upper()}_DIGEST_MISMATCH", "infrastructure", message)
    return content


def read_photometry(content: bytes, algorithm: Algorithm, what: FileKind, path: Path) -> Photometry:
    """Raises WorkerError `{WHAT}_UNREADABLE` or `{WHAT}_COLUMNS`, naming what is missing."""
    wanted = ["objectId", *algorithm.magnitude_columns, *algorithm.error_columns]
    if what == "training":
        wanted.append("redshift")
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        missing = [column for column in wanted if column not in file.schema_arrow.names]
        table = None if missing else file.read(columns=wanted, use_threads=False)
    except pa.ArrowMemoryError:
        raise
    except pa.ArrowException as error:
        message = f"the {what} {path} is not a readable Parquet file: {error}. Derive it again."
        raise bad_input(f"{what.upper()}_UNREADABLE", "science", message) from error
    if table is None or table["objectId"].null_count > 0:
        fault = f"lacks the columns {', '.join(missing)}" if missing else "has rows without objectId"
        raise bad_input(f"{what.upper()}_COLUMNS", "science", f"the {what} {path} {fault}. Derive it again.")
    return _replace_missing(table, algorithm)


def _replace_missing(table: pa.Table, algorithm: Algorithm) -> Photometry:
    columns: dict[str, NDArray[np.floating]] = {}
    flags = np.zeros(table.num_rows, np.int32)
    undetected_bands = np.zeros(table.num_rows, np.int32)
    for band, value_name, error_name in zip(algorithm.bands, algorithm.magnitude_columns, algorithm.error_columns):
        absent = table[value_name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
        value = _floats(table[value_name], algorithm.float_type)
        error = _floats(table[error_name], algorithm.float_type)
        with np.errstate(invalid="ignore"):
            usable = (value > BRIGHTEST) & (value < FAINTEST) & (error > 0) & np.isfinite(error)
        value[~usable] = algorithm.non_detection_magnitude
        error[~usable] = algorithm.non_detection_error
        flags[absent] |= Flag.BAND_NOT_DETECTED
        flags[~absent & ~usable] |= Flag.BAD_VALUE
        if band == algorithm.reference_band:
            flags[~usable] |= Flag.REFERENCE_BAND_NOT_DETECTED
        undetected_bands += ~usable
        columns[value_name], columns[error_name] = value, error
    flags[undetected_bands == len(algorithm.bands)] |= Flag.NOTHING_DETECTED
    redshift = _floats(table["redshift"], None) if "redshift" in table.column_names else None
    return Photometry(_integers(table["objectId"]), columns, flags, redshift)


def _floats(column: pa.ChunkedArray, float_type: str | None) -> NDArray[np.floating]:
    """A writable copy, NaN for NULL, in this float type or, for None, in the column's own. (FlexZBoost's p(z) moves by
    up to 4 % of its peak when magnitudes of another type than the training's come.)"""
    if not pa.types.is_floating(column.type):
        column = column.cast(pa.float64())
    with np.errstate(over="ignore"):  # a double that no float32 holds becomes infinite, hence a bad value
        return np.array(column.to_numpy(), dtype=float_type, copy=True)


def _integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.array(column.cast(pa.int64()).to_numpy(), copy=True)
