"""RAIL's stages, configured from a registered algorithm and used in memory."""

from __future__ import annotations

import importlib
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import qp
from numpy.typing import NDArray
from rail.estimation.estimator import CatEstimator
from rail.estimation.informer import CatInformer
from rail.interfaces.pz_factory import PZFactory

from ponte_rail.algorithm import Algorithm
from ponte_rail.failures import WorkerError, bad_environment, bad_input, bad_task
from ponte_rail.faster import make_faster
from ponte_rail.photometry import Photometry, flag_outside, magnitude_ranges
from ponte_rail.reference_data import reference_data_folder
from ponte_rail.template_library import carry_library, lay_out, uses_lephare


def grid_of(algorithm: Algorithm) -> NDArray[np.float64]:
    """The redshifts that p(z) is given at, as RAIL makes them."""
    return np.linspace(algorithm.z_min, algorithm.z_max, algorithm.grid_points)


def import_algorithm(algorithm: Algorithm) -> None:
    """Pays for the import now, and for what pyarrow imports when it is first asked for numpy arrays: 0.3 s that every
    child would pay again (`npm run bench -- rail trainz` shows it). Raises WorkerError `ALGORITHM_NOT_INSTALLED`."""
    for name in ("pandas", "pyarrow.compute"):
        importlib.import_module(name)
    _stage_class(algorithm, algorithm.informer)
    _stage_class(algorithm, algorithm.estimator)


@dataclass(frozen=True)
class Estimator:
    """RAIL's stage with its model in memory, and the magnitudes that it was trained on."""

    stage: CatEstimator
    ranges: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Slice:
    """What RAIL made of some rows: its own ensemble, and (N, K) values of p(z) on the grid."""

    rows: slice
    ensemble: qp.Ensemble
    pdf: NDArray[np.float64]


def load_estimator(algorithm: Algorithm, model: bytes) -> Estimator:
    """An estimator with its model and its templates in memory. `model` is two pickles, that is, code: the caller has
    checked its digest. Raises WorkerError `MODEL_UNUSABLE`."""
    try:
        content = BytesIO(model)
        trained, ours = pickle.load(content), pickle.load(content)
        _require_own(algorithm, ours)
        extra = {"run_dir": str(lay_out(ours["library"]))} if uses_lephare(algorithm) else {}
        extra["output_mode"] = "return"
        stage = _make_stage(algorithm, algorithm.estimator, algorithm.estimate_parameters, extra)
        stage.open_model(model=trained)
        stage._initialize_run()  # where BPZ reads its templates; RAIL's own run() does the same
        make_faster(stage)
    except (MemoryError, WorkerError):
        raise
    except Exception as error:
        message = f"{algorithm.name} cannot use the model: {type(error).__name__}: {error}. Inform again."
        raise bad_input("MODEL_UNUSABLE", "science", message) from error
    return Estimator(stage, ours["magnitudeRanges"])


def _require_own(algorithm: Algorithm, ours: dict[str, Any]) -> None:
    """Some stages take anything for a model, and answer with it. Models made before they said whose they are pass."""
    name = ours.get("algorithm", algorithm.name)
    if name != algorithm.name:
        raise ValueError(f"it was trained for {name}")


def inform(algorithm: Algorithm, training: Photometry, model: Path) -> None:
    """Trains on all rows given and leaves the pickled model at `model`: RAIL's pickle, which RAIL reads as ever, and
    after it, in the same file, one of ours with the magnitudes of the training set, the algorithm's name and, of
    LePHARE, the library.

    Equal training sets give equal models: the generators that nobody else seeds are seeded from the configuration.
    """
    parameters = algorithm.inform_parameters
    stage: CatInformer = _make_stage(algorithm, algorithm.informer, parameters, {"model": str(model)})
    ranges = magnitude_ranges(training, algorithm)  # before RAIL replaces what was not detected
    with _seeded(int(algorithm.digest[:8], 16)):
        stage.inform({**training.columns, "redshift": training.redshift})
    ours: dict[str, Any] = {"magnitudeRanges": ranges, "algorithm": algorithm.name}
    if uses_lephare(algorithm):
        ours["library"] = carry_library(model, Path(stage.run_dir))
    with model.open("ab") as file:
        pickle.dump(ours, file)


@contextmanager
def _seeded(ours: int) -> Iterator[None]:
    """GPz splits its training set by numpy's global generator. TPZ (pz-rail-tpz 2.1.2) takes its bootstraps from
    Python's and its noise from a new generator without a seed, whatever its own `seed` says."""
    unseeded = np.random.default_rng
    random.seed(ours)
    np.random.seed(ours)
    np.random.default_rng = lambda seed=None: unseeded(ours if seed is None else seed)
    try:
        yield
    finally:
        np.random.default_rng = unseeded


def slices(algorithm: Algorithm, rows: int) -> list[slice]:
    """How `rows` rows go through RAIL.

    `equal`: as few slices as the registered chunk size allows and as equal as can be: a slice of a single row would
    take another path through the matrix product and differ in the last bits. `fixed`: as RAIL itself slices a file,
    chunk size by chunk size from the first row on, for algorithms whose p(z) depend on the rest of their slice.
    """
    size = algorithm.chunk_size
    if algorithm.slicing == "fixed":
        return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
    count = -(-rows // size)
    return [slice(rows * index // count, rows * (index + 1) // count) for index in range(count)]


def estimate(estimator: Estimator, algorithm: Algorithm, sample: Photometry) -> Iterator[Slice]:
    """p(z) on the grid, slice by slice: exactly the float64 values of RAIL's ensemble. Raises WorkerError
    `PDF_COUNT`."""
    grid = grid_of(algorithm)
    flag_outside(sample, algorithm, estimator.ranges)
    for rows in slices(algorithm, len(sample)):
        part = sample.take(rows)
        ensemble = PZFactory.estimate_single_pz(estimator.stage, part.columns, len(part))
        if ensemble.npdf != len(part):
            message = f"{algorithm.name} gave {ensemble.npdf} p(z) for {len(part)} objects"
            raise WorkerError("PDF_COUNT", "science", message)
        yield Slice(rows, ensemble, on_grid(ensemble, grid))


def on_grid(ensemble: qp.Ensemble, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) values. An ensemble that is already tabulated on this grid is copied, not interpolated: qp's pdf() at its
    own nodes is off by some 1e-15, and the table is what RAIL writes to its files."""
    xvals = ensemble.metadata.get("xvals") if ensemble.gen_class is qp.interp_gen else None
    if xvals is not None and np.array_equal(np.ravel(xvals), grid):
        return np.array(ensemble.objdata["yvals"], dtype=np.float64, ndmin=2)
    return np.array(ensemble.pdf(grid), dtype=np.float64, ndmin=2)


def _make_stage(algorithm: Algorithm, class_name: str, parameters: dict[str, Any], extra: dict[str, Any]) -> Any:
    stage_class = _stage_class(algorithm, class_name)
    known = set(stage_class.config_options) | {tag for tag, _ in (*stage_class.inputs, *stage_class.outputs)}
    unknown = sorted(set(parameters) - known)
    if unknown:
        message = f"{class_name} has no parameter {', '.join(unknown)}"
        raise bad_task("ALGORITHM_INVALID", f"{message}. Correct schemas/algorithms/{algorithm.name}.json.")
    ours = {name: value for name, value in _common_parameters(algorithm).items() if name in known}
    return stage_class.make_stage(name=f"ponte_{algorithm.name}", **ours, **parameters, **extra)


def _common_parameters(algorithm: Algorithm) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "hdf5_groupname": "",
        "bands": algorithm.magnitude_columns,
        "err_bands": algorithm.error_columns,
        "ref_band": f"mag_{algorithm.reference_band}",
        "redshift_col": "redshift",
        "id_col": "objectId",
        "nondetect_val": algorithm.non_detection_magnitude,
        "mag_limits": {f"mag_{band}": algorithm.limits[band] for band in algorithm.bands},
        "zmin": algorithm.z_min,
        "zmax": algorithm.z_max,
        "nzbins": algorithm.grid_points,
        "chunk_size": algorithm.chunk_size,
    }
    if uses_lephare(algorithm):
        # Its informer takes no notice of zmin, zmax and nzbins (pz-rail-lephare 2.0.4).
        step = (algorithm.z_max - algorithm.z_min) / (algorithm.grid_points - 1)
        parameters["lephare.Z_STEP"] = f"{step},{algorithm.z_min},{algorithm.z_max}"
    if algorithm.reference_data == "bpz":
        parameters["bpz_ref_data_path"] = str(reference_data_folder())
    return parameters


def _stage_class(algorithm: Algorithm, class_name: str) -> Any:
    try:
        return getattr(importlib.import_module(algorithm.module), class_name)
    except (ImportError, AttributeError) as error:
        message = f"cannot import {class_name} of {algorithm.module}: {error}. Make the environment again."
        raise bad_environment("ALGORITHM_NOT_INSTALLED", message) from error
